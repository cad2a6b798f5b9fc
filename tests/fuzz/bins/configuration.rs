#![no_main]
//! libFuzzer's program for the target `configuration`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::configuration::run(data));
