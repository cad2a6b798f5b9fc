//! The URL that is to be registered in a console, taken apart.

use std::net::IpAddr;

use http::Uri;
use rustls::pki_types::ServerName;
use thiserror::Error;

/// Where the console would send its requests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// https rather than http.
    pub is_tls: bool,
    /// A name in lower case, or an address without brackets.
    pub host: String,
    /// As given, or that of the scheme.
    pub port: u16,
    /// Begins with "/".
    pub path: String,
    /// Without "?"; `None` if there is none.
    pub query: Option<String>,
}

/// What is no URL for a callback. `Display` completes "the URL …".
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TargetError {
    /// Not parseable, not ASCII.
    #[error(
        "is not one, such as https://wx.example.com/wechat (xn--… for Chinese names, %XX in the path)"
    )]
    Malformed,
    /// Neither scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// `user@`.
    #[error("must not have a user or password in it")]
    User,
    /// The console appends its own.
    #[error("must not have a verification's parameters in it; give it as entered in the console")]
    Signed,
}

impl Target {
    /// Takes `url` as it is entered in a console.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let url = url.split_once('#').map_or(url, |(url, _)| url);
        if !url.is_empty() && !url.contains("://") {
            return Err(TargetError::Scheme);
        }
        let uri: Uri = url.parse().map_err(|_| TargetError::Malformed)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(TargetError::Scheme),
        };
        let authority = uri.authority().ok_or(TargetError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::User);
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let is_name = !is_tls || ServerName::try_from(host).is_ok();
        let has_port = authority.as_str() != authority.host();
        if host.is_empty() || !is_name || has_port != authority.port_u16().is_some() {
            return Err(TargetError::Malformed);
        }
        let is_ours = |pair: &str| {
            ["signature", "msg_signature", "echostr"]
                .contains(&pair.split('=').next().unwrap_or(""))
        };
        if uri
            .query()
            .is_some_and(|query| query.split('&').any(is_ours))
        {
            return Err(TargetError::Signed);
        }
        Ok(Self {
            is_tls,
            host: host.to_ascii_lowercase(),
            port: authority
                .port_u16()
                .unwrap_or(if is_tls { 443 } else { 80 }),
            path: uri.path().to_owned(),
            query: uri.query().map(str::to_owned),
        })
    }

    /// The host where it is an address.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The value of `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        if self.port == self.usual_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// That of the scheme.
    #[must_use]
    pub fn usual_port(&self) -> u16 {
        if self.is_tls { 443 } else { 80 }
    }

    /// Path and query of a request with `signed` as its last parameters.
    #[must_use]
    pub fn with(&self, signed: &str) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}&{signed}", self.path),
            None => format!("{}?{signed}", self.path),
        }
    }

    /// The same with the other slash at its end.
    #[must_use]
    pub fn with_other_slash(&self) -> Self {
        let path = match self.path.strip_suffix('/') {
            Some(path) if !path.is_empty() => path.to_owned(),
            _ => format!("{}/", self.path),
        };
        Self {
            path,
            ..self.clone()
        }
    }

    /// Without the query, which may hold a secret.
    #[must_use]
    pub fn shown(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_as_a_console_takes_it() {
        let target = Target::parse("https://WX.Example.com/a/b?x=1#y").unwrap();
        assert_eq!((target.port, target.is_tls), (443, true));
        assert_eq!(target.with("signature=1"), "/a/b?x=1&signature=1");
        assert_eq!(target.authority(), "wx.example.com");
        assert_eq!(target.shown(), "https://wx.example.com/a/b");
        let target = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!(target.authority(), "[::1]:8080");
        assert_eq!(target.with("s=1"), "/?s=1");
        assert_eq!(target.address(), Some("::1".parse().unwrap()));
    }

    #[test]
    fn the_slash_at_the_end_is_turned_over() {
        for (url, other) in [
            ("http://a/wx", "/wx/"),
            ("http://a/wx/", "/wx"),
            ("http://a", "//"),
        ] {
            assert_eq!(Target::parse(url).unwrap().with_other_slash().path, other);
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for (url, error) in [
            ("wx.example.com/wx", TargetError::Scheme),
            ("ftp://a/", TargetError::Scheme),
            ("https://微信.cn/", TargetError::Malformed),
            ("https://a:x/", TargetError::Malformed),
            ("https://u:p@a/", TargetError::User),
            ("https://a/?echostr=1", TargetError::Signed),
            ("", TargetError::Malformed),
        ] {
            assert_eq!(Target::parse(url), Err(error), "{url}");
        }
    }
}
