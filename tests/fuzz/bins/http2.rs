#![no_main]
//! libFuzzer's program for the target `http2`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::http2::run(data));
