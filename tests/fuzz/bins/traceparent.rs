#![no_main]
//! libFuzzer's program for the target `traceparent`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::traceparent::run(data));
