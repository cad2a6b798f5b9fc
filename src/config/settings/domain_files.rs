//! `domain_files`: what proves to a console that the domain is yours.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::is_label;
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};

const FILES: &str = "allowed is a map of file name and content";
const NAME: &str = "allowed is a name ending in .txt, at most 128 of A-Z a-z 0-9 _ . -";
const CONTENT: &str = "allowed is text of 1 to 1024 bytes; it may be left empty for \
    MP_verify_….txt and WW_verify_….txt with 16 letters or digits";

const LARGEST_CONTENT: usize = 1024;

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<BTreeMap<String, Bytes>> {
    let entries = root.read("domain_files", FILES, faults, Place::entries)?;
    let files: Vec<_> = entries
        .into_iter()
        .map(|(name, place)| read_file(name, &place, faults))
        .collect();
    files.into_iter().collect()
}

fn read_file(name: &str, place: &Place<'_>, faults: &mut Faults) -> Option<(String, Bytes)> {
    // In capitals it is another file: paths are compared byte for byte.
    let stem = name.strip_suffix(".txt").unwrap_or_default();
    let has_name = !stem.is_empty() && is_label(name, 128);
    if !has_name {
        let wrong = Wrong::found("this cannot be the name of a domain file");
        faults.push(place.fault(wrong, NAME));
    }
    let content = read_content(name, place).map_err(|wrong| place.fault(wrong, CONTENT));
    let content = faults.keep(content)?;
    has_name.then(|| (name.to_owned(), Bytes::from(content)))
}

fn read_content(name: &str, place: &Place<'_>) -> Result<String, Wrong> {
    let written = if place.is_null() { "" } else { place.text()? };
    let content = match (written, own_content(name)) {
        ("", Some(content)) => content,
        (written, _) => written,
    };
    match content.len() {
        1..=LARGEST_CONTENT => Ok(content.to_owned()),
        0 => Err(Wrong::found("found nothing")),
        bytes => Err(Wrong::found(format!("found {bytes} bytes"))),
    }
}

/// The console makes these files so that the content stands in the name.
fn own_content(name: &str) -> Option<&str> {
    let rest = name
        .strip_prefix("MP_verify_")
        .or_else(|| name.strip_prefix("WW_verify_"))?;
    let content = rest.strip_suffix(".txt")?;
    let is_code = content.len() == 16 && content.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then_some(content)
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{fault, settings};

    #[test]
    fn content_is_kept_byte_for_byte_and_may_stand_in_the_name() {
        for (yaml, content) in [
            ("a.txt: '0123'", "0123"),
            ("a.txt: \"x\\n\"", "x\n"),
            ("MP_verify_AbCdEfGhIjKlMnOp.txt: ", "AbCdEfGhIjKlMnOp"),
            ("WW_verify_AbCdEfGhIjKlMn01.txt: ''", "AbCdEfGhIjKlMn01"),
            ("WW_verify_AbCdEfGhIjKlMn01.txt: other", "other"),
        ] {
            let settings = settings(&format!("domain_files: {{{yaml}}}\n"));
            let contents: Vec<_> = settings.live.domain_files.values().collect();
            assert_eq!(contents, [content], "{yaml}");
        }
    }

    #[test]
    fn other_names_and_contents_are_refused() {
        let long = format!("a.txt: {}", "x".repeat(1025));
        for yaml in [
            "a.html: x",
            ".txt: x",
            "a/b.txt: x",
            "'a b.txt': x",
            "a.txt: ",
            "a.txt: 123",
            "a.txt: [x]",
            "MP_verify_AbCdEfGhIjKlMnO.txt: ",
            "MP_verify_AbCdEfGhIjKlMnO-.txt: ",
            "MP_verify_AbCdEfGhIjKlMnOp.TXT: x",
            &long,
        ] {
            let fault = fault(&format!("domain_files: {{{yaml}}}\n"));
            assert!(fault.starts_with("domain_files."), "{fault}");
        }
    }
}
