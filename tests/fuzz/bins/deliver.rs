#![no_main]
//! libFuzzer's program for the target `deliver`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::deliver::run(data));
