//! `traceparent`, W3C Trace Context level 2: which trace a request belongs to, and which span it came from.
//!
//! ```text
//! 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
//! version · trace id (16 bytes) · parent id (8 bytes) · flags, in lower-case hex
//! ```
//!
//! Later versions may have more behind the flags. Ids of zeros and version ff are invalid.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The field.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What else tracers say of the trace. Means nothing without the other.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The parent records this trace.
const SAMPLED: u8 = 0x01;
/// The trace id is random, by level 2. Of whatever else there may be, nothing is known.
const RANDOM: u8 = 0x02;
/// Its length in version 00.
const LENGTH: usize = 55;

/// A `traceparent` that holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceParent {
    /// Not zero.
    pub trace_id: u128,
    /// The span that the request came from; not zero.
    pub span_id: u64,
    /// Whether that span's tracer records.
    pub is_sampled: bool,
    /// Whether the trace id is said to be random.
    pub is_random: bool,
}

impl TraceParent {
    /// The one of a request: none if the field is not there, not there once, or invalid.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(TRACEPARENT).iter();
        let first = fields.next()?;
        match fields.next() {
            None => Self::parse(first.as_bytes()),
            Some(_) => None,
        }
    }

    /// Reads the field's value.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(LENGTH)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let version = number(parts.next()?, 2)?;
        let trace_id = number(parts.next()?, 32)?;
        let span_id = number(parts.next()?, 16)?;
        let flags = number(parts.next()?, 2)?;
        let is_version = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.first().is_none_or(|byte| *byte == b'-'),
        };
        let holds = is_version && parts.next().is_none() && trace_id != 0 && span_id != 0;
        holds.then_some(Self {
            trace_id,
            span_id: u64::try_from(span_id).ok()?,
            is_sampled: flags & u128::from(SAMPLED) != 0,
            is_random: flags & u128::from(RANDOM) != 0,
        })
    }

    /// W3C's flags.
    #[must_use]
    pub fn flags(&self) -> u8 {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        flag(self.is_sampled, SAMPLED) | flag(self.is_random, RANDOM)
    }

    /// The field's value, in version 00.
    #[must_use]
    pub fn to_value(&self) -> HeaderValue {
        let Self {
            trace_id, span_id, ..
        } = self;
        let text = format!("00-{trace_id:032x}-{span_id:016x}-{:02x}", self.flags());
        // Hex and dashes are always a value.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// So many digits of lower-case hex.
fn number(digits: &[u8], length: usize) -> Option<u128> {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    if digits.len() != length || !digits.iter().all(is_digit) {
        return None;
    }
    u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::TraceParent;

    /// The example of the specification.
    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_the_specification_allows_is_read() {
        let example = TraceParent {
            trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
            span_id: 0xb7ad_6b71_6920_3331,
            is_sampled: true,
            is_random: false,
        };
        assert_eq!(TraceParent::parse(EXAMPLE.as_bytes()), Some(example));
        assert_eq!(example.to_value(), EXAMPLE);
        for (start, end, value) in [
            ("00", "00", "00"),
            ("00", "02", "02"),
            ("00", "03", "03"),
            ("00", "fd", "01"),
            ("01", "01", "01"),
            ("fe", "ff", "03"),
            ("cc", "01-what-the-future-brings", "01"),
            ("01", "01-", "01"),
        ] {
            let text = format!("{start}{}{end}", &EXAMPLE[2..53]);
            let parent = TraceParent::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(parent.to_value(), format!("{}{value}", &EXAMPLE[..53]));
        }
    }

    #[test]
    fn everything_else_is_no_traceparent() {
        let zeros = |from: usize, to: usize| {
            let mut text = EXAMPLE.to_owned();
            text.replace_range(from..to, &"0".repeat(to - from));
            text
        };
        for text in [
            String::new(),
            "-".repeat(55),
            zeros(3, 35),
            zeros(36, 52),
            EXAMPLE.to_uppercase(),
            EXAMPLE.replace('-', "_"),
            EXAMPLE[..54].to_owned(),
            format!("{EXAMPLE}-"),
            format!("{EXAMPLE}-00"),
            format!("{EXAMPLE}0"),
            format!(" {EXAMPLE}"),
            format!("ff{}", &EXAMPLE[2..]),
            format!("0g{}", &EXAMPLE[2..]),
            format!("+0{}", &EXAMPLE[2..]),
            format!("01{}1", &EXAMPLE[2..]),
            format!("01{}.1", &EXAMPLE[2..]),
            format!("{}x1", &EXAMPLE[..53]),
            EXAMPLE.replace("0af7", "0ag7"),
            EXAMPLE.replace("0af7", "é7"),
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01".to_owned(),
        ] {
            assert_eq!(TraceParent::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_value_is_read_back_and_bytes_never_panic(
            trace_id in 1_u128..,
            span_id in 1_u64..,
            flags in 0_u8..4,
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
            position in 0_usize..55,
            byte in proptest::prelude::any::<u8>(),
        ) {
            let parent = TraceParent {
                trace_id,
                span_id,
                is_sampled: flags & 1 != 0,
                is_random: flags & 2 != 0,
            };
            let value = parent.to_value();
            proptest::prop_assert_eq!(TraceParent::parse(value.as_bytes()), Some(parent));
            let _ = TraceParent::parse(&bytes);
            let mut damaged = value.as_bytes().to_vec();
            damaged[position] = byte;
            if let Some(read) = TraceParent::parse(&damaged) {
                proptest::prop_assert_eq!(&read.to_value().as_bytes()[2..53].len(), &51);
            }
        }
    }
}
