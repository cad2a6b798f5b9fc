//! The one `Encrypt` of a JSON body.
//!
//! Both spellings are one name: a body with both, or with one of them twice, is refused, because
//! readers disagree which they take. So is one with another letter case beside them, which Go and .NET
//! take for the same name, and a name with NUL, where readers written in C end. What else is in the
//! object is only skipped.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Deserialize, Error as _, IgnoredAny, MapAccess, Visitor};

use super::super::rejection::Rejection;
use super::encrypted::is_of_plain;

/// As mini programs and most of WeCom write it, and as WeCom's bots do.
const NAMES: [&str; 2] = ["Encrypt", "encrypt"];

/// Its text, and whether a message in plain text stands beside it.
pub(super) fn encrypted_field(body: &str) -> Result<(Cow<'_, str>, bool), Rejection> {
    let mut reader = serde_json::Deserializer::from_str(body);
    let field = reader.deserialize_map(Body).and_then(|field| {
        reader.end()?;
        Ok(field)
    });
    field.map_err(|_| Rejection::MalformedBody)
}

/// A top-level object.
struct Body;

impl<'de> Visitor<'de> for Body {
    type Value = (Cow<'de, str>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one Encrypt")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut has_plain) = (None, false);
        while let Some(Text(name)) = members.next_key()? {
            if NAMES.contains(&name.as_ref()) {
                let Text(value) = members.next_value()?;
                if found.replace(value).is_some() {
                    return Err(A::Error::duplicate_field("Encrypt"));
                }
            } else if name.eq_ignore_ascii_case("encrypt") || name.contains('\0') {
                return Err(A::Error::custom("a name that is read in several ways"));
            } else {
                has_plain |= is_of_plain(&name);
                members.next_value::<IgnoredAny>()?;
            }
        }
        let found = found.ok_or_else(|| A::Error::missing_field("Encrypt"))?;
        Ok((found, has_plain))
    }
}

/// A string, borrowed unless it has escapes: PHP writes "\/" in base64.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(Characters).map(Text)
    }
}

struct Characters;

impl<'de> Visitor<'de> for Characters {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
