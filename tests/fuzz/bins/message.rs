#![no_main]
//! libFuzzer's program for the target `message`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::message::run(data));
