//! `tls.ticket_keys`: the keys of session tickets that several processes share, each a file of random bytes.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::repeats;

/// What nginx takes for a key: those files serve both.
const LENGTHS: [usize; 2] = [48, 80];
/// More than any rotation has, and each is tried for a name.
const MOST: usize = 16;
const LIST: &str = "allowed is a list of up to 16 paths";
const FILE: &str =
    "allowed are 80 or 48 random bytes as they are, not base64 or hex: openssl rand -out FILE 80";

/// Random bytes, 48 or 80, of which the keys of tickets are made. Wiped from memory when dropped; `Debug` shows none.
#[derive(Clone)]
pub struct TicketKey(Zeroizing<Vec<u8>>);

impl TicketKey {
    /// The bytes. Whoever asks must not show them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(***)")
    }
}

impl PartialEq for TicketKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

pub(super) fn read(tls: &Section<'_>, faults: &mut Faults) -> Option<Vec<TicketKey>> {
    let items = tls.read("ticket_keys", LIST, faults, |place| {
        match place.items()? {
            items if items.len() > MOST => Err(Wrong::found(format!("found {}", items.len()))),
            items => Ok(items),
        }
    })?;
    let count = items.len();
    let keys: Vec<_> = items
        .into_iter()
        .filter_map(|item| {
            let key = read_key(&item).map_err(|wrong| item.fault(wrong, FILE));
            faults.keep(key).map(|key| (item, key))
        })
        .collect();
    let allowed = "each must be another key; one in the middle of a rotation is read again";
    repeats::refuse(keys.iter(), allowed, faults, |first| {
        format!("the same key as {first}")
    });
    let keys: Vec<_> = keys.into_iter().map(|(_, key)| key).collect();
    (keys.len() == count).then_some(keys)
}

fn read_key(place: &Place<'_>) -> Result<TicketKey, Wrong> {
    let config = place.config();
    let path = config.resolve(place.text()?);
    let longest = LENGTHS.into_iter().max().unwrap_or_default();
    // Room for one that is too long, so that its length can be told.
    let bytes = config
        .files()
        .read(&path, 4 * longest)
        .map_err(|error| Wrong::unreadable(&path, error))?;
    let shown = path.display();
    if !LENGTHS.contains(&bytes.len()) {
        return Err(Wrong::found(format!("{shown} has {} bytes", bytes.len())));
    }
    let is_first = |byte: &u8| bytes.first() == Some(byte);
    if bytes.iter().all(is_first) {
        return Err(Wrong::found(format!("{shown} is one byte over and over")));
    }
    Ok(TicketKey(bytes))
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{SHORTEST, Trial};

    fn key(first: u8, length: u8) -> Vec<u8> {
        (first..first + length).collect()
    }

    fn trial(files: &str) -> Trial {
        let yaml = format!("{SHORTEST}tls: {{ticket_keys: {files}}}\n");
        Trial::new(&yaml)
            .with_file("a", key(0, 80))
            .with_file("b", key(1, 48))
            .with_file("again", key(0, 80))
    }

    #[test]
    fn keys_are_kept_in_order_and_never_shown() {
        let tls = trial("[a, b]").settings().live.tls;
        let lengths: Vec<_> = tls
            .ticket_keys
            .iter()
            .map(|key| key.expose().len())
            .collect();
        assert_eq!(lengths, [80, 48]);
        assert_eq!(format!("{:?}", tls.ticket_keys[0]), "TicketKey(***)");
        assert!(trial("[]").settings().live.tls.ticket_keys.is_empty());
    }

    #[test]
    fn a_file_that_is_no_key_has_its_own_words() {
        for (content, found) in [
            (
                key(0, 79),
                "has 79 bytes; allowed are 80 or 48 random bytes",
            ),
            (key(0, 81), "has 81 bytes"),
            (Vec::new(), "has 0 bytes"),
            (vec![0; 80], "is one byte over and over"),
            (vec![7; 1000], "the file has more than 320 bytes"),
        ] {
            let refusal = trial("[a, c]").with_file("c", content).refusal();
            assert!(
                refusal.contains("tls.ticket_keys[1] (config.yaml): "),
                "{refusal}"
            );
            assert!(refusal.contains(found), "{found}: {refusal}");
        }
        let refusal = trial("[a, none]").refusal();
        assert!(
            refusal.contains("tls.ticket_keys[1] (config.yaml): there is no file none"),
            "{refusal}"
        );
    }

    #[test]
    fn a_key_stands_only_once_and_not_where_nothing_is_resumed() {
        let refusal = trial("[a, b, again]").refusal();
        let found = "tls.ticket_keys[2] (config.yaml): the same key as tls.ticket_keys[0]; ";
        assert!(refusal.contains(found), "{refusal}");
        let refusal = trial("a").refusal();
        assert!(
            refusal.contains("tls.ticket_keys (config.yaml): found text"),
            "{refusal}"
        );
        let many = format!("[{}]", ["a"; 17].join(", "));
        assert!(trial(&many).refusal().contains("found 17; allowed is"));
        let refusal = trial("[a], client_auth: optional, client_ca: ca.crt")
            .with_certificate("ca", &["ca"])
            .refusal();
        let found = "tls.ticket_keys (config.yaml): certificates of clients are asked for";
        assert!(refusal.contains(found), "{refusal}");
    }
}
