//! What comes before the first request: the handshakes, and what they show.

use std::time::{SystemTime, UNIX_EPOCH};

use super::cause::Finding;
use super::causes::{network, tls};
use super::chain;
use super::connection::{self, Dial, Session, Variant};
use super::options::Options;
use super::run::Report;

const WITHOUT_SNI: Variant = Variant {
    without_sni: true,
    only_tls12: false,
};

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
            report.before.push(by_name(options, dial, finding));
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

/// Why a handshake fails: for the name in it, perhaps.
fn by_name(options: &Options, dial: &Dial, finding: Finding) -> Finding {
    let may_be_cut = finding.cause.label == tls::TLS_BROKEN_OFF.label;
    let has_name = options.target.address().is_none();
    if may_be_cut && has_name && connection::handshake(dial, WITHOUT_SNI).is_ok() {
        return Finding::new(&network::NAME_CUT_OFF, finding.evidence);
    }
    finding
}

fn variants(options: &Options, dial: &Dial, session: &Session, report: &mut Report) {
    if options.target.address().is_none() {
        match connection::handshake(dial, WITHOUT_SNI) {
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
