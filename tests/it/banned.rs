//! What the program must not be built of.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Name → versions, as `Cargo.lock` has them.
fn packages() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lock = include_str!("../../Cargo.lock");
    let mut packages: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for package in lock.split("[[package]]\n").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap().trim_matches('"')
        };
        packages
            .entry(value("name = "))
            .or_default()
            .push(value("version = "));
    }
    assert!(packages.len() > 50, "{}", packages.len());
    packages
}

/// `1.12.3` → `[1, 12, 3]`, what follows a `-` or `+` left out.
fn numbers(version: &str) -> Vec<u32> {
    let plain = version.split(['-', '+']).next().unwrap();
    plain
        .split('.')
        .map(|number| number.parse().unwrap())
        .collect()
}

/// The crates that are built here with these features, tests included.
fn built(features: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none"])
        .args(["--edges", "normal,build,dev", "--format", "{p}"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("\nrustls v"), "{tree}");
    tree
}

#[test]
fn crates_that_are_abandoned_or_bring_a_second_tls_are_not_in_the_tree() {
    let packages = packages();
    for name in ["openssl-sys", "serde_yaml", "serde_yml", "rustls-pemfile"] {
        assert_eq!(packages.get(name), None, "{name}");
    }
    // The lock file names this one as a weak optional dependency of rustls-webpki: what counts is what is built.
    let built = built(&["--all-features"]);
    assert!(
        !built.lines().any(|line| line.starts_with("ring ")),
        "{built}"
    );
}

#[test]
fn what_speaks_http_tls_and_the_protocol_is_there_once() {
    let packages = packages();
    for name in ["hyper", "rustls", "sha1", "aes", "cbc"] {
        assert_eq!(packages[name].len(), 1, "{name}: {:?}", packages[name]);
    }
    // The client of ACME has one of its own.
    for (features, count) in [(&[][..], 1), (&["--all-features"], 2)] {
        let built = built(features);
        let versions = built.lines().filter(|line| line.starts_with("base64 v"));
        let versions: BTreeSet<_> = versions.map(|line| line.trim_end_matches(" (*)")).collect();
        assert_eq!(versions.len(), count, "{versions:?}");
    }
}

#[test]
fn versions_with_known_faults_are_not_in_the_tree() {
    let packages = packages();
    for version in &packages["h2"] {
        assert!(numbers(version) >= vec![0, 4, 19], "h2 {version}");
    }
    for version in &packages["hyper"] {
        assert!(numbers(version) >= vec![1, 12, 0], "hyper {version}");
    }
    assert!(!packages["tokio"].contains(&"1.54.0"));
}
