//! What comes before the first request: the handshakes, and what they show.

use std::time::{SystemTime, UNIX_EPOCH};

use super::cause::Finding;
use super::causes::tls;
use super::chain;
use super::connection::{self, Dial, Session, Variant};
use super::options::Options;
use super::run::Report;

/// Connects, and looks at the certificates. False if there is nobody to ask.
pub fn greet(
    options: &Options,
    dial: &Dial,
    report: &mut Report,
    tell: &mut dyn FnMut(&str),
) -> bool {
    let session = match connection::handshake(dial, Variant::default()) {
        Ok(Some(session)) => session,
        Ok(None) => return true,
        Err(finding) => {
            report.before.push(finding);
            return false;
        }
    };
    let Some(name) = dial.tls_name.clone() else {
        return true;
    };
    let roots = options.authorities.clone();
    let (facts, findings) = chain::judge(&session.chain, &name, roots, now());
    tell(&format!(
        "TLS: {}, {} days",
        session.version, facts.days_left
    ));
    report.before.extend(findings);
    variants(options, dial, &session, report);
    report.tls = Some((facts, session.version));
    true
}

fn variants(options: &Options, dial: &Dial, session: &Session, report: &mut Report) {
    if options.target.address().is_none() {
        let without_sni = Variant {
            without_sni: true,
            ..Variant::default()
        };
        match connection::handshake(dial, without_sni) {
            Err(finding) => {
                let seen = format!("{} {}", finding.cause.label, finding.evidence);
                report.before.push(Finding::new(&tls::SNI_REQUIRED, seen));
            }
            Ok(Some(other)) if other.chain.first() != session.chain.first() => {
                report
                    .before
                    .push(Finding::new(&tls::SNI_OTHER_CERTIFICATE, ""));
            }
            Ok(_) => {}
        }
    }
    let only_tls12 = Variant {
        only_tls12: true,
        ..Variant::default()
    };
    if session.version == "TLSv1_3" && connection::handshake(dial, only_tls12).is_err() {
        report.before.push(Finding::new(&tls::TLS_NEW_ONLY, ""));
    }
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
