#![no_main]
//! libFuzzer's program for the target `head`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::head::run(data));
