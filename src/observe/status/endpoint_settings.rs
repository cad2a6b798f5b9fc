//! The configuration of one endpoint as it is in force, its secrets hidden.

use std::time::Duration;

use super::setting::{HIDDEN, Settings};
use crate::config::{Deliver, Endpoint, Messages, Replay};
use crate::wechat::{ReceiveIds, Scheme};

/// All keys of one endpoint, which is the one of this number.
pub(super) fn add(settings: &mut Settings, number: usize, endpoint: &Endpoint) {
    let Endpoint {
        name,
        host,
        path,
        platform,
        credentials,
        timestamp_window,
        allow,
        messages,
    } = endpoint;
    let key = |key: &str| format!("endpoints[{number}].{key}");
    let hidden = |count: usize| std::iter::repeat_n(HIDDEN.to_owned(), count);
    settings.add(key("name"), name);
    if let Some(host) = host {
        settings.add(key("host"), host);
    }
    settings.add(key("path"), path.shown());
    settings.add(key("platform"), platform.name());
    settings.list(key("tokens"), hidden(credentials.tokens.len()));
    settings.list(key("encoding_aes_keys"), hidden(credentials.keys().len()));
    if let Scheme::Encrypted(envelopes) | Scheme::Either(envelopes) = &credentials.scheme {
        match &envelopes.receive_ids {
            ReceiveIds::Any => settings.add(key("receive_ids"), "any"),
            ReceiveIds::OneOf(ids) => {
                settings.list(key("receive_ids"), ids.iter().map(|id| format!("{id:?}")));
            }
        }
    }
    let window = timestamp_window.map(Duration::from_secs);
    settings.time_or_off(&key("timestamp_window"), window);
    if let Some(allow) = allow {
        settings.networks(key("allow"), allow);
    }
    add_messages(settings, &key, messages);
}

fn add_messages(settings: &mut Settings, key: &dyn Fn(&str) -> String, messages: &Messages) {
    let Messages {
        handling,
        mode,
        deliver,
        reply_within,
        replay,
    } = messages;
    settings.add(key("messages"), handling.name());
    settings.add(key("mode"), mode.name());
    settings.add(
        key("deliver"),
        match deliver {
            Deliver::Xml => "xml",
            Deliver::Json => "json",
        },
    );
    settings.time_or_off(&key("reply_within"), *reply_within);
    match replay {
        None => settings.add(key("replay"), "off"),
        Some(Replay { remember, times }) => {
            settings.add(key("replay.remember"), remember);
            settings.add(key("replay.times"), times);
        }
    }
}
