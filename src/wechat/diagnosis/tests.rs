use std::time::{Duration, Instant};

use sha1::{Digest as _, Sha1};

use super::super::envelope;
use super::super::vectors::load;
use super::super::{AesKey, ReceiveIds};
use super::*;

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const ECHOSTR: &str = "P9nAzCzy+tyTWESH/p1vC5X9xho";

fn token(text: &str) -> Token {
    Token::new(text.into()).unwrap()
}

fn key(text: &str) -> AesKey {
    AesKey::from_encoding_aes_key(text).unwrap()
}

fn envelopes(keys: &[&str]) -> Envelopes {
    Envelopes {
        keys: keys.iter().map(|text| key(text)).collect(),
        receive_ids: ReceiveIds::OneOf(vec!["ww1".into()]),
    }
}

fn plain(tokens: &[&str]) -> Credentials {
    Credentials {
        tokens: tokens.iter().map(|text| token(text)).collect(),
        scheme: Scheme::Plain,
    }
}

fn encrypted(tokens: &[&str], keys: &[&str]) -> Credentials {
    Credentials {
        scheme: Scheme::Encrypted(envelopes(keys)),
        ..plain(tokens)
    }
}

fn sha1(parts: &[&str]) -> String {
    hex::encode(Sha1::digest(parts.concat()))
}

/// Sorted by bytes, as consoles do.
fn signed(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    sha1(&parts)
}

fn verification<'a>(
    signature: Option<&'a str>,
    msg_signature: Option<&'a str>,
) -> Verification<'a> {
    Verification {
        signature: signature.map(Into::into),
        msg_signature: msg_signature.map(Into::into),
        timestamp: "1714036504".into(),
        nonce: "98765432".into(),
        echostr: ECHOSTR.into(),
    }
}

fn found(
    own: &Credentials,
    others: &[(&str, &Credentials)],
    verification: &Verification<'_>,
    rejection: Rejection,
) -> Option<String> {
    let refused = Refused {
        verification,
        rejection,
        own,
        others,
    };
    diagnose(&refused).map(|finding| finding.label().to_owned())
}

#[test]
fn a_token_that_is_written_otherwise_is_found_for_both_forms() {
    let table = [
        ("QDG6eK ", "token_blank"),
        (" QDG6eK", "token_blank"),
        ("QDG6eK\u{3000}", "token_blank"),
        ("QDG6eK\n", "token_line_break"),
        ("QDG6eK\r\n", "token_line_break"),
        ("\"QDG6eK\"", "token_quoted"),
        ("“QDG6eK”", "token_quoted"),
        ("\u{feff}QDG6eK", "token_invisible"),
        ("QDG6eK\u{200b}", "token_invisible"),
        ("ＱＤＧ６ｅＫ", "token_full_width"),
        ("QDG６eK", "token_full_width"),
        ("QDG6e", "token_cut"),
        ("DG6eK", "token_cut"),
        ("QDGeK", "token_cut"),
        ("QDG66eK", "token_cut"),
        ("QDG6eKQDG6eK", "token_twice"),
        ("", "token_empty"),
        ("qdg6ek", "token_case"),
        ("QDG6EK", "token_case"),
        ("qDg6Ek", "token_case"),
        ("0DG6eK", ""),
    ];
    for (spelt, expected) in table {
        let expected = (!expected.is_empty()).then(|| expected.to_owned());
        let signature = signed(&[spelt, "1714036504", "98765432"]);
        let msg_signature = signed(&[spelt, "1714036504", "98765432", ECHOSTR]);
        let plainly = verification(Some(&signature), None);
        let sealed = verification(None, Some(&msg_signature));
        let mismatch = Rejection::SignatureMismatch;
        assert_eq!(
            found(&plain(&["QDG6eK"]), &[], &plainly, mismatch),
            expected,
            "{spelt:?}"
        );
        let own = encrypted(&["newToken", "QDG6eK"], &[KEY]);
        assert_eq!(found(&own, &[], &sealed, mismatch), expected, "{spelt:?}");
    }
    let signature = signed(&["Q0G6eK", "1714036504", "98765432"]);
    let looks = verification(Some(&signature), None);
    let own = plain(&["QOG6eK"]);
    assert_eq!(
        found(&own, &[], &looks, Rejection::SignatureMismatch).as_deref(),
        Some("token_look_alike")
    );
}

#[test]
fn a_digest_that_is_made_otherwise_is_found() {
    let (time, nonce) = ("1714036504", "98765432");
    let encoded = ECHOSTR.replace('+', "%2B").replace('/', "%2F");
    let plus_lost = ECHOSTR.replace('+', " ");
    let table = [
        (false, sha1(&["QDG6eK", time, nonce]), "order"),
        (false, sha1(&[nonce, time, "QDG6eK"]), "order"),
        (
            false,
            signed(&["QDG6eK", time, nonce, ECHOSTR]),
            "echostr_signed",
        ),
        (true, signed(&["QDG6eK", time, nonce]), "echostr_not_signed"),
        (
            true,
            signed(&["QDG6eK", time, nonce, &encoded]),
            "echostr_encoded",
        ),
        (
            true,
            signed(&[
                "QDG6eK",
                time,
                nonce,
                &encoded.replace("%2B", "%2b").replace("%2F", "%2f"),
            ]),
            "echostr_encoded",
        ),
        (
            true,
            signed(&["QDG6eK", time, nonce, &plus_lost]),
            "plus_lost",
        ),
        (true, sha1(&[ECHOSTR, "QDG6eK", nonce, time]), "order"),
        (true, signed(&["somethingElse", time, nonce, ECHOSTR]), ""),
    ];
    for (is_encrypted, hex, expected) in table {
        let (own, sent) = if is_encrypted {
            (
                encrypted(&["QDG6eK"], &[KEY]),
                verification(None, Some(&hex)),
            )
        } else {
            (plain(&["QDG6eK"]), verification(Some(&hex), None))
        };
        let label = found(&own, &[], &sent, Rejection::SignatureMismatch);
        assert_eq!(label.unwrap_or_default(), expected, "{expected}");
    }
}

#[test]
fn the_published_near_misses_are_named() {
    let table = [
        ("token-trailing-space", "token_blank"),
        ("token-wrong-case", "token_case"),
        ("near-unsorted", "order"),
        ("near-echostr-included", "echostr_signed"),
        ("echostr-urlsafe-alphabet", "url_safe"),
    ];
    let vectors = load("negative");
    for (id, expected) in table {
        let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
        let text = |name: &str| vector[name].as_str();
        // Here the token that is configured is the good one, and the signer's the odd one.
        let genuine = match text("token").unwrap() {
            "QDG6eK " | "qdg6ek" => "QDG6eK",
            token => token,
        };
        let (timestamp, nonce) = (text("timestamp").unwrap(), text("nonce").unwrap());
        let echostr = text("echostr").unwrap();
        let is_token = id.starts_with("token");
        let is_plain = vector["kind"] == "get_plain";
        let msg_signature = if is_token {
            Some(signed(&[text("token").unwrap(), timestamp, nonce, echostr]))
        } else {
            text("msg_signature").map(ToOwned::to_owned)
        };
        let sent = Verification {
            signature: text("signature").map(Into::into),
            msg_signature: msg_signature.map(Into::into),
            timestamp: timestamp.into(),
            nonce: nonce.into(),
            echostr: echostr.into(),
        };
        let own = if is_plain {
            plain(&[genuine])
        } else {
            encrypted(&[genuine], &[KEY])
        };
        let label = found(&own, &[], &sent, Rejection::SignatureMismatch);
        assert_eq!(label.as_deref(), Some(expected), "{id}");
    }
}

#[test]
fn what_belongs_to_another_endpoint_is_named() {
    let staff = encrypted(&["staffToken"], &[OTHER_KEY]);
    let shop = plain(&["shopToken"]);
    let others = [("shop", &shop), ("staff", &staff)];
    let own = encrypted(&["ownToken"], &[KEY]);
    let msg_signature = signed(&["staffToken", "1714036504", "98765432", ECHOSTR]);
    let sent = verification(None, Some(&msg_signature));
    let refused = Refused {
        verification: &sent,
        rejection: Rejection::SignatureMismatch,
        own: &own,
        others: &others,
    };
    assert_eq!(
        diagnose(&refused),
        Some(Finding::TokenOfAnother("staff".into()))
    );
    let echostr = envelope::seal(&key(OTHER_KEY), [7; 16], b"123", b"ww2");
    let sent = Verification {
        echostr: echostr.into(),
        ..sent.clone()
    };
    let refused = Refused {
        verification: &sent,
        rejection: Rejection::BadPadding,
        ..refused
    };
    assert_eq!(
        diagnose(&refused),
        Some(Finding::KeyOfAnother("staff".into()))
    );
}

#[test]
fn a_signature_of_the_other_platform_is_named() {
    let signature = signed(&["QDG6eK", "1714036504", "98765432"]);
    let msg_signature = signed(&["QDG6eK", "1714036504", "98765432", ECHOSTR]);
    let zeros = "0".repeat(40);
    let either = Credentials {
        scheme: Scheme::Either(envelopes(&[KEY])),
        ..plain(&["QDG6eK"])
    };
    let wecom = encrypted(&["QDG6eK"], &[KEY]);
    let table = [
        (&wecom, verification(Some(&signature), None), "plain_here"),
        (
            &plain(&["QDG6eK"]),
            verification(None, Some(&msg_signature)),
            "encrypted_here",
        ),
        (
            &wecom,
            verification(Some(&zeros), Some(&msg_signature)),
            "signature_beside",
        ),
        (
            &either,
            verification(Some(&signature), Some(&zeros)),
            "msg_signature_beside",
        ),
    ];
    for (own, sent, expected) in table {
        let label = found(own, &[], &sent, Rejection::WrongMode);
        assert_eq!(label.as_deref(), Some(expected));
    }
}

#[test]
fn a_receiver_is_shown_with_its_kind_and_never_with_strange_characters() {
    let table = [
        ("", "", "an AI bot's"),
        ("wx5823bf96d3bd56c7", "wx5823bf96d3bd56c7", "the AppID"),
        ("ww5823bf96d3bd56c7", "ww5823bf96d3bd56c7", "a CorpID"),
        ("tj99bf85a7c6525277", "tj99bf85a7c6525277", "an old SuiteID"),
        ("wpAbCdEf", "wpAbCdEf", "an encrypted CorpID"),
        ("gh_123abc", "gh_123abc", "an account's original id"),
        ("ding99", "ding99", "an id of DingTalk"),
        ("1000002", "1000002", "like an AgentID"),
        ("Zz1", "Zz1", "of an unknown kind"),
        ("<script>", "", "characters that no id has"),
    ];
    let own = encrypted(&["QDG6eK"], &[KEY]);
    for (id, shown, kind) in table {
        let echostr = envelope::seal(&key(KEY), [7; 16], b"123", id.as_bytes());
        let sent = Verification {
            echostr: echostr.into(),
            ..verification(None, None)
        };
        let refused = Refused {
            verification: &sent,
            rejection: Rejection::ReceiveIdMismatch,
            own: &own,
            others: &[],
        };
        let Some(Finding::ReceiveId(receiver)) = diagnose(&refused) else {
            panic!("nothing found for {id:?}");
        };
        assert_eq!(receiver.id, shown);
        assert!(
            receiver.kind.name_en().starts_with(kind),
            "{id:?}: {receiver:?}"
        );
        assert!(!Finding::ReceiveId(receiver).text_zh().contains('<'));
    }
}

#[test]
fn no_text_shows_a_token_or_a_signature() {
    let own = plain(&["QDG6eKsecret"]);
    for spelt in ["QDG6eKsecret ", "\"QDG6eKsecret\"", "", "qdg6ekSECRET"] {
        let signature = signed(&[spelt, "1714036504", "98765432"]);
        let sent = verification(Some(&signature), None);
        let refused = Refused {
            verification: &sent,
            rejection: Rejection::SignatureMismatch,
            own: &own,
            others: &[],
        };
        let finding = diagnose(&refused).unwrap();
        let text = format!("{finding:?} {} {}", finding.text_zh(), finding.text_en());
        assert!(
            !text.contains("QDG6eKsecret") && !text.contains(&signature),
            "{text}"
        );
        assert!(!text.contains('\n'));
    }
}

#[test]
fn a_search_that_finds_nothing_is_short_whatever_is_configured() {
    let many: Vec<_> = (0..500).map(|n| plain(&[&format!("token{n}")])).collect();
    let others: Vec<_> = many
        .iter()
        .map(|credentials| ("name", credentials))
        .collect();
    let own = encrypted(
        &[
            "abcdefghijkl",
            "mnopqrstuvwx",
            "ABCDEFGHIJKL",
            "zzzzzzzzzzzz",
            "another",
        ],
        &[KEY],
    );
    let zeros = "0".repeat(40);
    let sent = verification(Some(&zeros), Some(&zeros));
    let began = Instant::now();
    assert_eq!(
        found(&own, &others, &sent, Rejection::SignatureMismatch),
        None
    );
    // Some 40,000 digests: milliseconds, in a debug build far below this.
    assert!(began.elapsed() < Duration::from_secs(5));
}
