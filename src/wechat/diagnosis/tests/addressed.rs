//! Verifications that are meant for another endpoint, platform or receiver.

use super::super::super::envelope;
use super::*;

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
