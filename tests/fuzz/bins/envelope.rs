#![no_main]
//! libFuzzer's program for the target `envelope`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::envelope::run(data));
