//! The declaration in front of an XML document, which may say that it is XML 1.0 in UTF-8.
//!
//! Anything else is refused: a reader that obeys it would read other text than we did.

/// Whether `content`, what is between "<?" and "?>", is one that we read as it wants to be read.
pub(super) fn is_taken(content: &str) -> bool {
    let mut words = content.split_ascii_whitespace();
    if words.next() != Some("xml") {
        return false;
    }
    let mut words = words.map(value_of);
    let is_version = words.next() == Some(Some(("version", "1.0")));
    let rest: Option<Vec<_>> = words.collect();
    let Some(rest) = rest else {
        return false;
    };
    let (encoding, standalone) = match *rest.as_slice() {
        [] => (None, None),
        [("standalone", standalone)] => (None, Some(standalone)),
        [("encoding", encoding)] => (Some(encoding), None),
        [("encoding", encoding), ("standalone", standalone)] => (Some(encoding), Some(standalone)),
        _ => return false,
    };
    is_version
        && encoding.is_none_or(|name| name.eq_ignore_ascii_case("utf-8"))
        && standalone.is_none_or(|answer| matches!(answer, "yes" | "no"))
}

/// `name="value"` in its parts, with quotes of either kind.
fn value_of(word: &str) -> Option<(&str, &str)> {
    let (name, quoted) = word.split_once('=')?;
    let value = ['"', '\''].into_iter().find_map(|quote| {
        let value = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
        (!value.contains(quote)).then_some(value)
    });
    Some((name, value?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_xml_1_0_in_utf_8_is_taken() {
        let taken = [
            r#"xml version="1.0""#,
            r#"xml version="1.0" "#,
            r#"xml version="1.0" encoding="UTF-8""#,
            "xml version='1.0' encoding='utf-8'",
            r#"xml version="1.0" encoding="UTF-8" standalone="yes""#,
            "xml\tversion='1.0'\nstandalone='no'",
        ];
        let refused = [
            "",
            "xml",
            "xml-stylesheet",
            r#"xml encoding="UTF-8""#,
            r#"xml version="1.1""#,
            r#"xml version="1.0" encoding="GBK""#,
            r#"xml version="1.0" encoding="UTF-16""#,
            r#"xml version="1.0" encoding="UTF-7""#,
            r#"xml version="1.0" encoding="UTF-8" encoding="GBK""#,
            r#"xml version="1.0" standalone="yes" encoding="UTF-8""#,
            r#"xml version="1.0" standalone="maybe""#,
            r#"xml version="1.0' encoding='GBK""#,
            r#"xml version="1.0" encoding"#,
            r#"xml version=1.0"#,
            r#"XML version="1.0""#,
        ];
        for content in taken {
            assert!(is_taken(content), "{content}");
        }
        for content in refused {
            assert!(!is_taken(content), "{content}");
        }
    }
}
