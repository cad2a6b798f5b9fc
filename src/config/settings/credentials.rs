//! An endpoint's `tokens`, `encoding_aes_keys` and `receive_ids`, which must fit its platform and each other.

use std::error::Error;

use figment::value::Value;

use crate::config::fault::{Fault, Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::repeats;
use crate::config::secret::{self, SECRET, Secret};
use crate::wechat::{AesKey, Credentials, Envelopes, Platform, ReceiveIds, Scheme, Token};

const TOKENS: &str = "allowed is a list of secrets: text, {file: PATH} or {env: NAME}";
const KEYS: &str = "allowed is a list of secrets, each the 43 characters of an EncodingAESKey";
const IDS: &str = "allowed is a list of ids such as [ww1234567890abcdef], with \"\" for an empty one, or the word any";
const COPY: &str = "copy it from the console once more";
const ID: &str =
    "allowed is an id as text, in ASCII without blanks or quotes, or \"\" for an empty one";

/// `platform` is `None` where it could not be read: then nothing is said about what it needs.
pub(super) fn read(
    endpoint: &Section<'_>,
    platform: Option<Platform>,
    faults: &mut Faults,
) -> Option<Credentials> {
    let tokens = read_tokens(endpoint, faults);
    let has_keys = endpoint.get("encoding_aes_keys").is_some();
    let needs_keys = matches!(platform, Some(Platform::Wecom | Platform::OpenPlatform));
    let keys = if has_keys || needs_keys {
        read_keys(endpoint, faults).map(Some)
    } else {
        Some(None)
    };
    let receive_ids = if has_keys || needs_keys {
        endpoint
            .read("receive_ids", IDS, faults, |place| Ok(place.clone()))
            .and_then(|place| read_receive_ids(&place, faults))
            .map(Some)
    } else if has_lonely_ids(endpoint, platform, faults) {
        None
    } else {
        Some(None)
    };
    let (tokens, keys, receive_ids) = (tokens?, keys?, receive_ids?);
    let scheme = match (platform?, keys.zip(receive_ids)) {
        (_, None) => Scheme::Plain,
        (Platform::OfficialAccount, Some((keys, receive_ids))) => {
            Scheme::Either(Envelopes { keys, receive_ids })
        }
        (Platform::Wecom | Platform::OpenPlatform, Some((keys, receive_ids))) => {
            Scheme::Encrypted(Envelopes { keys, receive_ids })
        }
    };
    Some(Credentials { tokens, scheme })
}

fn read_tokens(endpoint: &Section<'_>, faults: &mut Faults) -> Option<Vec<Token>> {
    let secrets = read_secrets(endpoint, "tokens", TOKENS, faults)?;
    repeats::refuse(
        secrets.iter().flatten(),
        "each token may stand once",
        faults,
        |first| format!("the same token as {first}"),
    );
    let tokens: Vec<_> = secrets
        .into_iter()
        .map(|secret| {
            let (place, secret) = secret?;
            let token = Token::new(secret.into_exposed())
                .map_err(|error| unusable("the token", &place, error));
            faults.keep(token)
        })
        .collect();
    tokens.into_iter().collect()
}

fn read_keys(endpoint: &Section<'_>, faults: &mut Faults) -> Option<Vec<AesKey>> {
    let secrets = read_secrets(endpoint, "encoding_aes_keys", KEYS, faults)?;
    let keys: Vec<_> = secrets
        .into_iter()
        .map(|secret| {
            let (place, secret) = secret?;
            let key = AesKey::from_encoding_aes_key(secret.expose())
                .map_err(|error| unusable("the key", &place, error));
            Some((place, faults.keep(key)?))
        })
        .collect();
    repeats::refuse(
        keys.iter().flatten(),
        "each key may stand once",
        faults,
        |first| format!("the same key as {first}"),
    );
    keys.into_iter().map(|key| Some(key?.1)).collect()
}

fn unusable<E: Error + Send + Sync + 'static>(what: &str, place: &Place<'_>, error: E) -> Fault {
    let found = format!("{} {error}", secret::described(what, place));
    place.fault(Wrong::found(found).telling(error), COPY)
}

/// A list of secrets, or a single one in its stead. Those that could not be read are `None`; the others are still
/// checked.
fn read_secrets<'c>(
    endpoint: &Section<'c>,
    key: &str,
    allowed: &str,
    faults: &mut Faults,
) -> Option<Vec<Option<(Place<'c>, Secret)>>> {
    let place = endpoint.required(key, allowed, faults)?;
    let items = match place.value() {
        Value::Array(..) => place.items().unwrap_or_default(),
        _ => vec![place.clone()],
    };
    if items.is_empty() {
        faults.push(place.fault(Wrong::found("found an empty list"), allowed));
        return None;
    }
    let secrets = items.into_iter().map(|item| {
        let secret = secret::read(&item).map_err(|wrong| item.fault(wrong, SECRET));
        Some((item, faults.keep(secret)?))
    });
    Some(secrets.collect())
}

fn read_receive_ids(place: &Place<'_>, faults: &mut Faults) -> Option<ReceiveIds> {
    if place.value().as_str() == Some("any") {
        return Some(ReceiveIds::Any);
    }
    let items = match place.items() {
        Ok(items) if items.is_empty() => Err(Wrong::found("found an empty list")),
        // Text that is not `any` is shown: an id is no secret.
        Err(_) if place.value().as_str().is_some() => {
            Err(Wrong::found(format!("found {}", place.shown())))
        }
        other => other,
    };
    let items = faults.keep(items.map_err(|wrong| place.fault(wrong, IDS)))?;
    let ids: Vec<_> = items
        .iter()
        .map(|item| faults.keep(read_id(item).map_err(|wrong| item.fault(wrong, ID))))
        .collect();
    let ids: Option<Vec<_>> = ids.into_iter().collect();
    ids.map(ReceiveIds::OneOf)
}

fn read_id(place: &Place<'_>) -> Result<String, Wrong> {
    match place.text()? {
        "any" => Err(Wrong::found("found any in a list").but("write receive_ids: any")),
        id if id.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'')) => {
            Err(Wrong::found(format!("found {}", place.shown())))
        }
        id => Ok(id.to_owned()),
    }
}

/// Receive ids end an envelope; without a key none is ever opened, and the check they promise would not happen.
fn has_lonely_ids(endpoint: &Section<'_>, platform: Option<Platform>, faults: &mut Faults) -> bool {
    let Some(ids) = endpoint.get("receive_ids").filter(|_| platform.is_some()) else {
        return false;
    };
    let wrong = Wrong::found("given without encoding_aes_keys");
    faults.push(ids.fault(wrong, "add encoding_aes_keys, or remove receive_ids"));
    true
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{fault, settings};
    use crate::wechat::{ReceiveIds, Scheme};

    const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

    fn yaml(platform: &str, more: &str) -> String {
        let more = more.replace("KEY", KEY);
        format!("endpoints: [{{name: a, path: /a, platform: {platform}, {more}}}]\n")
    }

    fn scheme(platform: &str, more: &str) -> Scheme {
        let settings = settings(&yaml(platform, more));
        settings.live.endpoints[0].credentials.scheme.clone()
    }

    #[test]
    fn platform_and_keys_decide_the_scheme() {
        let keys = "tokens: abc, encoding_aes_keys: [KEY], receive_ids: ['', wx1]";
        assert!(matches!(
            scheme("official_account", "tokens: abc"),
            Scheme::Plain
        ));
        let ids = vec![String::new(), "wx1".to_owned()];
        match scheme("official_account", keys) {
            Scheme::Either(envelopes) => {
                assert_eq!(envelopes.receive_ids, ReceiveIds::OneOf(ids));
                assert_eq!(envelopes.keys.len(), 1);
            }
            other => panic!("{other:?}"),
        }
        let any = "tokens: abc, encoding_aes_keys: KEY, receive_ids: any";
        match scheme("wecom", any) {
            Scheme::Encrypted(envelopes) => assert_eq!(envelopes.receive_ids, ReceiveIds::Any),
            other => panic!("{other:?}"),
        }
    }

    /// Checks that the only fault of an endpoint starts so.
    fn refused(platform: &str, more: &str, expected: &str) {
        let fault = fault(&yaml(platform, more));
        assert!(
            fault.starts_with(&format!("endpoints[0].{expected}")),
            "{more}: {fault}"
        );
    }

    #[test]
    fn a_missing_bad_or_repeated_secret_is_refused_where_it_stands() {
        for (tokens, expected) in [
            ("", "tokens (config.yaml): missing"),
            ("tokens: []", "tokens (config.yaml): found an empty list"),
            ("tokens: ''", "tokens (config.yaml): the token is empty"),
            ("tokens: null", "tokens (config.yaml): found nothing"),
            ("tokens: [[abc]]", "tokens[0] (config.yaml): found a list"),
            (
                "tokens: [a, b, a]",
                "tokens[2] (config.yaml): the same token as endpoints[0].tokens[0]",
            ),
        ] {
            refused("official_account", tokens, expected);
        }
        let surplus = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2D";
        refused(
            "wecom",
            &format!("tokens: abc, encoding_aes_keys: [KEY, {surplus}], receive_ids: any"),
            "encoding_aes_keys[1] (config.yaml): the same key as endpoints[0].encoding_aes_keys[0]",
        );
    }

    #[test]
    fn receive_ids_and_keys_need_each_other() {
        for (platform, more, expected) in [
            (
                "official_account",
                "receive_ids: any",
                "receive_ids (config.yaml): given without",
            ),
            (
                "official_account",
                "encoding_aes_keys: KEY",
                "receive_ids (config.yaml): missing",
            ),
            (
                "wecom",
                "receive_ids: any",
                "encoding_aes_keys (config.yaml): missing",
            ),
        ] {
            refused(platform, &format!("tokens: abc, {more}"), expected);
        }
    }

    #[test]
    fn receive_ids_are_a_list_of_text_or_any_written_out() {
        for (ids, expected) in [
            ("[]", "receive_ids (config.yaml): found an empty list"),
            ("Any", "receive_ids (config.yaml): found \"Any\""),
            ("[any]", "receive_ids[0] (config.yaml): found any in a list"),
            ("[' wx1']", "receive_ids[0] (config.yaml): found \" wx1\""),
            (
                "[1000002]",
                "receive_ids[0] (config.yaml): found the number 1000002 where text belongs",
            ),
        ] {
            let more = format!("tokens: abc, encoding_aes_keys: KEY, receive_ids: {ids}");
            refused("wecom", &more, expected);
        }
    }
}
