//! `endpoints`: the callback URLs answered here.

use super::endpoint_path::{self, EndpointPath, PATH};
use super::messages::{self, Messages};
use super::{Networks, credentials, is_label, networks};
use crate::config::duration;
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::repeats;
use crate::wechat::{Credentials, Platform};

/// A callback URL registered in a console.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The label in metrics and logs; unique, 1 to 64 of `A-Z a-z 0-9 _ . -`.
    pub name: String,
    /// The only host it answers for, in lower case and without port; `None`: any. One with a host is more specific
    /// than one without at the same path.
    pub host: Option<String>,
    /// Compare it with `path.strip_suffix('/').unwrap_or(path)` of a request.
    pub path: EndpointPath,
    /// Which console it is registered in.
    pub platform: Platform,
    /// What proves a verification or message.
    pub credentials: Credentials,
    /// How far a timestamp may be from now, in seconds, at least 1; `None`: it is not looked at. Default `None`.
    pub timestamp_window: Option<u64>,
    /// Who may verify and send messages; `None`: everybody. Pages on the same path are open to all. Default `None`.
    pub allow: Option<Networks>,
    /// What becomes of messages.
    pub messages: Messages,
}

pub(super) const KEYS: [&str; 9] = [
    "name",
    "host",
    "path",
    "platform",
    "tokens",
    "encoding_aes_keys",
    "receive_ids",
    "timestamp_window",
    "allow",
];
const NAME: &str = "allowed are 1 to 64 of A-Z a-z 0-9 _ . -";
const HOST: &str =
    "allowed is a host name without port such as wx.example.com (xn--… for Chinese names)";
const PLATFORM: &str = "allowed are official_account, wecom and open_platform";
const WINDOW: &str =
    "allowed is off or a duration in whole seconds such as 300s or 5m, at most 24h";

/// What must not repeat among endpoints, as far as it could be read.
#[derive(Default)]
struct Seen<'c> {
    names: Vec<(Place<'c>, String)>,
    addresses: Vec<(Place<'c>, (Option<String>, String))>,
}

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Vec<Endpoint>> {
    let allowed = "allowed is a list of {name, path, platform, tokens, …}";
    let items = root.read("endpoints", allowed, faults, Place::items)?;
    let mut seen = Seen::default();
    let endpoints: Vec<_> = items
        .into_iter()
        .map(|item| read_endpoint(item, &mut seen, faults))
        .collect();
    repeats::refuse(
        seen.names.iter(),
        "each endpoint needs its own name",
        faults,
        |first| format!("the same name as {first}"),
    );
    let once = "each host and path may stand once; an endpoint may have several tokens and keys";
    repeats::refuse(seen.addresses.iter(), once, faults, |first| {
        format!("the same host and path as {first}")
    });
    endpoints.into_iter().collect()
}

fn read_endpoint<'c>(
    item: Place<'c>,
    seen: &mut Seen<'c>,
    faults: &mut Faults,
) -> Option<Endpoint> {
    let keys = [&KEYS[..], &messages::KEYS].concat();
    let endpoint = Section::open(item, &keys, faults)?;
    let name = endpoint.read("name", NAME, faults, read_name);
    let host = match endpoint.get("host") {
        Some(_) => endpoint.read("host", HOST, faults, read_host).map(Some),
        None => Some(None),
    };
    let path = endpoint.read("path", PATH, faults, endpoint_path::read);
    let platform = endpoint.read("platform", PLATFORM, faults, |place| {
        place.parse(Platform::parse)
    });
    let credentials = credentials::read(&endpoint, platform, faults);
    let timestamp_window = match endpoint.get("timestamp_window") {
        Some(_) => endpoint.read("timestamp_window", WINDOW, faults, read_window),
        None => Some(None),
    };
    let allow = match endpoint.get("allow") {
        Some(_) => networks::read(&endpoint, "allow", faults).map(Some),
        None => Some(None),
    };
    let has_window = endpoint.get("timestamp_window").is_some() && timestamp_window != Some(None);
    let messages = messages::read(
        &endpoint,
        platform,
        credentials.as_ref(),
        has_window,
        faults,
    );
    if let Some((name, place)) = name.clone().zip(endpoint.get("name")) {
        seen.names.push((place, name));
    }
    let shape = path.as_ref().map(EndpointPath::shape);
    if let Some((address, place)) = host.clone().zip(shape).zip(endpoint.get("path")) {
        seen.addresses.push((place, address));
    }
    Some(Endpoint {
        name: name?,
        host: host?,
        path: path?,
        platform: platform?,
        credentials: credentials?,
        timestamp_window: timestamp_window?,
        allow: allow?,
        messages: messages?,
    })
}

fn read_name(place: &Place<'_>) -> Result<String, Wrong> {
    match place.text()? {
        name if is_label(name, 64) => Ok(name.to_owned()),
        _ => Err(Wrong::found(format!("found {}", place.shown()))),
    }
}

fn read_host(place: &Place<'_>) -> Result<String, Wrong> {
    let host = place.text()?;
    let is_label = |label: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(is_allowed)
    };
    if host.len() <= 253 && host.split('.').all(is_label) {
        Ok(host.to_ascii_lowercase())
    } else {
        Err(Wrong::found(format!("found {}", place.shown())))
    }
}

fn read_window(place: &Place<'_>) -> Result<Option<u64>, Wrong> {
    if place.word()? == "off" {
        return Ok(None);
    }
    let window = duration::limit(place)?;
    if window.subsec_nanos() != 0 {
        return Err(Wrong::found(format!("found {}", place.shown())));
    }
    Ok(Some(window.as_secs()))
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{fault, settings};

    fn yaml(more: &str) -> String {
        format!("endpoints: [{{name: a, platform: official_account, tokens: abc, {more}}}]\n")
    }

    #[test]
    fn a_host_is_a_name_in_any_case_without_a_port() {
        let settings = settings(&yaml("path: /a, host: WX.Example.com"));
        assert_eq!(
            settings.live.endpoints[0].host.as_deref(),
            Some("wx.example.com")
        );
        for host in [
            "",
            "a:443",
            "http://a",
            "a..b",
            "a/b",
            "微信.com",
            "a.",
            "[::1]",
        ] {
            let fault = fault(&yaml(&format!("path: /a, host: \"{host}\"")));
            assert!(
                fault.starts_with("endpoints[0].host (config.yaml): found \""),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_name_is_text_that_can_be_a_label() {
        for name in ["''", "a b", "商店", "'a/b'", "7", &"a".repeat(65)] {
            let fault = fault(&format!(
                "endpoints: [{{name: {name}, path: /a, platform: official_account, tokens: abc}}]"
            ));
            assert!(
                fault.starts_with("endpoints[0].name (config.yaml): found "),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_window_is_off_or_whole_seconds() {
        for (window, expected) in [("off", None), ("5m", Some(300)), ("1s", Some(1))] {
            let settings = settings(&yaml(&format!("path: /a, timestamp_window: {window}")));
            assert_eq!(settings.live.endpoints[0].timestamp_window, expected);
        }
        for window in ["on", "300", "0s", "1500ms", "25h", "null"] {
            let fault = fault(&yaml(&format!("path: /a, timestamp_window: {window}")));
            assert!(
                fault.starts_with("endpoints[0].timestamp_window (config.yaml): "),
                "{fault}"
            );
        }
    }

    #[test]
    fn an_endpoint_with_a_host_may_share_its_path_with_one_without() {
        let two = |first: &str, second: &str| {
            format!(
                "endpoints:\n  - {{name: a, path: /wx, platform: official_account, tokens: abc{first}}}\n  \
                 - {{name: b, path: /wx/, platform: official_account, tokens: abc{second}}}\n"
            )
        };
        assert_eq!(settings(&two("", ", host: a.com")).live.endpoints.len(), 2);
        let fault = fault(&two(", host: A.com", ", host: a.com"));
        assert!(
            fault.contains("the same host and path as endpoints[0].path"),
            "{fault}"
        );
    }
}
