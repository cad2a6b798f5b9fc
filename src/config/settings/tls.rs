//! `tls`: certificates and versions.

use rustls::pki_types::CertificateDer;

use super::ticket_keys::{self, TicketKey};
use super::{acme, is_label, listen, section};
use crate::config::certificate::{self, Certificate};
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::repeats;

/// How TLS is spoken.
#[derive(Clone, Debug)]
pub struct Tls {
    /// In the order written; the first serves clients without SNI. Names are unique. Not empty if there is an https
    /// listener and no `tls.acme`, whose certificate is put behind these.
    pub certificates: Vec<Certificate>,
    /// The lowest version spoken. Default 1.2.
    pub min_version: TlsVersion,
    /// Whether clients without SNI, or with a name that no certificate has, are refused. Default false.
    pub strict_sni: bool,
    /// Whether clients show certificates. Default off.
    pub client_auth: ClientAuth,
    /// The keys of session tickets, shared with other processes: the first seals, all open. Empty, which is the default,
    /// for keys of the process's own. Empty if clients show certificates.
    pub ticket_keys: Vec<TicketKey>,
}

/// Whether clients show certificates, and whose. The authorities are DER, at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientAuth {
    /// They are not asked.
    Off,
    /// They may; one that nobody listed has issued ends the handshake.
    Optional(Vec<CertificateDer<'static>>),
    /// They must.
    Required(Vec<CertificateDer<'static>>),
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

const LIST: &str = "allowed is a list of {cert: PATH, key: PATH}, with an optional name";
const PATH: &str = "allowed is the path of a PEM file";
const NAME: &str = "give a name of 1 to 64 of A-Z a-z 0-9 . _ -";

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Tls> {
    let tls = section(
        root,
        "tls",
        &[
            "certificates",
            "min_version",
            "strict_sni",
            "client_auth",
            "client_ca",
            "ticket_keys",
            "acme",
        ],
        faults,
    )?;
    let needs_certificate = listen::wants_tls(root) && tls.get("acme").is_none();
    let certificates = read_certificates(&tls, needs_certificate, faults);
    let min_version = tls.read("min_version", "allowed are 1.2 and 1.3", faults, |place| {
        place.parse(|word| match word {
            "1.2" => Some(TlsVersion::Tls12),
            "1.3" => Some(TlsVersion::Tls13),
            _ => None,
        })
    });
    let strict_sni = tls.read(
        "strict_sni",
        "allowed are true and false",
        faults,
        Place::switch,
    );
    let client_auth = read_client_auth(&tls, faults);
    let ticket_keys = ticket_keys::read(&tls, faults);
    if let (Some(auth), Some(keys)) = (&client_auth, &ticket_keys) {
        refuse_unused_keys(&tls, auth, keys, faults)?;
    }
    Some(Tls {
        client_auth: client_auth?,
        ticket_keys: ticket_keys?,
        certificates: certificates?,
        min_version: min_version?,
        strict_sni: strict_sni?,
    })
}

fn read_client_auth(tls: &Section<'_>, faults: &mut Faults) -> Option<ClientAuth> {
    let allowed = "allowed are off, optional and required";
    let make: Option<fn(_) -> _> = tls.read("client_auth", allowed, faults, |place| {
        place.parse(|word| match word {
            "off" => Some(None),
            "optional" => Some(Some(ClientAuth::Optional as fn(_) -> _)),
            "required" => Some(Some(ClientAuth::Required as fn(_) -> _)),
            _ => None,
        })
    })?;
    match (make, tls.get("client_ca")) {
        (None, None) => Some(ClientAuth::Off),
        (None, Some(place)) => {
            let wrong = Wrong::found("client certificates are not asked for");
            faults.push(place.fault(
                wrong,
                "set tls.client_auth to optional or required, or remove this",
            ));
            None
        }
        (Some(make), _) => tls
            .read("client_ca", PATH, faults, |place| {
                let config = place.config();
                certificate::read_authorities(config.files(), &config.resolve(place.text()?))
            })
            .map(make),
    }
}

/// Nothing is resumed where clients show certificates.
fn refuse_unused_keys(
    tls: &Section<'_>,
    auth: &ClientAuth,
    keys: &[TicketKey],
    faults: &mut Faults,
) -> Option<()> {
    match tls.get("ticket_keys") {
        Some(place) if *auth != ClientAuth::Off && !keys.is_empty() => {
            let found = "certificates of clients are asked for, so no session is resumed";
            let allowed = "set tls.client_auth to off, or remove this";
            faults.push(place.fault(Wrong::found(found), allowed));
            None
        }
        _ => Some(()),
    }
}

fn read_certificates(
    tls: &Section<'_>,
    needs_one: bool,
    faults: &mut Faults,
) -> Option<Vec<Certificate>> {
    let items = tls.read("certificates", LIST, faults, |place| {
        match place.items()? {
            items if items.is_empty() && needs_one => {
                let allowed = "listen.https needs at least one {cert: PATH, key: PATH}";
                Err(Wrong::found("there is no certificate").but(allowed))
            }
            items => Ok(items),
        }
    })?;
    let mut names = Vec::new();
    let certificates: Vec<_> = items
        .into_iter()
        .map(|item| read_certificate(item, &mut names, faults))
        .collect();
    repeats::refuse(
        names.iter(),
        "give each certificate a name of its own",
        faults,
        |first| format!("the same name as {first}; without `name` it is the file name of `cert`"),
    );
    for (place, name) in &names {
        if tls.get("acme").is_some() && acme::NAMES.contains(&name.as_str()) {
            let wrong = Wrong::found(format!("{name} is the name of the certificate of tls.acme"));
            faults.push(place.fault(wrong, "give this one another name"));
        }
    }
    certificates.into_iter().collect()
}

fn read_certificate<'c>(
    item: Place<'c>,
    names: &mut Vec<(Place<'c>, String)>,
    faults: &mut Faults,
) -> Option<Certificate> {
    let pair = Section::open(item, &["name", "cert", "key"], faults)?;
    let name = read_name(&pair, names, faults);
    let path = |place: &Place<'_>| Ok(place.config().resolve(place.text()?));
    let cert_path = pair.read("cert", PATH, faults, path);
    let key_path = pair.read("key", PATH, faults, path);
    let chain = cert_path.as_deref().and_then(|path| {
        pair.read("cert", PATH, faults, |place| {
            certificate::read_chain(place.config().files(), path)
        })
    });
    let key = key_path.as_deref().and_then(|path| {
        pair.read("key", PATH, faults, |place| {
            certificate::read_key(place.config().files(), path)
        })
    });
    let paths = (&*cert_path?, &*key_path?);
    let (chain, key) = (chain?, key?);
    // The name is asked for last: a key that does not match is shown beside a bad name.
    let certificate = pair.read("key", PATH, faults, |_| {
        certificate::pair(name.clone().unwrap_or_default(), chain, key, paths)
    });
    name.and(certificate)
}

fn read_name<'c>(
    pair: &Section<'c>,
    names: &mut Vec<(Place<'c>, String)>,
    faults: &mut Faults,
) -> Option<String> {
    let place = pair.get("name").or_else(|| pair.get("cert"))?;
    let text = match pair.get("name") {
        Some(name) => faults.keep(name.text().map_err(|wrong| name.fault(wrong, NAME)))?,
        // What is wrong with `cert` is said where `cert` is read.
        None => std::path::Path::new(place.text().ok()?)
            .file_stem()?
            .to_str()?,
    };
    if !is_label(text, 64) {
        let wrong = Wrong::found(format!("found {text:?} as the certificate's name"));
        faults.push(place.fault(wrong, NAME));
        return None;
    }
    names.push((place, text.to_owned()));
    Some(text.to_owned())
}
