//! A body → the one `Encrypt` in it, which is all of the body that a signature covers.
//!
//! Strict on purpose: in the modes that forward a body as it came, the backend reads it with another
//! parser, and both must find the same `Encrypt`. So whatever parsers are known to disagree about is
//! refused: repeated ones, at whatever depth (in JSON only the outermost object is looked at) and in
//! whatever letter case, comments, attributes (a default namespace renames all elements), mixtures of text
//! and CDATA. No platform sends any of it.
//!
//! Facts: `docs/protocol.md`, section "Messages".

use std::borrow::Cow;

use super::super::rejection::Rejection;
use super::format::Format;
use super::json;
use super::xml::{Piece, Pieces};

/// What the element is called.
const NAME: &str = "Encrypt";

/// What plain messages have and bodies of safe mode do not: who sent it, and of which kind it is.
const OF_PLAIN: [&str; 2] = ["FromUserName", "MsgType"];

/// A body that has one `Encrypt`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Encrypted<'a> {
    /// What the body is written in.
    pub format: Format,
    /// The text of the `Encrypt`, not known to be base64, nor to be signed.
    pub text: Cow<'a, str>,
    /// Whether a message in plain text stands beside it, which nothing signs.
    pub has_plain: bool,
}

/// Whether a name is one that only plain messages have, for readers that look at letter case or do not.
pub(super) fn is_of_plain(name: &str) -> bool {
    OF_PLAIN.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Finds the one `Encrypt` of `body`: a direct child of an XML document's root, or a member `Encrypt` or
/// `encrypt` of a JSON object.
///
/// # Errors
/// [`Rejection::MalformedBody`] if it is not there exactly once, or if anything in the body is not as
/// platforms write it.
pub fn encrypted_field(body: &[u8]) -> Result<Encrypted<'_>, Rejection> {
    let format = Format::of(body).ok_or(Rejection::MalformedBody)?;
    let text = std::str::from_utf8(body).map_err(|_| Rejection::MalformedBody)?;
    let (text, has_plain) = match format {
        Format::Xml => xml_field(text),
        Format::Json => json::encrypted_field(text),
    }?;
    Ok(Encrypted {
        format,
        text,
        has_plain,
    })
}

/// A level below the root's.
const CHILD: usize = 2;

fn xml_field(text: &str) -> Result<(Cow<'_, str>, bool), Rejection> {
    let mut pieces = Pieces::new(text)?;
    let (mut found, mut has_plain) = (None, false);
    while let Some(piece) = pieces.next()? {
        let Piece::Open(tag) = piece else {
            continue;
        };
        if tag.has_attributes() {
            return Err(Rejection::MalformedBody);
        }
        if !tag.name().eq_ignore_ascii_case(NAME) {
            has_plain |= is_of_plain(tag.name());
            continue;
        }
        let is_in_place = pieces.depth() == CHILD && tag.name() == NAME;
        if !is_in_place || found.replace(only_text(&mut pieces)?).is_some() {
            return Err(Rejection::MalformedBody);
        }
    }
    let found = found.ok_or(Rejection::MalformedBody)?;
    Ok((found, has_plain))
}

/// The text of the element just opened, written in one piece.
fn only_text<'a>(pieces: &mut Pieces<'a>) -> Result<Cow<'a, str>, Rejection> {
    match (pieces.next()?, pieces.next()?) {
        (Some(Piece::Text(text)), Some(Piece::Close)) => Ok(text),
        _ => Err(Rejection::MalformedBody),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::vectors::load;
    use super::Rejection::MalformedBody;
    use super::*;

    fn xml(inside: &str) -> String {
        format!("<xml>{inside}</xml>")
    }

    fn found(body: &str) -> Result<String, Rejection> {
        encrypted_field(body.as_bytes()).map(|found| found.text.into_owned())
    }

    #[test]
    fn published_bodies_are_read() {
        for vector in load("post_encrypted") {
            let body = vector["body"].as_str().unwrap();
            let found = encrypted_field(body.as_bytes()).unwrap();
            assert_eq!(
                found.text,
                vector["encrypt"].as_str().unwrap(),
                "{}",
                vector["id"]
            );
            let is_compat = body.contains("MsgType");
            assert_eq!(found.has_plain, is_compat, "{}", vector["id"]);
            let expected = if vector["body_format"] == "json" {
                Format::Json
            } else {
                Format::Xml
            };
            assert_eq!(found.format, expected);
            assert!(matches!(found.text, Cow::Borrowed(_)), "nothing is copied");
        }
    }

    #[test]
    fn an_encrypt_is_found_wherever_platforms_put_it() {
        let read = [
            "<xml><Encrypt>abc+/=</Encrypt></xml>",
            "<xml><Encrypt><![CDATA[abc+/=]]></Encrypt></xml>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xml>\n <Encrypt><![CDATA[abc+/=]]></Encrypt>\n</xml>\n",
            "<xml><ToUserName/><AgentID></AgentID><Encrypt >abc+/=</Encrypt ></xml >",
            "<xml><Content>1 &lt; 2 &amp;&#38;&#x26;</Content><Encrypt>abc+/=</Encrypt></xml>",
            "<xml><Content><![CDATA[<Encrypt>x</Encrypt>]]></Content><Encrypt>abc+/=</Encrypt></xml>",
            "<xml><Content><![CDATA[]]]]><![CDATA[>]]>\u{8}</Content><Encrypt>abc+/=</Encrypt></xml>",
            r#"{"Encrypt":"abc+/="}"#,
            r#"{"encrypt":"abc+\/="}"#,
            r#" {"\u0045ncrypt" : "abc\u002b/=", "AgentID":218}"#,
            r#"{"a":{"Encrypt":"x"},"b":["encrypt",1e999,null],"Encrypt":"abc+/=","a":1}"#,
        ];
        for body in read {
            assert_eq!(found(body).as_deref(), Ok("abc+/="), "{body}");
        }
    }

    #[test]
    fn an_encrypt_that_others_may_read_differently_is_refused() {
        let inside = [
            "",
            "<ToUserName>x</ToUserName>",
            "<encrypt>abc</encrypt>",
            "<ENCRYPT>abc</ENCRYPT>",
            "<Encrypt/>",
            "<Encrypt></Encrypt>",
            "<Encrypt>abc</Encrypt><Encrypt>abc</Encrypt>",
            "<Encrypt>abc</Encrypt><Encrypt/>",
            "<Encrypt>abc</Encrypt><a/><Encrypt>def</Encrypt>",
            "<a><Encrypt>abc</Encrypt></a>",
            "<a><Encrypt>def</Encrypt></a><Encrypt>abc</Encrypt>",
            "<Encrypt>abc</Encrypt><a><b><Encrypt>def</Encrypt></b></a>",
            "<encrypt>def</encrypt><Encrypt>abc</Encrypt>",
            "<Encrypt>abc</Encrypt><ENCRYPT/>",
            "<Encrypt><Encrypt>abc</Encrypt></Encrypt>",
            "<Encrypt><b>abc</b></Encrypt>",
            "<Encrypt>abc<b/></Encrypt>",
            "<Encrypt>a<!-- -->bc</Encrypt>",
            "<Encrypt><!-- --><![CDATA[abc]]></Encrypt>",
            "<Encrypt>a<![CDATA[bc]]></Encrypt>",
            "<Encrypt>\n<![CDATA[abc]]>\n</Encrypt>",
            "<Encrypt><![CDATA[a]]><![CDATA[bc]]></Encrypt>",
            "<Encrypt>a&#98;c</Encrypt>",
            "<Encrypt>&abc;</Encrypt>",
            "<Encrypt><?php abc?></Encrypt>",
            "<Encrypt x=\"1\">abc</Encrypt>",
            "<Encrypt xmlns=\"urn:x\">abc</Encrypt>",
            "<x:Encrypt>abc</x:Encrypt>",
            "<!-- --><Encrypt>abc</Encrypt>",
            "<!--<Encrypt>def</Encrypt>--><Encrypt>abc</Encrypt>",
            "<?x y?><Encrypt>abc</Encrypt>",
            "<?xml version=\"1.0\"?><Encrypt>abc</Encrypt>",
            "<a b='c'/><Encrypt>abc</Encrypt>",
            "<Encrypt>abc</Encrypt",
            "<Encrypt>abc</encrypt>",
            "<Encrypt>abc</Encrypt></xml><xml>",
            "<Encrypt>abc",
            "<Encrypt><![CDATA[abc</Encrypt>",
            "<Encrypt><![CDATA[abc]]</Encrypt>",
            "<Encrypt><![cdata[abc]]></Encrypt>",
            "<Encrypt>abc]]></Encrypt>",
            "<Encrypt>a & b</Encrypt>",
            "<Encrypt>a&b</Encrypt>",
            "<Encrypt>a\0bc</Encrypt>",
            "<a>&nbsp;</a><Encrypt>abc</Encrypt>",
            "<a>&#0;</a><Encrypt>abc</Encrypt>",
            "<a>&#xD800;</a><Encrypt>abc</Encrypt>",
            "<a>&#99999999999999999999;</a><Encrypt>abc</Encrypt>",
            "<1>x</1><Encrypt>abc</Encrypt>",
            "<a@b>x</a@b><Encrypt>abc</Encrypt>",
            "<>x</><Encrypt>abc</Encrypt>",
            "< Encrypt>abc</Encrypt>",
        ];
        for inside in inside {
            assert_eq!(found(&xml(inside)), Err(MalformedBody), "{inside}");
        }
    }

    #[test]
    fn a_message_in_plain_text_is_seen_beside_it() {
        for (body, expected) in [
            ("<xml><Encrypt>abc</Encrypt><MsgType/></xml>", true),
            (
                "<xml><a><fromusername/></a><Encrypt>abc</Encrypt></xml>",
                true,
            ),
            (
                "<xml><ToUserName>MsgType</ToUserName><Encrypt>abc</Encrypt></xml>",
                false,
            ),
            (r#"{"Encrypt":"abc","msgtype":"text"}"#, true),
            (r#"{"\u0046romUserName":1,"encrypt":"abc"}"#, true),
            (r#"{"ToUserName":"MsgType","encrypt":"abc"}"#, false),
        ] {
            let found = encrypted_field(body.as_bytes()).unwrap();
            assert_eq!(found.has_plain, expected, "{body}");
        }
    }

    #[test]
    fn what_is_around_the_root_is_refused() {
        let good = "<xml><Encrypt>abc</Encrypt></xml>";
        assert!(found(good).is_ok());
        let wrapped = [
            format!("{good}x"),
            format!("{good}{good}"),
            format!("{good}<a/>"),
            format!("{good}</xml>"),
            format!("{good}<!-- -->"),
            format!("{good}<?x?>"),
            format!("{good}<![CDATA[ ]]>"),
            format!("{good}&amp;"),
            format!("{good}{{}}"),
            format!("x{good}"),
            format!("</xml>{good}"),
            format!("<!-- -->{good}"),
            format!("<?x y?>{good}"),
            format!("\u{feff}{good}"),
            format!("\n<?xml version=\"1.0\"?>{good}"),
            format!("<?xml version=\"1.0\"?><?xml version=\"1.0\"?>{good}"),
            format!("<?xml version=\"1.1\"?>{good}"),
            format!("<?xml version=\"1.0\" encoding=\"GBK\"?>{good}"),
            format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{good}"),
            format!("<!DOCTYPE xml>{good}"),
            format!("<!doctype xml>{good}"),
            format!("<!DOCTYPE xml SYSTEM \"http://example.com/x.dtd\">{good}"),
            format!("<!DOCTYPE xml [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>{good}"),
            format!(
                "<?xml version=\"1.0\"?>\n<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{good}"
            ),
            "<Encrypt>abc</Encrypt>".to_owned(),
            "<Encrypt><Encrypt>abc</Encrypt></Encrypt>".to_owned(),
            "<encrypt><Encrypt>abc</Encrypt></encrypt>".to_owned(),
            "<xml>".to_owned(),
            "<".to_owned(),
            "<?xml version=\"1.0\"?>".to_owned(),
        ];
        for body in wrapped {
            assert_eq!(found(&body), Err(MalformedBody), "{body}");
        }
        for end in 0..good.len() {
            assert_eq!(found(&good[..end]), Err(MalformedBody), "{end}");
        }
    }

    #[test]
    fn json_that_others_may_read_differently_is_refused() {
        let refused = [
            "{}",
            "{\"Encrypt\"}",
            "{\"Encrypt\":}",
            "{\"Encrypt\":null}",
            "{\"Encrypt\":1}",
            "{\"Encrypt\":[\"abc\"]}",
            "{\"Encrypt\":{\"Encrypt\":\"abc\"}}",
            "{\"Encrypt\":\"abc\",\"Encrypt\":\"abc\"}",
            "{\"Encrypt\":\"abc\",\"encrypt\":\"def\"}",
            "{\"encrypt\":\"abc\",\"\\u0065ncrypt\":\"def\"}",
            "{\"Encrypt\":\"abc\",\"encrypt\":null}",
            "{\"ENCRYPT\":\"def\",\"Encrypt\":\"abc\"}",
            "{\"Encrypt\":\"abc\",\"encrypT\":1}",
            "{\"eNCRYPT\":\"abc\"}",
            "{\"Encrypt\":\"abc\",\"Encrypt\\u0000\":\"def\"}",
            "{\"a\":{\"Encrypt\":\"abc\"}}",
            "{\"Encrypt\":\"abc\"}}",
            "{\"Encrypt\":\"abc\"}{}",
            "{\"Encrypt\":\"abc\"}x",
            "{\"Encrypt\":\"abc\",}",
            "{\"Encrypt\":\"abc\"",
            "{'Encrypt':'abc'}",
            "{Encrypt:\"abc\"}",
            "{/**/\"Encrypt\":\"abc\"}",
            "{\"Encrypt\":\"a\nbc\"}",
            "{\"Encrypt\":\"\\ud800\"}",
            "{\"Encrypt\":\"abc\",\"a\":nan}",
            "[{\"Encrypt\":\"abc\"}]",
            "\u{feff}{\"Encrypt\":\"abc\"}",
            "{\"Encrypt\":\"a\0\"}",
        ];
        for body in refused {
            assert_eq!(found(body), Err(MalformedBody), "{body}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_refused() {
        let good = "<xml><Encrypt>abc</Encrypt></xml>";
        let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let bodies: [&[u8]; 5] = [
            &utf_16,
            b"<xml><a>\xff</a><Encrypt>abc</Encrypt></xml>",
            b"<xml><a>\xc0\xbc</a><Encrypt>abc</Encrypt></xml>",
            b"<xml><a>\xed\xa0\x80</a><Encrypt>abc</Encrypt></xml>",
            b"{\"a\":\"\xb5\",\"Encrypt\":\"abc\"}",
        ];
        for body in bodies {
            assert_eq!(encrypted_field(body), Err(MalformedBody));
        }
    }

    #[test]
    fn what_is_large_is_refused_or_read_without_growing() {
        let nested = |depth: usize| {
            let (open, close) = ("<a>".repeat(depth - 1), "</a>".repeat(depth - 1));
            xml(&format!("{open}{close}<Encrypt>abc</Encrypt>"))
        };
        assert!(found(&nested(32)).is_ok());
        for depth in [33, 10_000] {
            assert_eq!(found(&nested(depth)), Err(MalformedBody));
        }
        let many = |count: usize| xml(&format!("{}<Encrypt>abc</Encrypt>", "<a/>".repeat(count)));
        assert!(found(&many(16_382)).is_ok());
        assert_eq!(found(&many(16_383)), Err(MalformedBody));
        let long = "x".repeat(1 << 20);
        let attribute = format!("<a b=\"{long}\"/><Encrypt>abc</Encrypt>");
        assert_eq!(found(&xml(&attribute)), Err(MalformedBody));
        let attributes: String = (0..50_000).map(|n| format!(" a{n}=''")).collect();
        assert_eq!(
            found(&xml(&format!("<a{attributes}/>"))),
            Err(MalformedBody)
        );
        let brackets = format!(
            "{{\"a\":{}{},\"Encrypt\":\"abc\"}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        assert_eq!(found(&brackets).as_deref(), Ok("abc"));
        assert_eq!(found(&xml(&format!("<Encrypt>{long}</Encrypt>"))), Ok(long));
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,100}") {
            let _ = encrypted_field(&body);
            for around in ["<xml>", "<xml><Encrypt>", "{\"Encrypt\":"] {
                let _ = found(&format!("{around}{text}"));
            }
        }

        #[test]
        fn scraps_of_markup_do_not_panic_and_are_never_read_as_two(scraps in proptest::collection::vec(
            proptest::sample::select(vec![
                "<xml>", "</xml>", "<Encrypt>", "</Encrypt>", "<![CDATA[", "]]>", "<!--", "-->", "<a>", "</a>", "<a/>",
                "<Encrypt/>", "abc", "&lt;", "&#60;", "&x;", " ", "<?x?>", "<!DOCTYPE x>", "\"", "=", "<", ">", "&",
            ]), 0..20)) {
            let body = format!("<xml>{}<Encrypt>abc</Encrypt></xml>", scraps.concat());
            if let Ok(field) = found(&body) {
                prop_assert_eq!(field, "abc");
            }
        }
    }
}
