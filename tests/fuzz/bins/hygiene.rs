#![no_main]
//! libFuzzer's program for the target `hygiene`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::hygiene::run(data));
