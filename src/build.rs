//! Links the allocator's setting into the program.
//!
//! jemalloc looks for it in a variable of C. Rust could define that by unsafe code only, and the environment of a build, the
//! other way, is not the same wherever it is built.

use std::path::PathBuf;
use std::{env, fs, io};

/// Memory that was not needed for a second goes back to the system. By default it takes ten seconds, and after a burst there
/// may be nothing to do by then, so that the allocator is not called and cannot see to it.
const SETTING: &str = "dirty_decay_ms:1000";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=src/build.rs");
    let folder = env::var_os("OUT_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let source = folder.join("malloc_conf.c");
    fs::write(
        &source,
        format!("const char *_rjem_malloc_conf = \"{SETTING}\";\n"),
    )?;
    // Not as a library: the linker would take nothing from it, as jemalloc has a weak variable of that name.
    for object in cc::Build::new().file(&source).compile_intermediates() {
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
    Ok(())
}
