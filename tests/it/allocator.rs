//! The program's allocator, and its setting, which is linked into it.

use std::process::Command;

#[test]
fn memory_that_is_not_needed_goes_back_after_a_second() {
    let told = Command::new(env!("CARGO_BIN_EXE_wxgate"))
        .arg("--version")
        .env("_RJEM_MALLOC_CONF", "stats_print:true")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("opt.dirty_decay_ms: 1000 "), "{told}");
}
