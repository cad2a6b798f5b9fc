//! Every input that the fuzzer was given or found worth keeping, through the same functions and without a fuzzer:
//! `docs/fuzzing.md`.

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A corpus is for every build to run: what makes it larger than this belongs elsewhere.
const MOST_FILES: usize = 150;
const MOST_BYTES: usize = 300 * 1024;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn each_target_has_a_corpus_of_its_own() {
    let folders: BTreeSet<_> = files(&corpus())
        .iter()
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let names: BTreeSet<_> = targets::ALL.map(|(name, _)| name.to_owned()).into();
    assert_eq!(folders, names);
}

#[test]
fn no_input_breaks_a_promise() {
    for (name, run) in targets::ALL {
        let inputs = files(&corpus().join(name));
        let mut bytes = 0;
        for input in &inputs {
            // The last line of a failed test is the input that failed.
            println!("{}", input.display());
            let data = fs::read(input).unwrap();
            bytes += data.len();
            run(&data);
        }
        assert!(
            (1..=MOST_FILES).contains(&inputs.len()),
            "{name}: {} files",
            inputs.len()
        );
        assert!(bytes <= MOST_BYTES, "{name}: {bytes} bytes");
    }
}
