//! Which mistake a server makes that refuses good requests: those that it would take if it made that mistake, sent to
//! it until it takes one.

use super::answer::Answer;
use super::cause::{Cause, Finding};
use super::causes::check;
use super::console::{Console, Signing};
use super::judge::differ;
use super::spelling::Spelling;
use crate::wechat::Platform;

/// Other endpoints of the same configuration that are tried.
const MOST_OTHERS: usize = 8;

/// A request that only a server with this mistake takes.
#[derive(Clone, Debug)]
pub struct Miss {
    /// Who asks.
    pub console: Console,
    /// How the signature is made.
    pub signing: Signing,
    /// What it shows if it is taken.
    pub finding: Finding,
}

/// The mistakes that are tried, the likeliest first. `others` are further endpoints by name.
#[must_use]
pub fn all(console: &Console, others: &[(String, Console)]) -> Vec<Miss> {
    let is_wecom = console.platform == Platform::Wecom;
    let miss = |signing, cause: &'static Cause, evidence: &str| Miss {
        console: console.clone(),
        signing,
        finding: Finding::new(cause, evidence),
    };
    let turned = if is_wecom {
        &check::ECHOSTR_NOT_IN_DIGEST
    } else {
        &check::ECHOSTR_IN_DIGEST
    };
    let mut misses = vec![
        miss(Signing::EchoTurned, turned, ""),
        miss(Signing::Unsorted, &check::UNSORTED, ""),
    ];
    if is_wecom {
        misses.push(miss(Signing::EchoEncoded, &check::ECHOSTR_NOT_DECODED, ""));
    }
    misses.extend(other_scheme(console));
    if is_wecom && !console.receive_id.is_empty() {
        let mut nobody = miss(Signing::Good, &check::RECEIVE_ID_EMPTY, "");
        nobody.console.receive_id = String::new();
        misses.push(nobody);
    }
    misses.extend(Spelling::ALL.map(|spelling| {
        let cause = match spelling {
            Spelling::Empty => &check::TOKEN_EMPTY,
            _ => &check::TOKEN_MISSPELT,
        };
        miss(Signing::Respelt(spelling), cause, spelling.name())
    }));
    for (name, other) in others.iter().take(MOST_OTHERS) {
        let mut token = miss(Signing::Good, &check::TOKEN_OF_ANOTHER, name);
        token.console.token = other.token.clone();
        misses.push(token);
        if is_wecom && other.key.is_some() {
            let mut key = miss(Signing::Good, &check::KEY_OF_ANOTHER, name);
            key.console.key = other.key.clone();
            misses.push(key);
        }
    }
    misses
}

fn other_scheme(console: &Console) -> Option<Miss> {
    let platform = match console.platform {
        Platform::Wecom | Platform::OpenPlatform => Platform::OfficialAccount,
        Platform::OfficialAccount if console.key.is_some() => Platform::Wecom,
        Platform::OfficialAccount => return None,
    };
    Some(Miss {
        console: Console {
            platform,
            ..console.clone()
        },
        signing: Signing::Good,
        finding: Finding::new(&check::OTHER_SCHEME, platform.name()),
    })
}

/// Whether a server that answers a good request otherwise than forged ones looks into envelopes, and fails there. Bodies
/// tell nothing where those of two forged ones differ.
#[must_use]
pub fn opening_fails(good: &Answer, forged: [&Answer; 2]) -> Option<Finding> {
    let [one, other] = forged;
    let is_other_status = one.status == other.status && good.status != one.status;
    let is_other_body = !differ(one, other) && differ(good, one);
    (is_other_status || is_other_body).then(|| {
        let seen = format!("HTTP {} / HTTP {}", good.status, one.status);
        Finding::new(&check::OPENING_FAILS, seen)
    })
}
