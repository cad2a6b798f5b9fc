//! What the packages bring that the program says itself: its manual and its completions.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use tempfile::TempDir;
use wxgate::cli::Cli;

/// With this variable the committed files are written anew.
const WRITE: &str = "WRITE_GENERATED";

fn generate(folder: &Path) {
    let (manual, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&manual, &completions] {
        std::fs::create_dir_all(folder).unwrap();
    }
    clap_mangen::generate_to(Cli::command(), &manual).unwrap();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "wxgate", &completions).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_manual_and_the_completions_are_what_the_program_says() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/packages");
    if std::env::var_os(WRITE).is_some() {
        generate(&committed);
    }
    let dir = TempDir::new().unwrap();
    generate(dir.path());
    for kind in ["man", "completions"] {
        let (fresh, kept) = (dir.path().join(kind), committed.join(kind));
        assert_eq!(names(&fresh), names(&kept));
        for name in names(&fresh) {
            let [fresh, kept] =
                [&fresh, &kept].map(|folder| std::fs::read_to_string(folder.join(&name)).unwrap());
            assert!(
                fresh == kept,
                "deploy/packages/{kind}/{name} is stale: {WRITE}=1 cargo test --test it -- packages"
            );
        }
    }
}
