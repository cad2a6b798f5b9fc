//! A reader of HTTP/1 requests that tolerates nothing: what it takes means one thing to everybody (RFC 9112).
//!
//! It shares no code with the program or with what the program is built of, so that one mistake cannot hide in both.
//! Leading empty lines, bare LF, lists of lengths and all else that RFC 9112 lets a recipient repair are faults here.

use crate::expand::text;

/// One whole request.
#[derive(Debug, Default, PartialEq)]
pub struct Request {
    pub method: String,
    pub target: String,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// Names in lower case, values without the blanks around them.
    pub fields: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

/// Why reading stopped.
#[derive(Debug, Default, PartialEq)]
pub enum End {
    /// The bytes end where a request does.
    #[default]
    Clean,
    /// They end within a request.
    Unfinished,
    /// They are no request.
    Malformed(String),
}

/// What a run of bytes holds.
#[derive(Debug, Default)]
pub struct Reading {
    pub requests: Vec<Request>,
    pub end: End,
}

/// Fields that describe the message, its way or its sender: in a trailer they come too late (RFC 9110 section 6.5.1).
const NOT_IN_TRAILERS: [&str; 19] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

impl Request {
    /// The values of all fields of this name, which is in lower case.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.fields.iter().filter(|(field, _)| field == name);
        fields.map(|(_, value)| value.as_str()).collect()
    }

    /// Method and target.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// True if nothing may follow on its connection (RFC 9112 section 9.3).
    pub fn is_last(&self) -> bool {
        let options = self.values("connection").join(",").to_ascii_lowercase();
        let names = |option| options.split(',').any(|named| named.trim() == option);
        names("close") || self.version == "HTTP/1.0" && !names("keep-alive")
    }
}

/// Reads requests until the bytes end or are none.
pub fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut rest = Rest(bytes);
    while !rest.0.is_empty() {
        match request(&mut rest) {
            Ok(request) => reading.requests.push(request),
            Err(end) => {
                reading.end = end;
                break;
            }
        }
    }
    reading
}

fn malformed<T>(what: &str, bytes: &[u8]) -> Result<T, End> {
    let shown = bytes.get(..80).unwrap_or(bytes).escape_ascii();
    Err(End::Malformed(format!("{what}: {shown}")))
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// One line without its CRLF, which alone ends a line.
    fn line(&mut self) -> Result<&'a [u8], End> {
        let Some(end) = self.0.iter().position(|byte| *byte == b'\n') else {
            return Err(End::Unfinished);
        };
        let line = match self.0[..end].strip_suffix(b"\r") {
            Some(line) if !line.contains(&b'\r') => line,
            _ => return malformed("a line that CRLF does not end", &self.0[..=end]),
        };
        self.0 = &self.0[end + 1..];
        Ok(line)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], End> {
        let length = usize::try_from(length).map_err(|_| End::Unfinished)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(End::Unfinished)?;
        self.0 = rest;
        Ok(taken)
    }
}

fn request(rest: &mut Rest<'_>) -> Result<Request, End> {
    let line = rest.line()?;
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let &[method, target, version] = parts.as_slice() else {
        return malformed("a request line without three parts", line);
    };
    if !is_token(method) || (version != b"HTTP/1.1" && version != b"HTTP/1.0") {
        return malformed("a method or a version that is none", line);
    }
    if !is_target(method, target) {
        return malformed("a target that is none", line);
    }
    let mut request = Request {
        method: text(method),
        target: text(target),
        version: text(version),
        fields: fields(rest)?,
        ..Request::default()
    };
    host(&request)?;
    body(&mut request, rest)?;
    Ok(request)
}

/// Bytes from 0x80 up pass: clients send them, backends rely on getting them as they were, and nobody takes them for a
/// delimiter. `#` does not: it ends a target for some and not for others.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    let is_visible = |byte: &u8| *byte > b' ' && *byte != 0x7f && *byte != b'#';
    let is_form = match method {
        b"CONNECT" => !target.contains(&b'/'),
        _ => target.starts_with(b"/") || authority(&text(target)).is_some(),
    };
    let is_asterisk = target == b"*" && method == b"OPTIONS";
    (is_form || is_asterisk) && target.iter().all(is_visible)
}

/// What the absolute form has between scheme and path.
fn authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_scheme.then(|| rest.split(['/', '?']).next().unwrap_or(rest))
}

/// Field lines up to the empty line, of a head or of a trailer section.
fn fields(rest: &mut Rest<'_>) -> Result<Vec<(String, String)>, End> {
    let mut fields = Vec::new();
    loop {
        let line = rest.line()?;
        if line.is_empty() {
            return Ok(fields);
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return malformed("a field line without a colon", line);
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
        // `trim_ascii` takes form feeds away as well, so the whole line is looked at.
        if !is_token(name) || line.iter().any(is_control) {
            return malformed("a field line that is none", line);
        }
        fields.push((text(name).to_ascii_lowercase(), text(value)));
    }
}

/// One host, and the same in target and field: where they differ, each reader has its own idea of which counts.
fn host(request: &Request) -> Result<(), End> {
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%[]:!$&'()*+;=".contains(&byte);
    let hosts = request.values("host");
    match (hosts.as_slice(), authority(&request.target)) {
        ([], None) if request.version == "HTTP/1.0" => Ok(()),
        ([host], Some(other)) if !host.eq_ignore_ascii_case(other) => {
            malformed("two hosts", format!("{host} {other}").as_bytes())
        }
        ([host], _) if !host.is_empty() && host.bytes().all(is_host) => Ok(()),
        _ => malformed(
            "a host that is none, or several",
            hosts.join(" ").as_bytes(),
        ),
    }
}

/// RFC 9112 section 6.3, for requests.
fn body(request: &mut Request, rest: &mut Rest<'_>) -> Result<(), End> {
    let codings = request.values("transfer-encoding");
    let lengths = request.values("content-length");
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(()),
        ([], [length]) => {
            let is_number = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let Some(length) = length.parse().ok().filter(|_| is_number) else {
                return malformed("a length that is none", length.as_bytes());
            };
            request.body = rest.take(length)?.to_vec();
            Ok(())
        }
        ([coding], [])
            if coding.eq_ignore_ascii_case("chunked") && request.version != "HTTP/1.0" =>
        {
            request.body = chunks(rest)?;
            request.trailers = fields(rest)?;
            let late = |(name, _): &&(String, String)| NOT_IN_TRAILERS.contains(&name.as_str());
            match request.trailers.iter().find(late) {
                Some((name, _)) => malformed("a trailer that must not be one", name.as_bytes()),
                None => Ok(()),
            }
        }
        _ => malformed(
            "a body whose end is ambiguous",
            format!("{codings:?} {lengths:?}").as_bytes(),
        ),
    }
}

/// Chunks up to the last, with its line. Extensions pass if no control byte is in them.
fn chunks(rest: &mut Rest<'_>) -> Result<Vec<u8>, End> {
    let mut body = Vec::new();
    loop {
        let line = rest.line()?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (size, extension) = line.split_at(digits.count());
        let is_visible = |byte: &u8| (0x20..0x7f).contains(byte);
        let is_extension = extension.is_empty()
            || (extension.len() > 1 && extension[0] == b';' && extension.iter().all(is_visible));
        let size = u64::from_str_radix(&text(size), 16);
        let (Ok(size), true) = (size, is_extension) else {
            return malformed("a chunk size that is none", line);
        };
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.take(size)?);
        if rest.take(2)? != b"\r\n" {
            return malformed("a chunk that goes on after its end", line);
        }
    }
}

fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}
