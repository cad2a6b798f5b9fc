#![no_main]
//! libFuzzer's program for the target `proxy_protocol`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wxgate_fuzz::proxy_protocol::run(data));
