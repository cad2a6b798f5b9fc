//! One request head of HTTP/1, by RFC 9112 read strictly: whatever two readers might take for different things is none.

use http::Uri;
use wxgate::edge::http1::head::{Framing, Limits};

/// A head that means one thing only.
#[derive(Clone, Debug)]
pub struct Head {
    pub method: String,
    pub target: Vec<u8>,
    /// The digit behind `HTTP/1.`.
    pub minor: u8,
    /// Names as they were written, values without the blanks around them.
    pub fields: Vec<(String, Vec<u8>)>,
    pub framing: Framing,
}

impl Head {
    /// The values of a field.
    pub fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let same = move |(found, _): &&(String, Vec<u8>)| found.eq_ignore_ascii_case(name);
        self.fields
            .iter()
            .filter(same)
            .map(|(_, value)| value.as_slice())
    }

    /// Whether a field lists a token.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let mut tokens = self
            .values(name)
            .flat_map(|value| value.split(|byte| *byte == b','));
        tokens.any(|found| found.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Whether it asks for a WebSocket, and for nothing else.
    pub fn wants_tunnel(&self) -> bool {
        let upgrades: Vec<_> = self.values("upgrade").collect();
        self.method == "GET"
            && self.minor == 1
            && self.framing == Framing::Absent
            && upgrades.len() == 1
            && upgrades[0].eq_ignore_ascii_case(b"websocket")
            && self.lists("connection", "upgrade")
    }
}

/// Where the first head ends: behind the first empty line that is not in front of everything.
pub fn end(bytes: &[u8]) -> Option<usize> {
    let first = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    (first..bytes.len()).find_map(|at| match bytes[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Reads a head up to and with its empty line.
pub fn read(head: &[u8], limits: &Limits) -> Option<Head> {
    let text = head.strip_prefix(b"\r\n").unwrap_or(head);
    let text = text.strip_suffix(b"\r\n\r\n")?;
    let mut lines = lines(text)?.into_iter();
    let line = lines.next()?;
    let (method, target, minor) = request_line(line)?;
    let fields: Vec<_> = lines.map(field).collect::<Option<_>>()?;
    // Beside its target the line may have 64 bytes, its CR among them.
    let fits = line.len() < limits.target + 64
        && target.len() <= limits.target
        && head.len() <= limits.head
        && fields.len() <= limits.fields;
    let framing = framing(&fields, minor)?;
    fits.then_some(Head {
        method,
        target,
        minor,
        fields,
        framing,
    })
}

/// Lines between CRLFs, without any other CR or LF.
fn lines(text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    let last = lines.len() - 1;
    for line in &mut lines[..last] {
        *line = line.strip_suffix(b"\r")?;
    }
    let is_clean = lines.iter().all(|line| !line.contains(&b'\r'));
    is_clean.then_some(lines)
}

fn request_line(line: &[u8]) -> Option<(String, Vec<u8>, u8)> {
    let parts: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = parts[..] else {
        return None;
    };
    let minor = match version {
        b"HTTP/1.0" => 0,
        b"HTTP/1.1" => 1,
        _ => return None,
    };
    let method = token(method)?;
    is_target(&method, target).then(|| (method, target.to_vec(), minor))
}

fn is_target(method: &str, target: &[u8]) -> bool {
    let is_clean = target
        .iter()
        .all(|byte| !byte.is_ascii_control() && *byte != b'#');
    let lower = target.to_ascii_lowercase();
    let is_form = target.starts_with(b"/")
        || (target == b"*" && method == "OPTIONS")
        || (lower.starts_with(b"http://") && target.len() > 7)
        || (lower.starts_with(b"https://") && target.len() > 8);
    // Whatever else the HTTP library does not take has to be refused before it does so.
    let is_taken = Uri::try_from(target).is_ok();
    is_clean && is_form && is_taken && method != "CONNECT"
}

/// Reads a field line without its end.
pub fn field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let value = &line[colon + 1..];
    let is_clean = value
        .iter()
        .all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    let name = token(&line[..colon])?;
    is_clean.then(|| (name, value.trim_ascii().to_vec()))
}

fn token(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    (!text.is_empty() && text.chars().all(is_token)).then(|| text.to_owned())
}

fn framing(fields: &[(String, Vec<u8>)], minor: u8) -> Option<Framing> {
    let values = |wanted: &str| -> Vec<String> {
        let same = fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        same.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    };
    match (
        &values("content-length")[..],
        &values("transfer-encoding")[..],
    ) {
        ([], []) => Some(Framing::Absent),
        ([length], []) => {
            let number: u64 = length.parse().ok()?;
            // What the library cannot count it would answer by itself.
            if number > u64::MAX >> 1 {
                return None;
            }
            // Only one way to write each number.
            (number.to_string() == *length)
                .then(|| number.try_into().map_or(Framing::Absent, Framing::Length))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") && minor == 1 => {
            Some(Framing::Chunked)
        }
        _ => None,
    }
}
