//! `http`: what the listener without TLS does with requests that are not for us.

use std::num::NonZeroU16;

use super::section;
use crate::config::fault::Faults;
use crate::config::place::{Place, Section};

/// The listener without TLS. Endpoints and domain files are answered there in any case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Http {
    /// What happens to all other requests. Default: redirected.
    pub other: OtherRequests,
    /// The port in the redirect's `Location`; 443 is left out there. 1 to 65535; default 443.
    pub redirect_port: NonZeroU16,
}

/// What happens to a request in clear that is for no endpoint, domain file or ACME challenge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OtherRequests {
    /// 308 to https.
    Redirect,
    /// Streamed to the upstream.
    Forward,
}

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Http> {
    let http = section(root, "http", &["other", "redirect_port"], faults)?;
    let other = http.read(
        "other",
        "allowed are redirect and forward",
        faults,
        read_other,
    );
    let ports = "allowed is a port from 1 to 65535";
    let redirect_port = http.read("redirect_port", ports, faults, |place| {
        place.parse(|word| word.parse().ok())
    });
    Some(Http {
        other: other?,
        redirect_port: redirect_port?,
    })
}

fn read_other(place: &Place<'_>) -> Result<OtherRequests, crate::config::fault::Wrong> {
    place.parse(|word| match word {
        "redirect" => Some(OtherRequests::Redirect),
        "forward" => Some(OtherRequests::Forward),
        _ => None,
    })
}
