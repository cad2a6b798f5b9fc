//! A request, byte for byte as a console writes it: pure.

use super::target::Target;
use crate::wechat::Platform;

/// The version of a request line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl Version {
    /// As on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

/// Who seems to ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Client {
    /// The console.
    Console(Platform),
    /// A browser of today, to see whether that makes a difference.
    Browser,
}

/// A GET, byte for byte.
#[must_use]
pub fn get(target: &Target, query: &str, version: Version, client: Client) -> String {
    let line = format!("GET {} {}\r\n", target.with(query), version.name());
    let host = target.authority();
    let headers = match (client, version) {
        (Client::Browser, _) => format!(
            "Host: {host}\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\nAccept: text/html,*/*;q=0.8\r\nAccept-Language: zh-CN,zh;q=0.9\r\nConnection: close\r\n"
        ),
        (Client::Console(Platform::OfficialAccount), Version::Http10) => format!(
            "User-Agent: Mozilla/4.0\r\nAccept: */*\r\nHost: {host}\r\nPragma: no-cache\r\nConnection: Keep-Alive\r\n"
        ),
        (Client::Console(_), _) => format!(
            "Accept: */*\r\nCache-Control: no-cache\r\nHost: {host}\r\nPragma: no-cache\r\nUser-Agent: Mozilla/4.0\r\n"
        ),
    };
    format!("{line}{headers}\r\n")
}

/// A POST, byte for byte.
#[must_use]
pub fn post(target: &Target, query: &str, version: Version, body: &str) -> String {
    format!(
        "POST {} {}\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\nHost: {}\r\nPragma: no-cache\r\nConnection: Keep-Alive\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        target.with(query),
        version.name(),
        target.authority(),
        body.len(),
    )
}
