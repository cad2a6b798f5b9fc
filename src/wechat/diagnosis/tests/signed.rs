//! Signatures over something else than was agreed upon.

use super::super::super::vectors::load;
use super::*;

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
