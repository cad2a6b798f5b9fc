#![no_main]
//! libFuzzer's program for the target `request_line`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::request_line::run(data));
