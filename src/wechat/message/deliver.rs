//! An XML message → the same message as JSON, for a backend that would rather not read XML.
//!
//! | XML | JSON |
//! |---|---|
//! | the root `xml` | the object that the document is |
//! | an element with text, in CDATA or not, or empty | a string, never a number; `""` if empty |
//! | an element with elements in it | an object; names in the order of their first occurrence |
//! | an element that occurs more than once in its parent | an array at its first place |
//! | a member of a platform's list, such as `item` | an array, also when there is one |
//! | an attribute | a member `@name`; its element is an object, with its text as `#text` unless empty |
//!
//! White space between elements is left out. Nothing else is lost but the order between elements of
//! different names. Text beside elements has no place in it and is refused; no platform sends it.
//!
//! Facts: `docs/protocol.md`, section "Messages".

use quick_xml::XmlVersion;
use serde::ser::{Serialize, Serializer};

use super::super::rejection::Rejection;
use super::element::Element;
use super::format::Format;
use super::xml::{Piece, Pieces, Tag, is_blank, is_name};

/// What platforms call the root.
const ROOT: &str = "xml";

/// Longest attributes of one element in bytes.
const LONGEST_ATTRIBUTES: usize = 4096;

/// Writes an opened XML message as JSON, by the rules above.
///
/// # Errors
/// [`Rejection::MalformedBody`] if it is no XML of the kind that platforms send.
pub fn to_json(xml: &[u8]) -> Result<Vec<u8>, Rejection> {
    if Format::of(xml) != Some(Format::Xml) {
        return Err(Rejection::MalformedBody);
    }
    let text = std::str::from_utf8(xml).map_err(|_| Rejection::MalformedBody)?;
    let message = Message(read(text)?);
    serde_json::to_vec(&message).map_err(|_| Rejection::MalformedBody)
}

/// A document, which is an object even if it is empty.
struct Message(Element);

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_object(serializer)
    }
}

fn read(text: &str) -> Result<Element, Rejection> {
    let mut pieces = Pieces::new(text)?;
    // Names and elements that are open, the innermost last.
    let mut open: Vec<(String, Element)> = Vec::new();
    let mut root = None;
    while let Some(piece) = pieces.next()? {
        match piece {
            Piece::Open(tag) => open.push((tag.name().to_owned(), begun(&tag)?)),
            Piece::Text(text) => {
                if let Some((_, innermost)) = open.last_mut() {
                    innermost.text.push_str(&text);
                }
            }
            Piece::Close => {
                let (name, element) = open.pop().ok_or(Rejection::MalformedBody)?;
                let element = ended(element)?;
                match open.last_mut() {
                    Some((_, parent)) => parent.push(name, element),
                    None => root = Some((name, element)),
                }
            }
        }
    }
    let (name, mut root) = root.ok_or(Rejection::MalformedBody)?;
    // Text of the document's own would have no name.
    if name != ROOT || !is_blank(&root.text) {
        return Err(Rejection::MalformedBody);
    }
    root.text.clear();
    Ok(root)
}

fn begun(tag: &Tag<'_>) -> Result<Element, Rejection> {
    let mut element = Element::default();
    if !tag.has_attributes() {
        return Ok(element);
    }
    if tag.start().attributes_raw().len() > LONGEST_ATTRIBUTES {
        return Err(Rejection::MalformedBody);
    }
    for attribute in tag.start().attributes() {
        let attribute = attribute.map_err(|_| Rejection::MalformedBody)?;
        let name = attribute.key.into_inner();
        if !is_name(name) || attribute.value.contains('<') {
            return Err(Rejection::MalformedBody);
        }
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|_| Rejection::MalformedBody)?;
        element
            .attributes
            .push((name.to_owned(), value.into_owned()));
    }
    Ok(element)
}

/// Text beside elements is white space, which means nothing.
fn ended(mut element: Element) -> Result<Element, Rejection> {
    if element.has_children() {
        if !is_blank(&element.text) {
            return Err(Rejection::MalformedBody);
        }
        element.text.clear();
    }
    Ok(element)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::super::vectors::load;
    use super::*;

    fn json(xml: &str) -> Result<String, Rejection> {
        to_json(xml.as_bytes()).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn messages_become_the_documented_json() {
        let table = [
            ("<xml></xml>", r#"{}"#),
            ("<xml/>", r#"{}"#),
            ("<?xml version='1.0'?>\n<xml>\n</xml>\n", r#"{}"#),
            (
                "<xml>\n<ToUserName><![CDATA[gh_1]]></ToUserName>\n<CreateTime>007</CreateTime><a/><b></b></xml>",
                r#"{"ToUserName":"gh_1","CreateTime":"007","a":"","b":""}"#,
            ),
            (
                "<xml><z>1</z><a>2</a><z>3</z></xml>",
                r#"{"z":["1","3"],"a":"2"}"#,
            ),
            (
                "<xml><SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum><![CDATA[5a]]></PicMd5Sum></item></PicList></SendPicsInfo></xml>",
                r#"{"SendPicsInfo":{"Count":"1","PicList":{"item":[{"PicMd5Sum":"5a"}]}}}"#,
            ),
            (
                "<xml><ExtAttr><Item><Name><![CDATA[爱好]]></Name><Type>0</Type><Text><Value><![CDATA[旅游]]></Value></Text></Item><Item><Type>1</Type></Item></ExtAttr></xml>",
                r#"{"ExtAttr":{"Item":[{"Name":"爱好","Type":"0","Text":{"Value":"旅游"}},{"Type":"1"}]}}"#,
            ),
            ("<xml>\n<a>\n <b>1</b>\n</a>\n</xml>", r#"{"a":{"b":"1"}}"#),
            (
                "<xml><E><List><T>1</T></List><List><T>2</T></List></E><PicList></PicList></xml>",
                r#"{"E":{"List":[{"T":"1"},{"T":"2"}]},"PicList":""}"#,
            ),
            (
                "<xml><a>1 &lt; 2 &amp;&#x4f60;<![CDATA[<b>&amp;]]></a><c> \r\n </c></xml>",
                r#"{"a":"1 < 2 &你<b>&amp;","c":" \n "}"#,
            ),
            (
                "<xml v=\"1\"><a k=\"x &gt; y\" l='\"'>t</a><b k=''/><c k=\"1\"><d/></c></xml>",
                r##"{"@v":"1","a":{"@k":"x > y","@l":"\"","#text":"t"},"b":{"@k":""},"c":{"@k":"1","d":""}}"##,
            ),
        ];
        for (xml, expected) in table {
            assert_eq!(json(xml).as_deref(), Ok(expected), "{xml}");
        }
    }

    #[test]
    fn published_messages_become_flat_objects() {
        let mut seen = 0;
        for vector in load("post_encrypted") {
            let Some(xml) = vector["expect"]["plaintext"].as_str() else {
                continue;
            };
            if xml.starts_with('{') {
                continue;
            }
            let read: Value = serde_json::from_str(&json(xml).unwrap()).unwrap();
            assert!(
                read.as_object().unwrap().values().all(Value::is_string),
                "{read}"
            );
            seen += 1;
        }
        assert!(seen >= 3);
    }

    #[test]
    fn what_has_no_place_in_json_or_is_dangerous_is_refused() {
        let refused = [
            "",
            "{}",
            "success",
            "<xml>",
            "<message/>",
            "<xml>text</xml>",
            "<xml><a>text<b/></a></xml>",
            "<xml><a><b/>text</a></xml>",
            "<xml><a><b/><![CDATA[text]]></a></xml>",
            "<xml><a k='1' k='2'/></xml>",
            "<xml><a k=1/></xml>",
            "<xml><a k/></xml>",
            "<xml><a k='&x;'/></xml>",
            "<xml><a k='<'/></xml>",
            "<xml><a x:k='1'/></xml>",
            "<xml><x:a/></xml>",
            "<xml><!-- --></xml>",
            "<xml><?x?></xml>",
            "<!DOCTYPE xml><xml/>",
            "<xml>&x;</xml>",
            "<xml/><xml/>",
        ];
        for xml in refused {
            assert_eq!(json(xml), Err(Rejection::MalformedBody), "{xml}");
        }
        assert!(to_json(b"<xml>\xff</xml>").is_err());
        let long = format!("<xml><a k='{}'/></xml>", "x".repeat(4096));
        assert!(json(&long).is_err());
    }

    #[test]
    fn many_names_take_no_longer_than_many_repetitions() {
        let names: String = (0..16_000).map(|n| format!("<a{n}/>")).collect();
        assert!(json(&format!("<xml>{names}</xml>")).is_ok());
    }

    /// An XML tree without what its JSON may lose: blanks between elements, order between names.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Tree {
        attributes: BTreeMap<String, String>,
        text: String,
        children: BTreeMap<String, Vec<Self>>,
    }

    impl Tree {
        fn from_json(value: &Value) -> Self {
            let mut tree = Self::default();
            match value {
                Value::String(text) => tree.text.clone_from(text),
                Value::Object(members) => {
                    for (name, value) in members {
                        tree.take(name, value);
                    }
                }
                other => panic!("{other}"),
            }
            tree
        }

        fn take(&mut self, name: &str, value: &Value) {
            match (name.strip_prefix('@'), value) {
                (Some(name), value) => {
                    let value = value.as_str().unwrap().to_owned();
                    self.attributes.insert(name.to_owned(), value);
                }
                (None, value) if name == "#text" => self.text = value.as_str().unwrap().to_owned(),
                (None, Value::Array(same)) => {
                    let same = same.iter().map(Self::from_json).collect();
                    self.children.insert(name.to_owned(), same);
                }
                (None, value) => {
                    self.children
                        .insert(name.to_owned(), vec![Self::from_json(value)]);
                }
            }
        }

        fn write(&self, name: &str, into: &mut String, in_cdata: bool) {
            into.push_str(&format!("<{name}"));
            for (name, value) in &self.attributes {
                into.push_str(&format!(" {name}=\"{}\"", escaped(value)));
            }
            into.push('>');
            if in_cdata {
                let text = self.text.replace("]]>", "]]]]><![CDATA[>");
                into.push_str(&format!("<![CDATA[{text}]]>"));
            } else {
                into.push_str(&escaped(&self.text));
            }
            for (name, same) in &self.children {
                for child in same {
                    child.write(name, into, !in_cdata);
                }
            }
            into.push_str(&format!("</{name}>"));
        }
    }

    fn escaped(text: &str) -> String {
        quick_xml::escape::escape(text)
            .replace('\r', "&#13;")
            .replace('\n', "&#10;")
            .replace('\t', "&#9;")
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let name = "[a-c]|item|Item|List|Ünï|_x-1\\.2";
        let attributes = proptest::collection::btree_map("[a-c]", "\\PC{0,5}", 0..2);
        let leaf =
            (attributes.clone(), "(\\PC|[\n\t<>&\\]]){0,8}").prop_map(|(attributes, text)| Tree {
                attributes,
                text,
                ..Tree::default()
            });
        leaf.prop_recursive(5, 40, 5, move |inner| {
            let same = proptest::collection::vec(inner, 1..4);
            let children = proptest::collection::btree_map(name, same, 1..4);
            (attributes.clone(), children).prop_map(|(attributes, children)| Tree {
                attributes,
                text: String::new(),
                children,
            })
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost(mut root in tree(), in_cdata in any::<bool>()) {
            root.text.clear();
            let mut xml = String::new();
            root.write("xml", &mut xml, in_cdata);
            let read: Value = serde_json::from_slice(&to_json(xml.as_bytes()).unwrap()).unwrap();
            prop_assert_eq!(Tree::from_json(&read), root, "{}", xml);
        }

        #[test]
        fn no_message_panics(content in proptest::collection::vec(any::<u8>(), 0..300), text in "\\PC{0,100}") {
            let _ = to_json(&content);
            let _ = json(&format!("<xml>{text}</xml>"));
            let _ = json(&format!("<xml><a {text}/></xml>"));
        }
    }
}
