//! YAML text → figment's tree, by `yaml_serde`.
//!
//! The tree is built here and not by figment's own `Deserialize`, for two reasons: a key given twice is refused
//! (`yaml_serde` lets the last one win), and no message quotes a value (serde's type errors do).

use std::fmt;

use figment::providers::Format;
use figment::value::{Dict, Empty, Tag, Value};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess,
    Visitor,
};

/// YAML as a figment format.
pub(super) struct Yaml;

impl Format for Yaml {
    type Error = yaml_serde::Error;
    const NAME: &'static str = "YAML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        yaml_serde::from_str(text)
    }
}

/// The top level of `text`. An empty text is an empty map.
///
/// # Errors
/// Not YAML, a key given twice, or something else than a map at the top; with line and column.
pub(super) fn parse(text: &str) -> Result<Dict, yaml_serde::Error> {
    match Yaml::from_str::<Node>(text).map_err(without_value)?.0 {
        Value::Dict(_, dict) => Ok(dict),
        Value::Empty(..) => Ok(Dict::new()),
        _ => Err(de::Error::custom(
            "the file holds no keys; write them as `key: value`",
        )),
    }
}

/// How the messages begin in front of which the parser puts the keys above.
const REASONS: [&str; 3] = ["invalid type: ", "a key is given twice", "the key `"];

/// What the parser says of a tab in front of a key, a usual slip of editors.
const NO_TOKEN: &str = "found character that cannot start any token";

/// The parser quotes a text that does not fit its tag (`!!int abc`), and names the keys above a fault, among which may
/// be a secret as in [`printable`]: such a message keeps its place only.
fn without_value(error: yaml_serde::Error) -> yaml_serde::Error {
    let shown = error.to_string();
    if shown.contains(NO_TOKEN) {
        return de::Error::custom(format_args!("{shown} (a tab? indent with blanks)"));
    }
    if !shown.contains("invalid value: ") {
        // A key may have these words as well; the parser's own come last.
        let begin = REASONS
            .iter()
            .filter_map(|reason| shown.rfind(reason))
            .max();
        return match begin.and_then(|begin| shown.get(begin..)) {
            Some(reason) => de::Error::custom(reason),
            None => error,
        };
    }
    match error.location() {
        Some(place) => de::Error::custom(format_args!(
            "a value does not fit its tag at line {} column {}",
            place.line(),
            place.column()
        )),
        None => de::Error::custom("a value does not fit its tag"),
    }
}

/// Any YAML value.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor).map(Self)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a tag")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Empty(Tag::Default, Empty::Unit))
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items: Vec<Value> = Vec::new();
        while let Some(Node(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(Tag::Default, items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut dict = Dict::new();
        while let Some(key) = map.next_key_seed(NewKey(&dict))? {
            let Node(value) = map.next_value()?;
            dict.insert(key, value);
        }
        Ok(Value::Dict(Tag::Default, dict))
    }
}

/// Only what looks like a key of ours is named: `{{ token }}` left in a template makes a key of a secret.
fn printable(key: &str) -> String {
    let is_ours = super::defaults::is_known_word(key);
    if is_ours {
        format!("the key `{key}`")
    } else {
        "a key".to_owned()
    }
}

/// A map's key: any scalar, as text. It is compared with the keys before it here, where the parser still knows its
/// line.
struct NewKey<'d>(&'d Dict);

impl NewKey<'_> {
    fn take<E: de::Error>(&self, key: String) -> Result<String, E> {
        if self.0.contains_key(&key) {
            return Err(E::custom(format_args!(
                "{} is given twice",
                printable(&key)
            )));
        }
        Ok(key)
    }
}

impl<'de> DeserializeSeed<'de> for NewKey<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for NewKey<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is text")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
        self.take(value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        self.take(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        self.take(value.to_string())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<String, E> {
        self.take(value.to_string())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<String, E> {
        self.take(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        self.take(value.to_string())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
        self.take(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_file_that_is_no_map_of_keys_is_refused_with_its_place_and_without_its_values() {
        for (text, message) in [
            (
                "upstream:\n  url: a\n  url: b\n",
                "the key `url` is given twice at line 3 column 3",
            ),
            (
                "log: {format: text}\nlog: {}\n",
                "the key `log` is given twice at line 2 column 1",
            ),
            (
                "a: {s3cret: 1, s3cret: 2}\n",
                "a key is given twice at line 1 column 16",
            ),
            (
                "a: [1, 2\nb: 3\n",
                "did not find expected ',' or ']' at line 2 column 2",
            ),
            ("tokens: !secret s3cret\n", "invalid type: enum"),
            (
                "a:\n- !!int s3cret\n",
                "a value does not fit its tag at line 2 column 3",
            ),
            ("{{ s3cret }}: 1\n", "expected a key that is text"),
            ("tokens: [{s3cret: !x 1}]\n", "invalid type: enum"),
            (
                "'the key `s3cret': {a: 1, a: 2}\n",
                "a key is given twice at line 1 column 27",
            ),
            (
                "s3cret:\n  log: 1\n  log: 2\n",
                "the key `log` is given twice at line 3 column 3",
            ),
            ("s3cret", "the file holds no keys"),
            ("- s3cret", "the file holds no keys"),
            ("a: 1\n---\nb: 1\n", "more than one document"),
            ("a: *s3cret\n", "unknown anchor"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}: {error}");
            assert!(!error.contains("s3cret"), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_map_and_a_bom_is_no_part_of_a_key() {
        for text in ["", "# nothing\n", "---\n", "\u{feff}"] {
            assert!(parse(text).unwrap().is_empty(), "{text:?}");
        }
        assert!(parse("\u{feff}log: 1").unwrap().contains_key("log"));
    }
}
