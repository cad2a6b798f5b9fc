#![no_main]
//! libFuzzer's program for the target `chunks`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::chunks::run(data));
