//! What comes before the first request: the handshakes, and what they show.

use super::cause::Finding;
use super::causes::{network, tls};
use super::chain::{self, Facts};
use super::connection::{self, Dial, Session, Variant};
use super::options::Options;

const WITHOUT_SNI: Variant = Variant {
    without_sni: true,
    only_tls12: false,
};

/// Connects, and looks at the certificates: what they say, and the version of TLS; nothing in clear. What is wrong with
/// them goes to `findings`.
///
/// # Errors
/// There is nobody to ask, and why.
pub fn greet(
    options: &Options,
    dial: &Dial,
    findings: &mut Vec<Finding>,
    tell: &mut dyn FnMut(&str),
) -> Result<Option<(Facts, String)>, Finding> {
    let greeted = connection::handshake(dial, Variant::default());
    let session = greeted.map_err(|finding| by_name(options, dial, finding))?;
    let Some((session, name)) = session.zip(dial.tls_name.as_ref()) else {
        return Ok(None);
    };
    let (roots, now) = (&options.authorities, options.console.now);
    let (facts, found) = chain::judge(&session.chain, name, roots, now);
    tell(&format!(
        "TLS: {}, {} days",
        session.version, facts.days_left
    ));
    findings.extend(found);
    findings.extend(variants(options, dial, &session));
    Ok(Some((facts, session.version)))
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

/// What fails, or differs, in a handshake that is not the usual one.
fn variants(options: &Options, dial: &Dial, session: &Session) -> Vec<Finding> {
    let mut findings = Vec::new();
    if options.target.address().is_none() {
        match connection::handshake(dial, WITHOUT_SNI) {
            Err(finding) => {
                let seen = format!("{} {}", finding.cause.label, finding.evidence);
                findings.push(Finding::new(&tls::SNI_REQUIRED, seen));
            }
            Ok(Some(other)) if other.chain.first() != session.chain.first() => {
                findings.push(Finding::new(&tls::SNI_OTHER_CERTIFICATE, ""));
            }
            Ok(_) => {}
        }
    }
    let only_tls12 = Variant {
        only_tls12: true,
        ..Variant::default()
    };
    if session.version == "TLSv1_3" && connection::handshake(dial, only_tls12).is_err() {
        findings.push(Finding::new(&tls::TLS_NEW_ONLY, ""));
    }
    findings
}
