//! `wxgate check`: what a good configuration says, in words. A bad one never gets here.

use std::fmt::Write;

use crate::config::{Acme, Certificate, Endpoint, Settings};
use crate::wechat::Scheme;

/// The configuration as the program understood it, without a secret.
#[must_use]
pub fn report(settings: &Settings) -> String {
    let mut text = String::from("configuration is valid\n");
    let listen = &settings.boot.listen;
    for (name, addresses) in [("https", &listen.https), ("http", &listen.http)] {
        for address in addresses {
            line(&mut text, format_args!("listen {name}: {address}"));
        }
    }
    match listen.admin {
        Some(address) => line(&mut text, format_args!("listen admin: {address}")),
        None => line(&mut text, format_args!("listen admin: off")),
    }
    line(
        &mut text,
        format_args!("upstream: {}", settings.boot.upstream.authority),
    );
    for certificate in &settings.live.tls.certificates {
        line(&mut text, format_args!("{}", certificate_line(certificate)));
    }
    if let Some(acme) = &settings.boot.acme {
        line(&mut text, format_args!("{}", acme_line(acme)));
    }
    for endpoint in &settings.live.endpoints {
        line(&mut text, format_args!("{}", endpoint_line(endpoint)));
    }
    for name in settings.live.domain_files.keys() {
        line(&mut text, format_args!("domain file: /{name}"));
    }
    text.truncate(text.trim_end().len());
    text
}

fn certificate_line(certificate: &Certificate) -> String {
    let names = if certificate.names.is_empty() {
        "no name".to_owned()
    } else {
        certificate.names.join(", ")
    };
    let mut text = format!("certificate {}: {names}; ", certificate.name);
    let _ = match certificate.days_left() {
        days @ ..0 => write!(text, "EXPIRED {} days ago", -days),
        days => write!(text, "{days} days left"),
    };
    if certificate.chain_length == 1 && !certificate.is_self_issued {
        text.push_str("; WARNING: no intermediate certificate in the file (证书链不完整), some clients will refuse it");
    }
    text
}

fn acme_line(acme: &Acme) -> String {
    format!(
        "acme: {}; {} at {}; storage {}",
        acme.hosts.join(", "),
        acme.challenge.name(),
        acme.directory,
        acme.storage.display()
    )
}

fn endpoint_line(endpoint: &Endpoint) -> String {
    let credentials = &endpoint.credentials;
    let scheme = match credentials.scheme {
        Scheme::Plain => "plain",
        Scheme::Encrypted(_) => "encrypted",
        Scheme::Either(_) => "plain or encrypted",
    };
    format!(
        "endpoint {}: {}{}, {scheme}, {} token(s), {} key(s), messages: {}",
        endpoint.name,
        endpoint.host.as_deref().unwrap_or("any host, "),
        endpoint.path.shown(),
        credentials.tokens.len(),
        credentials.keys().len(),
        endpoint.messages.handling.name(),
    )
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {content}");
}
