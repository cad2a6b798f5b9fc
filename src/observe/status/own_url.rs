//! Which URLs the button has asked: those of the endpoint itself, so that nobody reaches anything else through the page.
//!
//! | part | must be |
//! |---|---|
//! | scheme | http or https |
//! | host | `endpoints[].host`; without one, a name on a certificate that is served, wildcards meant |
//! | port | 80, 443, `http.redirect_port`, or that of a listener |
//! | path | the endpoint's |
//!
//! "Itself" connects to a listener of this process, whatever the name leads to: there any port will do, and any host that the
//! endpoint answers for, since they are only said and not followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::Uri;

use super::Facts;
use super::refusal::Refusal;
use super::simulation::Play;
use super::wish::{Via, Wish};
use crate::config::{Endpoint, Live};

/// What a wish becomes.
///
/// # Errors
/// It asks for something else than an own endpoint.
pub(super) fn check(wish: &Wish, live: &Live, facts: &Facts) -> Result<Play, Refusal> {
    let mut endpoints = live.endpoints.iter();
    let endpoint = endpoints.find(|endpoint| endpoint.name == wish.endpoint);
    let endpoint = endpoint.ok_or(Refusal::UnknownEndpoint)?;
    let url = Url::of(&wish.url).ok_or(Refusal::NoUrl)?;
    let path = url.path.strip_suffix('/').unwrap_or(&url.path);
    if !endpoint.path.is(path) {
        return Err(Refusal::OtherPath);
    }
    let is_own = names(endpoint, live).any(|name| is_named(&url.host, name));
    let takes_any = wish.via == Via::Itself && endpoint.host.is_none();
    if !is_own && !takes_any {
        return Err(Refusal::OtherHost);
    }
    let connect = match wish.via {
        Via::Itself => Some(listener(url.scheme, facts).ok_or(Refusal::NoListener)?),
        Via::Name if !ports(live, facts).any(|port| port == url.port) => {
            return Err(Refusal::OtherPort);
        }
        Via::Name => None,
    };
    Ok(Play {
        endpoint: endpoint.name.clone(),
        url: wish.url.clone(),
        connect,
    })
}

/// Whether there is a name by which others could reach it.
pub(super) fn has_names(endpoint: &Endpoint, live: &Live) -> bool {
    names(endpoint, live).next().is_some()
}

/// Whether this process can reach itself.
pub(super) fn has_listener(facts: &Facts) -> bool {
    ["https", "http"]
        .iter()
        .any(|scheme| listener(scheme, facts).is_some())
}

fn names<'a>(endpoint: &'a Endpoint, live: &'a Live) -> impl Iterator<Item = &'a str> {
    let certificates = live.tls.certificates.iter();
    let certified = certificates.flat_map(|certificate| &certificate.names);
    let certified = certified.filter(|_| endpoint.host.is_none());
    endpoint.host.iter().chain(certified).map(String::as_str)
}

/// A wildcard stands for one label (RFC 9525 section 6.3).
fn is_named(host: &str, name: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => host == name,
    }
}

fn ports(live: &Live, facts: &Facts) -> impl Iterator<Item = u16> {
    let listeners = facts.listeners.iter();
    let bound = listeners.filter(|(name, _)| *name != "admin");
    let bound = bound.map(|(_, address)| address.port());
    [80, 443, live.http.redirect_port.get()]
        .into_iter()
        .chain(bound)
}

/// Where this process takes connections for `scheme`; `None` if nowhere, or only behind a PROXY protocol header.
fn listener(scheme: &str, facts: &Facts) -> Option<SocketAddr> {
    let mut listeners = facts.listeners.iter();
    let (_, bound) = listeners.find(|(name, _)| *name == scheme)?;
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let needs_header = facts.boot.listen.proxy_protocol.contain(ip);
    (!needs_header).then(|| SocketAddr::new(ip, bound.port()))
}

/// What is looked at of a URL; the host in lower case.
struct Url {
    scheme: &'static str,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    fn of(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let (scheme, usual) = match uri.scheme_str() {
            Some("https") => ("https", 443),
            Some("http") => ("http", 80),
            _ => return None,
        };
        let authority = uri.authority()?;
        let is_plain = !authority.as_str().contains('@') && !authority.host().is_empty();
        is_plain.then(|| Self {
            scheme,
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(usual),
            path: uri.path().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (host, name, expected) in [
            ("wx.test", "wx.test", true),
            ("a.wx.test", "wx.test", false),
            ("wx.test.", "wx.test", false),
            ("a.wx.test", "*.wx.test", true),
            ("a.b.wx.test", "*.wx.test", false),
            ("wx.test", "*.wx.test", false),
            (".wx.test", "*.wx.test", false),
        ] {
            assert_eq!(is_named(host, name), expected, "{host} {name}");
        }
    }
}
