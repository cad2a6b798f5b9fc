//! What an answer's status, headers and form tell: pure.

use super::answer::{Answer, End, Framing, NoAnswer};
use super::cause::{Cause, Finding};
use super::causes::{network, status, tls};
use super::console::Console;
use super::evidence;
use super::request::Version;
use super::target::Target;
use super::words::{self, Page};

/// Why there was no answer.
#[must_use]
pub fn no_answer(none: &NoAnswer, console: &Console, target: &Target) -> Finding {
    let cause = match none {
        NoAnswer::Closed => &network::CLOSED_WITHOUT_ANSWER,
        NoAnswer::Timeout => &network::NO_ANSWER,
        // An alert or a handshake record of TLS.
        NoAnswer::NotHttp(bytes)
            if !target.is_tls && matches!(bytes.first(), Some(0x15 | 0x16)) =>
        {
            &network::HTTPS_PORT_IN_CLEAR
        }
        NoAnswer::NotHttp(_) => &network::NOT_HTTP,
        NoAnswer::CertificateWanted => &tls::TLS_CLIENT_CERTIFICATE,
        NoAnswer::Broken(_) => &network::CONNECTION_FAILED,
    };
    Finding::new(cause, evidence::of_none(none, console))
}

/// Why a status other than 200 came.
#[must_use]
pub fn status(answer: &Answer, console: &Console, target: &Target) -> Finding {
    let seen = evidence::of(answer, console);
    if (300..400).contains(&answer.status) && !answer.header("location").is_empty() {
        let cause = redirect(answer.header("location"), target);
        return Finding::new(cause, evidence::location(answer, console));
    }
    let lower = answer.text().to_lowercase();
    if is_challenge(answer, &lower) {
        return Finding::new(&status::CDN_CHALLENGE, seen);
    }
    let cause = if Page::Icp.is(&lower) {
        &status::ICP_BLOCK
    } else if let Some(cause) = words::code(&lower) {
        cause
    } else if answer.status == 400 && lower.contains("sent to https port") {
        &network::HTTPS_PORT_IN_CLEAR
    } else if answer.status == 400 && lower.contains("no required ssl certificate") {
        &tls::TLS_CLIENT_CERTIFICATE
    } else {
        by_number(answer, &lower)
    };
    Finding::new(cause, seen)
}

fn is_challenge(answer: &Answer, lower: &str) -> bool {
    let by_cloudflare = answer.header("server").eq_ignore_ascii_case("cloudflare");
    let is_refusal = matches!(answer.status, 403 | 429 | 503);
    !answer.header("cf-mitigated").is_empty()
        || (by_cloudflare && is_refusal)
        || (is_refusal && Page::Challenge.is(lower))
}

fn by_number(answer: &Answer, lower: &str) -> &'static Cause {
    let is_csrf = Page::Csrf.is(lower);
    let is_waf = Page::Waf.is(lower);
    match answer.status {
        400 | 403 | 406 | 412 | 419 if is_csrf => &status::CSRF,
        400 | 403 | 405 | 406 | 418 | 501 | 503 if is_waf => &status::WAF,
        401 | 407 => &status::LOGIN_REQUIRED,
        400 | 403 | 422 => &status::REFUSED,
        404 | 410 => &status::NOT_FOUND,
        405 => &status::GET_NOT_ROUTED,
        419 => &status::CSRF,
        429 => &status::RATE_LIMITED,
        444 => &status::WAF,
        500 => words::error(lower).unwrap_or(&status::SERVER_ERROR),
        502 | 504 => &status::BACKEND_DOWN,
        503 => &status::UNAVAILABLE,
        501 | 505..=599 => words::error(lower).unwrap_or(&status::SERVER_ERROR),
        _ => &status::STATUS_OTHER,
    }
}

fn redirect(location: &str, target: &Target) -> &'static Cause {
    let lower = location.to_lowercase();
    // A query may hold another URL.
    let place = lower.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = match after_scheme(place) {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
            (host(authority), if path.is_empty() { "/" } else { path })
        }
        None => (target.host.as_str(), place),
    };
    let own = target.path.to_lowercase();
    let is_login = ["login", "signin", "sign-in", "/sso", "/oauth", "passport"]
        .iter()
        .any(|word| path.contains(word) && !own.contains(word));
    if Page::Icp.is(place) {
        &status::ICP_BLOCK
    } else if is_login {
        &status::REDIRECT_LOGIN
    } else if !is_host(host, target) {
        &status::REDIRECT_HOST
    } else if place.starts_with("https://") && !target.is_tls {
        &status::REDIRECT_HTTPS
    } else if path.trim_end_matches('/') == own.trim_end_matches('/') && path != own {
        &status::REDIRECT_SLASH
    } else {
        &status::REDIRECT
    }
}

/// Authority and path, where there is an authority.
fn after_scheme(place: &str) -> Option<&str> {
    place.strip_prefix("//").or_else(|| {
        let (scheme, rest) = place.split_once("://")?;
        (!scheme.contains('/')).then_some(rest)
    })
}

/// Without user and port; an address without its brackets.
fn host(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (host, end) = match host.strip_prefix('[') {
        Some(address) => (address, ']'),
        None => (host, ':'),
    };
    host.split(end).next().unwrap_or_default()
}

/// An address may be written in several ways.
fn is_host(host: &str, target: &Target) -> bool {
    let address = host.parse().ok();
    host == target.host || address.is_some_and(|address| target.address() == Some(address))
}

/// What is wrong with the form of an answer, whatever it says.
#[must_use]
pub fn form(answer: &Answer, version: Version, console: &Console) -> Vec<Finding> {
    let mut findings = Vec::new();
    match answer.end {
        End::Whole => {}
        End::Cut => {
            let came = answer.body.len();
            let seen = match answer.framing {
                Framing::Length(length) => format!("{came} of {length} bytes"),
                Framing::Chunked | Framing::Close => format!("{came} bytes"),
            };
            findings.push(Finding::new(&status::ANSWER_CUT, seen));
        }
        End::Unfinished => findings.push(Finding::new(
            &status::ANSWER_UNFINISHED,
            format!("{} bytes", answer.body.len()),
        )),
        End::TooLong => findings.push(Finding::new(&status::ANSWER_TOO_LONG, "")),
    }
    if answer.framing == Framing::Chunked && version == Version::Http10 {
        let seen = "Transfer-Encoding: chunked";
        findings.push(Finding::new(&status::ANSWER_CHUNKED, seen));
    }
    let coding = answer.header("content-encoding");
    if !coding.is_empty() && !coding.eq_ignore_ascii_case("identity") {
        let seen = evidence::header("Content-Encoding", coding, console);
        findings.push(Finding::new(&status::ANSWER_COMPRESSED, seen));
    }
    findings
}

/// Whether it came in time.
#[must_use]
pub fn time(answer: &Answer, console: &Console) -> Option<Finding> {
    let limit = console.limit();
    let cause = if answer.took > limit {
        &status::TOO_SLOW
    } else if answer.took > limit.mul_f32(0.6) {
        &status::SLOW
    } else {
        return None;
    };
    let seen = format!("{} ms / {} ms", answer.took.as_millis(), limit.as_millis());
    Some(Finding::new(cause, seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wechat::{Platform, Token};

    #[test]
    fn redirects_are_told_apart() {
        for (url, location, expected) in [
            ("http://a.cn/wx", "/wx/?signature=1", "redirect_slash"),
            ("http://a.cn/wx/", "http://a.cn/wx", "redirect_slash"),
            ("http://a.cn/wx", "https://a.cn/wx", "redirect_https"),
            ("http://a.cn/wx", "https://www.a.cn/wx", "redirect_host"),
            ("http://a.cn/wx", "//b.cn/wx", "redirect_host"),
            (
                "http://a.cn/wx",
                "https://sso.a.cn/login?next=x",
                "redirect_login",
            ),
            ("http://a.cn/wx", "/user/signin", "redirect_login"),
            ("http://a.cn/wx", "/index", "redirect"),
            ("http://a.cn/wx", "?x=https://b.cn/", "redirect"),
            ("http://a.cn/login", "/login/", "redirect_slash"),
            ("http://a.cn/wx", "http://x.cn/webblock.html", "icp_block"),
            ("http://a.cn/wx", "/x//b.cn/wx", "redirect"),
            ("http://a.cn/wx", "/x?y://b.cn/wx", "redirect"),
            ("http://a.cn/wx", "/to/http://b.cn/wx", "redirect"),
            ("http://a.cn/wx", "http://u:p@a.cn:80/wx/", "redirect_slash"),
            ("http://[::1]/wx", "https://[::1]:8443/wx", "redirect_https"),
            (
                "http://[::1]:8080/wx",
                "//[0:0::1]:8080/wx/",
                "redirect_slash",
            ),
            (
                "http://[2001:DB8::1]/wx",
                "http://[2001:db8::1]",
                "redirect",
            ),
            ("http://[::1]/wx", "http://[::2]/wx", "redirect_host"),
            ("http://[::1]/wx", "http://a.cn/wx", "redirect_host"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                redirect(location, &target).label,
                expected,
                "{url} {location}"
            );
        }
    }

    #[test]
    fn a_port_with_tls_is_known_by_its_alert() {
        let console = Console {
            platform: Platform::OfficialAccount,
            token: Token::new("AAAAA".into()).unwrap(),
            key: None,
            receive_id: String::new(),
            now: 0,
        };
        let alert = NoAnswer::NotHttp(vec![0x15, 3, 1, 0, 2, 2, 70]);
        for (url, none, expected) in [
            ("http://a.cn/", &alert, "https_port_in_clear"),
            ("https://a.cn/", &alert, "not_http"),
            ("http://a.cn/", &NoAnswer::Closed, "closed_without_answer"),
            ("http://a.cn/", &NoAnswer::Timeout, "no_answer"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(no_answer(none, &console, &target).cause.label, expected);
        }
    }
}
