//! The word that was probably meant.

/// The word of `known` nearest to `word`, if it is near enough to be a slip: one edit in three characters at most,
/// and never more than two.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let limit = (word.chars().count().max(3) / 3).min(2);
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.chars().zip(row.iter().skip(1)) {
            let changed = diagonal + usize::from(from != to);
            left = changed.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn the_distance_counts_insertions_deletions_and_changes() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("url", "url", 0),
            ("ulr", "url", 2),
            ("kitten", "sitting", 3),
            ("tokens", "token", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_a_slip_gets_a_suggestion() {
        let known = ["https", "http", "admin"];
        for (word, expected) in [
            ("htps", Some("https")),
            ("htp", Some("http")),
            ("amdin", None),
            ("x", None),
            ("certificate", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(
            nearest("encoding_aes_key", &["encoding_aes_keys"]),
            Some("encoding_aes_keys")
        );
        assert_eq!(nearest("upstraem", &["upstream"]), Some("upstream"));
    }
}
