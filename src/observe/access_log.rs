//! One line per exchange, as text or JSON, built only when wanted and written by another thread.

use std::fmt::{Display, Write};
use std::time::SystemTime;

use serde::Serialize;

use super::address::Address;
use super::sink::Sink;
use crate::config::LogFormat;

/// What one line says. Absent facts are left out.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// When the request head was read, RFC 3339 in UTC.
    pub timestamp: String,
    /// Always `access`: tells these lines from the rest of the log.
    pub kind: &'static str,
    /// Sent to the upstream as `X-Request-Id`.
    pub request_id: &'a str,
    /// The trace it belongs to, by `traceparent`; 32 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<&'a str>,
    /// Who asked: the other end of the connection, or whom a load balancer or trusted proxy named.
    pub client: Address,
    /// `https` or `http`.
    pub listener: &'static str,
    /// Closed list; anything unusual is `other`.
    pub method: &'static str,
    /// The host asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'a str>,
    /// Path and redacted query.
    pub target: &'a str,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// `TLSv1_2` or `TLSv1_3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<&'static str>,
    /// Where it was answered.
    pub route: &'static str,
    /// The endpoint of a verification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<&'a str>,
    /// `ok`, or the reason of the refusal or of the upstream's failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// Status code sent.
    pub status: u16,
    /// Bytes of the request body.
    pub received_bytes: u64,
    /// Bytes of the response body.
    pub sent_bytes: u64,
    /// From the request head to the last byte, in milliseconds.
    pub duration_ms: f64,
    /// From sending the request to the upstream's response head, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_ms: Option<f64>,
    /// What ended a tunnel. Its bytes and its time are the tunnel's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel_ended_by: Option<&'static str>,
    /// Who broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted_by: Option<&'static str>,
    /// As sent, at most 128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<&'a str>,
}

/// Writes records in the configured format.
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

    /// Queues one line.
    pub fn write(&self, record: &Record<'_>) {
        let mut line = match self.format {
            // Only maps with odd keys and failing writers can fail here.
            LogFormat::Json => serde_json::to_vec(record).unwrap_or_default(),
            LogFormat::Text => text(record),
        };
        line.push(b'\n');
        self.sink.send(line);
    }
}

/// `time` as RFC 3339 with milliseconds.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// `key=value` pairs in the order of the fields; values with blanks are quoted.
fn text(record: &Record<'_>) -> Vec<u8> {
    let mut line = Text(format!("{} {}", record.timestamp, record.kind));
    line.add("request_id", record.request_id);
    line.add_if("trace_id", record.trace_id);
    line.add("client", record.client);
    line.add("listener", record.listener);
    line.add("method", record.method);
    line.add_if("host", record.host);
    line.add("target", record.target);
    line.add("protocol", record.protocol);
    line.add_if("tls", record.tls);
    line.add("route", record.route);
    line.add_if("endpoint", record.endpoint);
    line.add_if("verdict", record.verdict);
    line.add("status", record.status);
    line.add("received_bytes", record.received_bytes);
    line.add("sent_bytes", record.sent_bytes);
    line.add("duration_ms", record.duration_ms);
    line.add_if("upstream_ms", record.upstream_ms);
    line.add_if("tunnel_ended_by", record.tunnel_ended_by);
    line.add_if("aborted_by", record.aborted_by);
    line.add_if("user_agent", record.user_agent);
    line.0.into_bytes()
}

struct Text(String);

impl Text {
    fn add(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        // Writing to a String cannot fail.
        let _ = if is_plain(&value) {
            write!(self.0, " {name}={value}")
        } else {
            write!(self.0, " {name}={value:?}")
        };
    }

    fn add_if(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }
}

fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && !value.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\'))
}
