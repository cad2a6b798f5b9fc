//! Several tokens, keys and receive ids at one endpoint.

use std::collections::BTreeMap;

use crate::client::curl;
use crate::console::{Encrypted, Plain, labels, moved, seal, verifications};
use crate::gate::Gate;

const TOKENS: [&str; 3] = ["newTOKEN1", "olderTOKEN2", "oldestTOKEN3"];
const KEYS: [&str; 2] = [
    "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
];
const RETIRED_KEY: &str = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws";
const RECEIVE_IDS: [&str; 3] = ["ww5823bf96d3bd56c7", "dk1234567890abcdef", ""];

fn gate() -> Gate {
    let list = |texts: &[&str]| format!("['{}']", texts.join("', '"));
    Gate::start(&format!(
        "upstream: {{url: 'http://127.0.0.1:1'}}
endpoints:
  - {{name: staff, path: /staff, platform: wecom, tokens: {0}, encoding_aes_keys: {1}, receive_ids: {2}}}
  - {{name: shop, path: /shop, platform: official_account, tokens: {0}, encoding_aes_keys: {1}, receive_ids: {2}}}
  - {{name: open, path: /open, platform: wecom, tokens: {0}, encoding_aes_keys: {1}, receive_ids: any}}
",
        list(&TOKENS),
        list(&KEYS),
        list(&RECEIVE_IDS)
    ))
}

/// `wxgate_credential_used_total` of an endpoint, by kind and slot.
fn used(gate: &Gate, endpoint: &str) -> BTreeMap<(String, usize), u64> {
    let metrics = gate.metrics();
    let prefix = format!("wxgate_credential_used_total{{endpoint=\"{endpoint}\",kind=\"");
    let series = metrics.lines().filter_map(|line| {
        let (kind, rest) = line.strip_prefix(&prefix)?.split_once("\",slot=\"")?;
        let (slot, value) = rest.split_once("\"} ")?;
        Some((
            (kind.to_owned(), slot.parse().unwrap()),
            value.parse().unwrap(),
        ))
    });
    series.collect()
}

fn expected(tokens: [u64; 3], keys: [u64; 2]) -> BTreeMap<(String, usize), u64> {
    let tokens = tokens.into_iter().enumerate();
    let keys = keys.into_iter().enumerate();
    tokens
        .map(|(slot, count)| (("token".to_owned(), slot), count))
        .chain(keys.map(|(slot, count)| (("encoding_aes_key".to_owned(), slot), count)))
        .collect()
}

fn sealed(token: &str, key: &str, receive_id: &str) -> String {
    let echostr = seal(key, &[9; 16], "1616140317555161061", receive_id);
    Encrypted::new(token, "1409659589", "263014780", &echostr).query()
}

#[test]
fn every_pair_of_a_token_and_a_key_is_good_and_counted_by_slot() {
    let gate = gate();
    assert_eq!(used(&gate, "staff"), expected([0; 3], [0; 2]));
    let (mut tokens, mut keys) = ([0; 3], [0; 2]);
    for (token_slot, token) in TOKENS.into_iter().enumerate() {
        for (key_slot, key) in KEYS.into_iter().enumerate() {
            for receive_id in RECEIVE_IDS {
                let answer = curl(
                    &gate,
                    &format!("/staff?{}", sealed(token, key, receive_id)),
                    &[],
                );
                assert_eq!(answer.body_text(), "1616140317555161061");
                tokens[token_slot] += 1;
                keys[key_slot] += 1;
                assert_eq!(used(&gate, "staff"), expected(tokens, keys));
            }
        }
    }
    assert_eq!((tokens, keys), ([6; 3], [9; 2]));
    assert_eq!(used(&gate, "open"), expected([0; 3], [0; 2]));
}

#[test]
fn a_plain_verification_of_an_account_with_keys_uses_a_token_and_no_key() {
    let gate = gate();
    for (slot, token) in TOKENS.into_iter().enumerate() {
        let query = Plain::new(token, "1714036504", "1514711492", "4375120948345356249").query();
        let answer = curl(&gate, &format!("/shop?{query}"), &[]);
        assert_eq!(answer.body_text(), "4375120948345356249");
        let mut tokens = [0; 3];
        tokens[..=slot].fill(1);
        assert_eq!(used(&gate, "shop"), expected(tokens, [0; 2]));
    }
    let answer = curl(
        &gate,
        &format!("/shop?{}", sealed(TOKENS[2], KEYS[1], "")),
        &[],
    );
    assert_eq!(answer.body_text(), "1616140317555161061");
    assert_eq!(used(&gate, "shop"), expected([1, 1, 2], [0, 1]));
}

#[test]
fn what_is_no_longer_listed_is_refused_and_uses_no_slot() {
    let gate = gate();
    let cases = [
        (
            "staff",
            sealed("retiredTOKEN", KEYS[0], ""),
            "signature_mismatch",
        ),
        ("staff", sealed(TOKENS[0], RETIRED_KEY, ""), "bad_padding"),
        (
            "staff",
            sealed(TOKENS[0], KEYS[0], "ww5823bf96d3bd56c8"),
            "receive_id_mismatch",
        ),
        (
            "staff",
            sealed(TOKENS[0], KEYS[0], "ww5823bf96d3bd56c"),
            "receive_id_mismatch",
        ),
        ("open", sealed(TOKENS[0], RETIRED_KEY, ""), "bad_padding"),
    ];
    for (endpoint, query, reason) in cases {
        let before = verifications(&gate);
        let answer = curl(&gate, &format!("/{endpoint}?{query}"), &[]);
        assert_eq!(
            (answer.status, answer.body_text()),
            (403, "forbidden\n".into()),
            "{reason}"
        );
        assert_eq!(moved(&gate, &before), [(labels(endpoint, reason), 1)]);
        assert_eq!(used(&gate, endpoint), expected([0; 3], [0; 2]));
    }
    let answer = curl(
        &gate,
        &format!("/open?{}", sealed(TOKENS[0], KEYS[0], "anybody")),
        &[],
    );
    assert_eq!(answer.body_text(), "1616140317555161061");
    assert_eq!(used(&gate, "open"), expected([1, 0, 0], [1, 0]));
}
