//! `traceparent`: read as a naive reader reads it, and written so that it is read back as the same.

use wxgate::observe::trace::context::TraceParent;

/// `data` is the field's value.
pub fn run(data: &[u8]) {
    let parsed = TraceParent::parse(data);
    let found = parsed.map(|parent| {
        let ids = (parent.trace_id, parent.span_id);
        (ids, parent.is_sampled, parent.is_random)
    });
    assert_eq!(found, read(data), "{parsed:?}");
    if let Some(parent) = parsed {
        let value = parent.to_value();
        assert_eq!(value.len(), 55);
        assert_eq!(value.as_bytes()[2..52], data[2..52]);
        assert_eq!(TraceParent::parse(value.as_bytes()), parsed);
    }
}

type Found = ((u128, u64), bool, bool);

/// The grammar of the specification, position by position.
fn read(data: &[u8]) -> Option<Found> {
    let text: Vec<char> = data.iter().map(|byte| char::from(*byte)).collect();
    for (position, c) in text.iter().take(55).enumerate() {
        let is_right = match position {
            2 | 35 | 52 => *c == '-',
            _ => "0123456789abcdef".contains(*c),
        };
        if !is_right {
            return None;
        }
    }
    let digits = |from: usize, to: usize| text.get(from..to).map(String::from_iter);
    let version = digits(0, 2)?;
    let is_end = match (version.as_str(), text.get(55)) {
        ("ff", _) => false,
        ("00", more) => more.is_none(),
        (_, more) => more.is_none_or(|c| *c == '-'),
    };
    let trace_id = u128::from_str_radix(&digits(3, 35)?, 16).unwrap();
    let span_id = u64::from_str_radix(&digits(36, 52)?, 16).unwrap();
    let flags = u8::from_str_radix(&digits(53, 55)?, 16).unwrap();
    let holds = is_end && trace_id != 0 && span_id != 0;
    holds.then_some(((trace_id, span_id), flags % 2 == 1, flags / 2 % 2 == 1))
}
