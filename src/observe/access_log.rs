//! One line per exchange, as text or JSON, made only when wanted and written by another thread.
//!
//! Field by field into one buffer, as the facts become known: with a line for each request, whatever is made on the way
//! there counts.

use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::address::Address;
use super::sink::Sink;
use crate::config::LogFormat;

/// Room for nearly every line.
const LINE: usize = 512;

/// What is known of a request when its head has been read. Absent facts are left out of the line.
#[derive(Debug)]
pub struct Asked<'a> {
    /// When that was. Shown as RFC 3339 in UTC, with milliseconds.
    pub timestamp: SystemTime,
    /// Sent to the upstream as `X-Request-Id`.
    pub request_id: &'a str,
    /// The trace it belongs to, by `traceparent`. Shown as 32 hex digits.
    pub trace_id: Option<u128>,
    /// Who asked: the other end of the connection, or whom a load balancer or trusted proxy named.
    pub client: Address,
    /// `https` or `http`.
    pub listener: &'static str,
    /// Closed list; anything unusual is `other`.
    pub method: &'static str,
    /// The host asked for.
    pub host: Option<&'a str>,
    /// Path and redacted query.
    pub target: &'a str,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// `TLSv1_2` or `TLSv1_3`.
    pub tls: Option<&'static str>,
    /// As sent, at most 128 characters. Shown last.
    pub user_agent: Option<&'a str>,
}

/// What is known when it is over.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Where it was answered.
    pub route: &'static str,
    /// The endpoint of a verification.
    pub endpoint: Option<&'a str>,
    /// `ok`, or the reason of the refusal or of the upstream's failure.
    pub verdict: Option<&'static str>,
    /// Status code sent.
    pub status: u16,
    /// Bytes of the request body.
    pub received_bytes: u64,
    /// Bytes of the response body.
    pub sent_bytes: u64,
    /// From the request head to the last byte. Shown in milliseconds with three decimals.
    pub duration: Duration,
    /// From sending the request to the upstream's response head. Shown like the duration.
    pub upstream: Option<Duration>,
    /// What ended a tunnel. Its bytes and its time are the tunnel's.
    pub tunnel_ended_by: Option<&'static str>,
    /// Who broke off.
    pub aborted_by: Option<&'static str>,
}

/// Writes lines in the configured format.
#[derive(Clone, Debug)]
pub struct AccessLog {
    sink: Sink,
    format: LogFormat,
}

impl AccessLog {
    /// Lines go to `sink`.
    #[must_use]
    pub fn new(sink: Sink, format: LogFormat) -> Self {
        Self { sink, format }
    }

    /// The first half of a line.
    #[must_use]
    pub fn begin(&self, asked: &Asked<'_>) -> Line {
        Line::begin(self.format, asked)
    }

    /// Adds the second half, and queues the line.
    pub fn end(&self, line: Line, ended: &Ended<'_>) {
        self.sink.send(line.end(ended));
    }
}

/// A field's name with what stands around it.
#[derive(Clone, Copy)]
struct Name {
    text: &'static str,
    json: &'static str,
}

macro_rules! name {
    ($name:literal) => {
        Name {
            text: concat!(" ", $name, "="),
            json: concat!(",\"", $name, "\":"),
        }
    };
}

/// A line in the making: `key=value` pairs, in which values with blanks are quoted, or a JSON object.
#[derive(Debug)]
pub struct Line {
    format: LogFormat,
    bytes: Vec<u8>,
    user_agent: Option<Box<str>>,
}

impl Line {
    /// Says first when it was, and that this is no line of the other log.
    fn begin(format: LogFormat, asked: &Asked<'_>) -> Self {
        let mut line = Self {
            format,
            bytes: Vec::with_capacity(LINE),
            user_agent: asked.user_agent.map(Box::from),
        };
        let time = humantime::format_rfc3339_millis(asked.timestamp);
        // Writing to a Vec cannot fail.
        let _ = match format {
            LogFormat::Text => write!(line.bytes, "{time} access"),
            LogFormat::Json => write!(line.bytes, r#"{{"timestamp":"{time}","kind":"access""#),
        };
        line.text(name!("request_id"), asked.request_id);
        if let Some(id) = asked.trace_id {
            line.word(name!("trace_id"), &format!("{id:032x}"));
        }
        line.address(name!("client"), asked.client);
        line.word(name!("listener"), asked.listener);
        line.word(name!("method"), asked.method);
        line.text_if(name!("host"), asked.host);
        line.text(name!("target"), asked.target);
        line.word(name!("protocol"), asked.protocol);
        line.word_if(name!("tls"), asked.tls);
        line
    }

    /// The whole line with its line break.
    fn end(mut self, ended: &Ended<'_>) -> Vec<u8> {
        self.word(name!("route"), ended.route);
        self.text_if(name!("endpoint"), ended.endpoint);
        self.word_if(name!("verdict"), ended.verdict);
        self.number(name!("status"), ended.status.into());
        self.number(name!("received_bytes"), ended.received_bytes);
        self.number(name!("sent_bytes"), ended.sent_bytes);
        self.milliseconds(name!("duration_ms"), ended.duration);
        if let Some(time) = ended.upstream {
            self.milliseconds(name!("upstream_ms"), time);
        }
        self.word_if(name!("tunnel_ended_by"), ended.tunnel_ended_by);
        self.word_if(name!("aborted_by"), ended.aborted_by);
        let user_agent = self.user_agent.take();
        self.text_if(name!("user_agent"), user_agent.as_deref());
        self.add(match self.format {
            LogFormat::Text => "\n",
            LogFormat::Json => "}\n",
        });
        self.bytes
    }

    fn add(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn name(&mut self, name: Name) {
        self.add(match self.format {
            LogFormat::Text => name.text,
            LogFormat::Json => name.json,
        });
    }

    /// A value in which nothing is to be escaped.
    fn word(&mut self, name: Name, value: &str) {
        self.name(name);
        match self.format {
            LogFormat::Text => self.add(value),
            LogFormat::Json => self.quoted(value),
        }
    }

    fn word_if(&mut self, name: Name, value: Option<&str>) {
        if let Some(value) = value {
            self.word(name, value);
        }
    }

    fn quoted(&mut self, value: &str) {
        self.bytes.push(b'"');
        self.add(value);
        self.bytes.push(b'"');
    }

    /// Any value.
    fn text(&mut self, name: Name, value: &str) {
        self.name(name);
        let is_printable = is_printable(value);
        // Neither a Vec nor a string can make these fail.
        match self.format {
            LogFormat::Json if is_printable => self.quoted(value),
            LogFormat::Json => drop(serde_json::to_writer(&mut self.bytes, value)),
            LogFormat::Text if may_stand_bare(value, is_printable) => self.add(value),
            LogFormat::Text if is_printable => self.quoted(value),
            LogFormat::Text => drop(write!(self.bytes, "{value:?}")),
        }
    }

    fn text_if(&mut self, name: Name, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn address(&mut self, name: Name, address: Address) {
        self.name(name);
        let quote = match self.format {
            LogFormat::Text => "",
            LogFormat::Json => "\"",
        };
        self.add(quote);
        match (address.ip, address.port) {
            // Nearly all, and by way of `Display` dearer than everything else in a line.
            (IpAddr::V4(ip), Some(port)) => {
                for (octet, behind) in ip.octets().into_iter().zip([b'.', b'.', b'.', b':']) {
                    self.digits(octet.into());
                    self.bytes.push(behind);
                }
                self.digits(port.into());
            }
            _ => drop(write!(self.bytes, "{address}")),
        }
        self.add(quote);
    }

    fn number(&mut self, name: Name, value: u64) {
        self.name(name);
        self.digits(value);
    }

    /// With the precision that a log needs: a microsecond.
    fn milliseconds(&mut self, name: Name, time: Duration) {
        self.name(name);
        let microseconds = time.saturating_add(Duration::from_nanos(500)).as_micros();
        let microseconds = u64::try_from(microseconds).unwrap_or(u64::MAX);
        self.digits(microseconds / 1000);
        // A one in front keeps the zeros, and the point takes its place.
        let point = self.bytes.len();
        self.digits(1000 + microseconds % 1000);
        if let Some(one) = self.bytes.get_mut(point) {
            *one = b'.';
        }
    }

    fn digits(&mut self, mut value: u64) {
        let start = self.bytes.len();
        loop {
            self.bytes.push(b'0' + (value % 10) as u8);
            value /= 10;
            if value == 0 {
                break;
            }
        }
        if let Some(digits) = self.bytes.get_mut(start..) {
            digits.reverse();
        }
    }
}

/// ASCII in which nothing is to be escaped, as nearly every value is. Without an early exit, so that it is done many
/// bytes at a time.
fn is_printable(value: &str) -> bool {
    let is_odd = |byte: u8| !(b' '..=b'~').contains(&byte) | (byte == b'"') | (byte == b'\\');
    !value
        .bytes()
        .fold(false, |found, byte| found | is_odd(byte))
}

/// Text needs no quotes around letters of any alphabet.
fn may_stand_bare(value: &str, is_printable: bool) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\');
    let has_odd = match is_printable {
        true => value.as_bytes().contains(&b' '),
        false => value.contains(is_odd),
    };
    !value.is_empty() && !has_odd
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::time::{Duration, SystemTime};

    use super::{Asked, Ended, Line};
    use crate::config::LogFormat;
    use crate::observe::address::Address;

    const AGENT: &str = "\u{1}\u{7f}a b\"\\\u{e9}\u{85}\u{2028}";

    fn written(format: LogFormat, client: impl Into<Address>, host: &str) -> String {
        let asked = Asked {
            timestamp: SystemTime::UNIX_EPOCH + Duration::from_micros(1_234_999),
            request_id: "0af7",
            trace_id: Some(0xabc),
            client: client.into(),
            listener: "https",
            method: "GET",
            host: Some(host),
            target: "/",
            protocol: "HTTP/2",
            tls: None,
            user_agent: Some(AGENT),
        };
        let ended = Ended {
            route: "forward",
            endpoint: Some("shop"),
            verdict: None,
            status: 200,
            received_bytes: 0,
            sent_bytes: u64::MAX,
            duration: Duration::from_nanos(1_234_567_500),
            upstream: Some(Duration::from_nanos(7_499)),
            tunnel_ended_by: None,
            aborted_by: Some("client"),
        };
        String::from_utf8(Line::begin(format, &asked).end(&ended)).unwrap()
    }

    fn socket(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn a_line_of_json_is_an_object() {
        let line = written(LogFormat::Json, socket("[2001:db8::7]:443"), "h\u{e9}");
        assert!(line.ends_with("}\n"), "{line}");
        let wanted = serde_json::json!({
            "timestamp": "1970-01-01T00:00:01.234Z", "kind": "access", "request_id": "0af7",
            "trace_id": "00000000000000000000000000000abc", "client": "[2001:db8::7]:443", "listener": "https", "method": "GET", "host": "h\u{e9}",
            "target": "/", "protocol": "HTTP/2", "route": "forward", "endpoint": "shop",
            "status": 200, "received_bytes": 0, "sent_bytes": u64::MAX, "duration_ms": 1234.568,
            "upstream_ms": 0.007, "aborted_by": "client", "user_agent": AGENT,
        });
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read, wanted, "{line}");
    }

    #[test]
    fn a_line_of_text_is_pairs_and_quotes_only_what_must_be() {
        let facts = "target=/ protocol=HTTP/2 route=forward endpoint=shop status=200 received_bytes=0 \
            sent_bytes=18446744073709551615 duration_ms=1234.568 upstream_ms=0.007 aborted_by=client";
        for (host, shown) in [("h\u{e9}", "h\u{e9}"), ("", "\"\""), ("a b", "\"a b\"")] {
            assert_eq!(
                written(LogFormat::Text, socket("192.0.2.7:80"), host),
                format!(
                    "1970-01-01T00:00:01.234Z access request_id=0af7 \
                     trace_id=00000000000000000000000000000abc client=192.0.2.7:80 \
                     listener=https method=GET host={shown} {facts} user_agent={AGENT:?}\n"
                )
            );
        }
        let line = written(LogFormat::Text, IpAddr::from([192, 0, 2, 70]), "a");
        assert!(line.contains(" client=192.0.2.70 "), "{line}");
    }
}
