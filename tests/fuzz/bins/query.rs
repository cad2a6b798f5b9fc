#![no_main]
//! libFuzzer's program for the target `query`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::query::run(data));
