//! The id of a request, which joins the logs, the status page and the backend's log: a number as long as nobody reads
//! it.

use std::borrow::Cow;

use http::HeaderValue;

/// Cheap to make and to keep.
#[derive(Clone, Debug)]
pub enum RequestId {
    /// The client's proxy sent it; visible ASCII.
    Sent(HeaderValue),
    /// Made here; 32 hex digits.
    Made(u128),
}

impl RequestId {
    /// As it is read.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Sent(value) => value.to_str().unwrap_or_default().into(),
            Self::Made(number) => hex::encode(number.to_be_bytes()).into(),
        }
    }

    /// The same without the request's head, which a sent one is a part of: for whoever keeps it for long.
    #[must_use]
    pub fn detached(&self) -> Self {
        match self {
            Self::Sent(value) => Self::Sent(
                HeaderValue::from_bytes(value.as_bytes()).unwrap_or(HeaderValue::from_static("-")),
            ),
            Self::Made(number) => Self::Made(*number),
        }
    }

    /// As a field.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        match self {
            Self::Sent(value) => value.clone(),
            Self::Made(number) => {
                let mut digits = [0; 32];
                // The lengths agree: 16 bytes make 32 digits.
                let _ = hex::encode_to_slice(number.to_be_bytes(), &mut digits);
                HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("-"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::RequestId;

    #[test]
    fn an_id_is_the_same_in_a_field_and_in_a_log_and_without_its_head() {
        let sent = RequestId::Sent(HeaderValue::from_bytes(b"from-the-edge-1").unwrap());
        let made = RequestId::Made(0xab);
        let zeros = "0".repeat(30);
        for (id, text) in [(&sent, "from-the-edge-1"), (&made, &format!("{zeros}ab"))] {
            assert_eq!(
                (id.text().as_ref(), id.value()),
                (text, text.parse().unwrap())
            );
            assert_eq!(id.detached().text(), text);
        }
        let (RequestId::Sent(sent), RequestId::Sent(kept)) = (&sent, sent.detached()) else {
            panic!("a sent id is one that was made");
        };
        assert_ne!(sent.as_bytes().as_ptr(), kept.as_bytes().as_ptr());
    }
}
