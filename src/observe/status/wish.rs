//! The page's form, as a browser sends it: `application/x-www-form-urlencoded`.

use percent_encoding::percent_decode_str;

/// How the endpoint is to be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Via {
    /// As a console does: wherever the name leads.
    Name,
    /// At the listener of this process.
    Itself,
}

/// What the reader of the page wants asked. Nothing in it is checked.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Wish {
    pub(super) endpoint: String,
    pub(super) url: String,
    pub(super) via: Via,
}

impl Wish {
    /// `None` unless each field is there, once, and nothing else.
    pub(super) fn read(form: &[u8]) -> Option<Self> {
        let form = std::str::from_utf8(form).ok()?;
        let (mut endpoint, mut url, mut via) = (None, None, None);
        for pair in form.split('&') {
            let (name, value) = pair.split_once('=')?;
            let place = match name {
                "endpoint" => &mut endpoint,
                "url" => &mut url,
                "via" => &mut via,
                _ => return None,
            };
            if place.replace(decoded(value)?).is_some() {
                return None;
            }
        }
        let via = match via?.as_str() {
            "name" => Via::Name,
            "itself" => Via::Itself,
            _ => return None,
        };
        Some(Self {
            endpoint: endpoint?,
            url: url?.trim().to_owned(),
            via,
        })
    }
}

fn decoded(value: &str) -> Option<String> {
    let value = value.replace('+', " ");
    let value = percent_decode_str(&value).decode_utf8().ok()?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_whole_or_not_at_all() {
        let wish = Wish::read(b"endpoint=shop&url=https%3A%2F%2Fwx.test%2Fa+b%3Fc%3Dd+&via=name");
        let expected = Wish {
            endpoint: "shop".to_owned(),
            url: "https://wx.test/a b?c=d".to_owned(),
            via: Via::Name,
        };
        assert_eq!(wish, Some(expected));
        for form in [
            &b""[..],
            b"endpoint=a&url=b",
            b"endpoint=a&url=b&via=",
            b"endpoint=a&url=b&via=other",
            b"endpoint=a&url=b&via=name&via=name",
            b"endpoint=a&url=b&via=name&more=1",
            b"endpoint=a&url=%FF&via=name",
            b"endpoint=a&url=\xff&via=name",
            b"endpoint&url=b&via=name",
        ] {
            assert_eq!(Wish::read(form), None, "{}", form.escape_ascii());
        }
    }
}
