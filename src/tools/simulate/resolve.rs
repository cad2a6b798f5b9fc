//! Where a name leads, and what is wrong with that before anybody connects.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::time::Duration;

use super::cause::Finding;
use super::causes::network;
use super::target::Target;
use crate::wechat::Platform;

/// What the URL alone tells.
#[must_use]
pub fn url(target: &Target, platform: Platform) -> Vec<Finding> {
    let mut findings = Vec::new();
    if platform == Platform::OfficialAccount && target.port != target.usual_port() {
        findings.push(Finding::new(
            &network::URL_PORT,
            format!("port {}", target.port),
        ));
    }
    if !target.is_tls {
        findings.push(Finding::new(&network::URL_IN_CLEAR, ""));
    }
    if target.address().is_some() {
        findings.push(Finding::new(&network::URL_IS_ADDRESS, &*target.host));
    }
    findings
}

/// The addresses of a target, IPv4 first, which is what the consoles use.
///
/// # Errors
/// There is none.
pub fn addresses(target: &Target, wait: Duration) -> Result<Vec<SocketAddr>, Finding> {
    let (sender, receiver) = mpsc::channel();
    let (host, port) = (target.host.clone(), target.port);
    // The system's resolver knows no deadline: a thread that hangs in it ends with the program.
    std::thread::spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        let _ = sender.send(found.map(Vec::from_iter).map_err(|error| error.to_string()));
    });
    let fault = |evidence: String| Finding::new(&network::DNS_FAILURE, evidence);
    let mut found = match receiver.recv_timeout(wait) {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(fault(format!("{}: {error}", target.host))),
        Err(_) => return Err(fault(format!("{}: timeout", target.host))),
    };
    found.sort_by_key(SocketAddr::is_ipv6);
    found.dedup();
    if found.is_empty() {
        return Err(fault(target.host.clone()));
    }
    Ok(found)
}

/// What the addresses tell.
#[must_use]
pub fn judge(addresses: &[SocketAddr]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let shown = |address: &SocketAddr| address.ip().to_string();
    if addresses.iter().all(SocketAddr::is_ipv6) {
        let all: Vec<_> = addresses.iter().map(shown).collect();
        findings.push(Finding::new(&network::IPV6_ONLY, all.join(", ")));
    }
    let inside: Vec<_> = addresses
        .iter()
        .filter(|address| !is_public(address.ip()))
        .map(shown)
        .collect();
    if !inside.is_empty() {
        findings.push(Finding::new(
            &network::ADDRESS_NOT_PUBLIC,
            inside.join(", "),
        ));
    }
    findings
}

/// False for what nobody reaches over the internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_benchmark = a == 198 && (b == 18 || b == 19);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_documentation()
                || v4.is_multicast()
                || is_shared
                || is_benchmark
                || a == 0
                || a >= 240)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                !(v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
                    || v6.is_multicast())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.cause.label).collect()
    }

    #[test]
    fn the_ports_of_official_accounts_are_those_of_the_schemes() {
        for (url_text, platform, expected) in [
            ("https://a/", Platform::OfficialAccount, &[][..]),
            ("https://a:8443/", Platform::Wecom, &[]),
            ("https://a:8443/", Platform::OfficialAccount, &["url_port"]),
            ("https://a:80/", Platform::OfficialAccount, &["url_port"]),
            (
                "http://1.2.3.4/",
                Platform::Wecom,
                &["url_in_clear", "url_is_address"],
            ),
        ] {
            let target = Target::parse(url_text).unwrap();
            assert_eq!(labels(&url(&target, platform)), expected, "{url_text}");
        }
    }

    #[test]
    fn addresses_that_nobody_reaches_are_known() {
        for (addresses, expected) in [
            (&["1.2.3.4:80"][..], &[][..]),
            (&["1.2.3.4:80", "[2400::1]:80"], &[]),
            (&["[2400::1]:80"], &["ipv6_only"]),
            (&["[::1]:80"], &["ipv6_only", "address_not_public"]),
            (&["10.0.0.1:80"], &["address_not_public"]),
            (&["100.64.0.1:80"], &["address_not_public"]),
            (&["127.0.0.1:80", "1.2.3.4:80"], &["address_not_public"]),
            (&["[fd00::1]:80", "1.2.3.4:80"], &["address_not_public"]),
        ] {
            let parsed: Vec<_> = addresses.iter().map(|a| a.parse().unwrap()).collect();
            assert_eq!(labels(&judge(&parsed)), expected, "{addresses:?}");
        }
    }
}
