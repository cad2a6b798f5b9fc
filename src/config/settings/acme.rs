//! `tls.acme`: certificates that the program obtains and renews by itself.
//!
//! Read in every build, so that one without ACME says so instead of "unknown key".

use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, DnsName};

use super::external_account::{self, ExternalAccount};
use super::listen;
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::{authorities, certificate, repeats};

/// How certificates are obtained, and for what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acme {
    /// URL of the server's directory, https. Default: Let's Encrypt's.
    pub directory: String,
    /// URIs such as `mailto:admin@example.com`, told to the server with a new account. Default none.
    pub contact: Vec<String>,
    /// The names of the certificate, in lower case, no two the same; 1 to 100.
    pub hosts: Vec<String>,
    /// How the server is shown that the names are ours. Default TLS-ALPN-01.
    pub challenge: ChallengeType,
    /// Absolute path of the folder for accounts, keys and certificates.
    pub storage: PathBuf,
    /// For servers that want an account of their own kind first. Default none.
    pub external_account: Option<ExternalAccount>,
    /// Whom to believe to be the server, DER, at least one. Default: the system's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// When to renew, unless the server says when. Default 33 % of the certificate's life before its end.
    pub renew_before: RenewBefore,
    /// The pause after a first failure; each further one doubles it, up to 12 hours. 1s to 12h; default 5m.
    pub retry_pause: Duration,
}

/// How the server is shown that a name is ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChallengeType {
    /// RFC 8737: by a certificate on the https listener.
    TlsAlpn01,
    /// RFC 8555 section 8.3: by a text on the http listener.
    Http01,
}

impl ChallengeType {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Http01 => "http-01",
        }
    }
}

/// How long before its end a certificate is renewed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RenewBefore {
    /// Per cent of its life, 1 to 90.
    Percent(u8),
    /// A time; more than nine tenths of the certificate's life count as nine tenths.
    Time(Duration),
}

/// The names of its certificate, and of what stands in for it, in metrics and logs.
pub(super) const NAMES: [&str; 2] = ["acme", "acme-placeholder"];

const KEYS: [&str; 10] = [
    "directory",
    "accept_terms",
    "contact",
    "hosts",
    "challenge",
    "storage",
    "external_account",
    "ca",
    "renew_before",
    "retry_pause",
];
const PRODUCTION: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
const MOST_HOSTS: usize = 100;
const LONGEST_RENEWAL: Duration = Duration::from_hours(365 * 24);
const LONGEST_PAUSE: Duration = Duration::from_hours(12);

const DIRECTORY: &str = "allowed are staging (Let's Encrypt's) and an https:// URL";
const TERMS: &str =
    "allowed is true, which says that you have read the server's terms of service and accept them";
const CONTACT: &str = "allowed is a list of addresses such as [admin@example.com]";
const HOSTS: &str = "allowed is a list of 1 to 100 host names such as [www.example.com]; no addresses, \
                     no wildcards";
const CHALLENGE: &str = "allowed are tls-alpn-01 and http-01";
const STORAGE: &str = "allowed is the absolute path of a folder, such as /var/lib/wxgate/acme";
const CA: &str = "allowed is the path of a PEM file";
const RENEW: &str = "allowed is a share of the certificate's life from 1% to 90%, or a duration with a unit such \
                     as 30days, at most 365days";
const PAUSE: &str = "allowed is a duration with a unit such as 5m, from 1s to 12h";

/// The section, which need not be there.
pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Option<Acme>> {
    let Some(place) = place(root) else {
        return Some(None);
    };
    if !cfg!(feature = "acme") {
        let wrong = Wrong::found("this build of wxgate has no ACME");
        faults.push(place.fault(
            wrong,
            "take a package or an image, build with `--features acme`, or remove this",
        ));
        return None;
    }
    read_section(place, root, faults).map(Some)
}

/// What is wrong with `tls` itself is said where that is read.
fn place<'c>(root: &Section<'c>) -> Option<Place<'c>> {
    let tls = root.get("tls")?;
    tls.value().as_dict()?;
    Section::open(tls, &["acme"], &mut Faults::default())?.get("acme")
}

fn read_section(place: Place<'_>, root: &Section<'_>, faults: &mut Faults) -> Option<Acme> {
    let acme = Section::open(place, &KEYS, faults)?;
    let terms = acme.read("accept_terms", TERMS, faults, |place| {
        place.parse(|word| (word == "true").then_some(()))
    });
    let directory = or(&acme, "directory", PRODUCTION.to_owned(), |acme| {
        acme.read("directory", DIRECTORY, faults, read_directory)
    });
    let contact = or(&acme, "contact", Vec::new(), |acme| {
        read_contact(acme, faults)
    });
    let hosts = read_hosts(&acme, faults);
    let challenge = read_challenge(&acme, root, faults);
    let storage = acme.read("storage", STORAGE, faults, |place| {
        let path = PathBuf::from(place.text()?);
        let is_absolute = path.is_absolute();
        is_absolute
            .then_some(path)
            .ok_or_else(|| Wrong::found(format!("found {}", place.shown())))
    });
    let external_account = external_account::read(&acme, faults);
    let authorities = match acme.get("ca") {
        None => faults.keep(authorities::system("tls.acme.ca", "the ACME server's")),
        Some(_) => acme.read("ca", CA, faults, |place| {
            let config = place.config();
            certificate::read_authorities(config.files(), &config.resolve(place.text()?))
        }),
    };
    let renew_before = or(&acme, "renew_before", RenewBefore::Percent(33), |acme| {
        acme.read("renew_before", RENEW, faults, read_renew_before)
    });
    let retry_pause = or(&acme, "retry_pause", Duration::from_mins(5), |acme| {
        acme.read("retry_pause", PAUSE, faults, |place| {
            time(place, Duration::from_secs(1)..=LONGEST_PAUSE)
        })
    });
    terms?;
    Some(Acme {
        directory: directory?,
        contact: contact?,
        hosts: hosts?,
        challenge: challenge?,
        storage: storage?,
        external_account: external_account?,
        authorities: authorities?,
        renew_before: renew_before?,
        retry_pause: retry_pause?,
    })
}

/// What `read` makes of a key, or the default where it was not written.
fn or<T>(
    section: &Section<'_>,
    key: &str,
    default: T,
    read: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Option<T> {
    match section.get(key) {
        None => Some(default),
        Some(_) => read(section),
    }
}

fn read_directory(place: &Place<'_>) -> Result<String, Wrong> {
    place.parse(|word| {
        if word == "staging" {
            return Some(STAGING.to_owned());
        }
        let url: http::Uri = word.parse().ok()?;
        let is_usable = url.scheme_str() == Some("https") && !word.contains('@');
        (is_usable && url.host().is_some_and(|host| !host.is_empty())).then(|| word.to_owned())
    })
}

fn read_contact(acme: &Section<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let items = acme.read("contact", CONTACT, faults, Place::items)?;
    let contacts: Vec<_> = items
        .into_iter()
        .map(|item| {
            let address = item.parse(|word| {
                let address = word.strip_prefix("mailto:").unwrap_or(word);
                let (user, host) = address.split_once('@')?;
                let is_plain = address
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b',');
                (is_plain && !user.is_empty() && !host.is_empty())
                    .then(|| format!("mailto:{address}"))
            });
            faults.keep(address.map_err(|wrong| item.fault(wrong, CONTACT)))
        })
        .collect();
    contacts.into_iter().collect()
}

fn read_hosts(acme: &Section<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let items = acme.read("hosts", HOSTS, faults, |place| match place.items()? {
        items if items.is_empty() => Err(Wrong::found("there is no host")),
        items if items.len() > MOST_HOSTS => {
            Err(Wrong::found(format!("there are {} hosts", items.len())))
        }
        items => Ok(items),
    })?;
    let hosts: Vec<_> = items
        .into_iter()
        .map(|item| {
            let host = faults.keep(
                item.parse(read_host)
                    .map_err(|wrong| item.fault(wrong, HOSTS)),
            )?;
            Some((item, host))
        })
        .collect();
    repeats::refuse(
        hosts.iter().flatten(),
        "each host may stand once",
        faults,
        |first| format!("the same host as {first}"),
    );
    hosts.into_iter().map(|host| Some(host?.1)).collect()
}

/// A name with a dot and a letter in its last label: authorities certify no others.
fn read_host(word: &str) -> Option<String> {
    let name = word.to_ascii_lowercase();
    DnsName::try_from(name.as_str()).ok()?;
    let (_, last) = name.rsplit_once('.')?;
    let is_plain = !name.contains(['*', '_']);
    (is_plain && last.contains(|c: char| c.is_ascii_alphabetic())).then_some(name)
}

fn read_challenge(
    acme: &Section<'_>,
    root: &Section<'_>,
    faults: &mut Faults,
) -> Option<ChallengeType> {
    let challenge = or(acme, "challenge", ChallengeType::TlsAlpn01, |acme| {
        acme.read("challenge", CHALLENGE, faults, |place| {
            place.parse(|word| {
                [ChallengeType::TlsAlpn01, ChallengeType::Http01]
                    .into_iter()
                    .find(|challenge| challenge.name() == word)
            })
        })
    })?;
    let place = acme.get("challenge");
    let place = place.as_ref().unwrap_or_else(|| acme.place());
    if !listen::wants_tls(root) {
        let wrong = Wrong::found("listen.https is empty");
        faults.push(place.fault(
            wrong,
            "give it an address: it is what the certificate is for",
        ));
        return None;
    }
    if challenge == ChallengeType::Http01 && !listen::is_wanted(root, "http") {
        let wrong = Wrong::found("http-01 is answered by listen.http, which is empty");
        faults.push(place.fault(wrong, "give it an address, or write tls-alpn-01"));
        return None;
    }
    Some(challenge)
}

fn read_renew_before(place: &Place<'_>) -> Result<RenewBefore, Wrong> {
    let word = place.word()?;
    let Some(percent) = word.strip_suffix('%') else {
        return time(place, Duration::from_secs(1)..=LONGEST_RENEWAL).map(RenewBefore::Time);
    };
    let percent = percent.trim_end().parse().ok();
    percent
        .filter(|percent| (1..=90).contains(percent))
        .map(RenewBefore::Percent)
        .ok_or_else(|| Wrong::found(format!("found {}", place.shown())))
}

fn time(place: &Place<'_>, allowed: std::ops::RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    place.parse(|word| {
        let time = humantime::parse_duration(word).ok()?;
        allowed.contains(&time).then_some(time)
    })
}

#[cfg(test)]
mod tests {
    use crate::config::trial::Trial;

    fn trial(acme: &str) -> Trial {
        let yaml = format!("upstream: {{url: http://app}}\ntls: {{acme: {{ca: a.crt, {acme}}}}}\n");
        Trial::new(&yaml).with_certificate("a", &["a"])
    }

    #[cfg(not(feature = "acme"))]
    #[test]
    fn a_build_without_acme_says_so() {
        let refusal = trial("accept_terms: true").refusal();
        let expected =
            "1 fault:\n  tls.acme (config.yaml): this build of wxgate has no ACME; take a package";
        assert!(refusal.contains(expected), "{refusal}");
    }

    #[cfg(feature = "acme")]
    #[test]
    fn what_is_not_written_has_its_default() {
        use std::time::Duration;

        use crate::config::{ChallengeType, RenewBefore};

        let short = "accept_terms: true, hosts: [WWW.Example.com], storage: /s";
        let acme = trial(short).settings().boot.acme.unwrap();
        assert_eq!(acme.directory, super::PRODUCTION);
        assert_eq!(acme.hosts, ["www.example.com"]);
        assert!(acme.contact.is_empty() && acme.external_account.is_none());
        assert_eq!(acme.challenge, ChallengeType::TlsAlpn01);
        assert_eq!(acme.renew_before, RenewBefore::Percent(33));
        assert_eq!(acme.retry_pause, Duration::from_mins(5));
        let long = format!(
            "{short}, directory: staging, contact: [a@b.test, 'mailto:c@b.test'], renew_before: 30days, \
             external_account: {{key_id: k, hmac_key: {}}}",
            "QUJD".repeat(8)
        );
        let acme = trial(&long).settings().boot.acme.unwrap();
        assert_eq!(acme.directory, super::STAGING);
        assert_eq!(acme.contact, ["mailto:a@b.test", "mailto:c@b.test"]);
        let month = Duration::from_hours(30 * 24);
        assert_eq!(acme.renew_before, RenewBefore::Time(month));
        assert_eq!(*acme.external_account.unwrap().key(), b"ABC".repeat(8));
        let two = long.replace("ca: a.crt", "").replace("hosts", "hostz");
        assert!(trial(&two).refusal().contains("did you mean hosts?"));
    }

    #[cfg(feature = "acme")]
    #[test]
    fn its_certificate_s_names_are_its_own() {
        let yaml = "upstream: {url: http://app}\ntls: {certificates: [{cert: acme.crt, key: acme.key}], acme: \
                    {accept_terms: true, hosts: [a.test], storage: /s, ca: acme.crt}}\n";
        let refusal = Trial::new(yaml).with_certificate("acme", &["a"]).refusal();
        let expected = "tls.certificates[0].cert (config.yaml): acme is the name of the certificate of tls.acme";
        assert!(refusal.contains(expected), "{refusal}");
    }
}
