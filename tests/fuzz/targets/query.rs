//! Queries of verifications: read as a naive reader reads them; whatever is signed is accepted, and nothing else is.

use wxgate::wechat::{
    AesKey, Clock, Credentials, Envelopes, ReceiveIds, Rejection, Repair, Scheme, Token,
    Verification, envelope, verify,
};

use super::naive;
use super::naive::query::Parameters;

const TOKEN: &str = "fuzzTOKEN7";
const STRANGER: &str = "fuzzTOKEN8";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const OTHER_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const ID: &str = "wx5823bf96d3bd56c7";
const REPAIRS: [Repair; 4] = [
    Repair::None,
    Repair::PlusRestored,
    Repair::DecodedAgain,
    Repair::DecodedAgainPlusRestored,
];
/// The clock is not looked at.
const ALWAYS: Clock = Clock {
    now: 0,
    window: None,
};
/// Near the timestamps of the published vectors.
const WINDOW: Clock = Clock {
    now: 1_714_036_600,
    window: Some(300),
};

/// `data` is a query, without its "?".
pub fn run(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else {
        return;
    };
    let found = Verification::parse(query).map(|found| found.map(Parameters::from));
    assert_eq!(found, naive::query::read(query));
    let Ok(Some(sent)) = found else {
        return;
    };
    nothing_passes_unsigned(&sent);
    for repair in REPAIRS {
        what_is_signed_passes_plain(&sent, repair);
        what_is_signed_passes_sealed(&sent, repair);
    }
    what_is_sealed_comes_back(&sent);
}

/// An endpoint with a token that nobody signs with, and `token` behind it.
fn credentials(token: &str, scheme: Scheme) -> Credentials {
    let tokens = ["fuzzTOKEN6", token].map(|text| Token::new(text.to_owned()).unwrap());
    Credentials {
        tokens: tokens.into(),
        scheme,
    }
}

fn envelopes() -> Envelopes {
    Envelopes {
        keys: [OTHER_KEY, KEY].map(key).into(),
        receive_ids: ReceiveIds::OneOf(vec![ID.to_owned()]),
    }
}

fn key(text: &str) -> AesKey {
    AesKey::from_encoding_aes_key(text).unwrap()
}

/// What `verify` answers, with its clock off.
fn ask(token: &str, scheme: Scheme, sent: &Parameters) -> Result<(Vec<u8>, Repair), Rejection> {
    let verified = verify(&credentials(token, scheme), &sent.as_verification(), ALWAYS)?;
    assert_eq!(verified.token_slot, 1, "another token");
    Ok((verified.echo, verified.repair))
}

fn sign_plain(token: &str, values: &Parameters) -> String {
    naive::signature::sign(token, &[&values.timestamp, &values.nonce])
}

fn sign_sealed(token: &str, values: &Parameters) -> String {
    let parts = [&*values.timestamp, &values.nonce, &values.echostr];
    naive::signature::sign(token, &parts)
}

/// The signatures are the fuzzer's own: if one holds, it is because it was copied from a published vector.
fn nothing_passes_unsigned(sent: &Parameters) {
    let schemes = [
        Scheme::Plain,
        Scheme::Encrypted(envelopes()),
        Scheme::Either(envelopes()),
    ];
    for scheme in schemes {
        let is_sealed = !matches!(scheme, Scheme::Plain) && sent.msg_signature.is_some();
        let Ok((echo, repair)) = ask(TOKEN, scheme, sent) else {
            continue;
        };
        let values = sent.repaired(repair);
        let (signature, given) = if is_sealed {
            (sign_sealed(TOKEN, &values), &sent.msg_signature)
        } else {
            assert_eq!(echo, sent.echostr.as_bytes());
            (sign_plain(TOKEN, &values), &sent.signature)
        };
        let given = given.as_ref().expect("accepted without a signature");
        assert!(given.eq_ignore_ascii_case(&signature), "accepted unsigned");
    }
}

fn what_is_signed_passes_plain(sent: &Parameters, repair: Repair) {
    let signed = Parameters {
        signature: Some(sign_plain(TOKEN, &sent.repaired(repair))),
        msg_signature: None,
        ..sent.clone()
    };
    let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let may_echo = sent.echostr.len() <= 128 && sent.echostr.bytes().all(is_harmless);
    for scheme in [Scheme::Plain, Scheme::Either(envelopes())] {
        let answer = ask(TOKEN, scheme.clone(), &signed).map(|(echo, _)| echo);
        let strangers = ask(STRANGER, scheme.clone(), &signed);
        if may_echo {
            assert_eq!(answer, Ok(sent.echostr.clone().into_bytes()));
            assert_eq!(strangers, Err(Rejection::SignatureMismatch));
            is_late_by_its_timestamp(&signed, scheme);
        } else {
            assert_eq!(answer, Err(Rejection::MalformedParameter));
            assert_eq!(strangers, Err(Rejection::MalformedParameter));
        }
    }
    let scheme = Scheme::Encrypted(envelopes());
    assert_eq!(ask(TOKEN, scheme, &signed), Err(Rejection::WrongMode));
}

/// Within the window exactly if the timestamp that was signed is a number near now.
fn is_late_by_its_timestamp(signed: &Parameters, scheme: Scheme) {
    let credentials = credentials(TOKEN, scheme);
    let Some(repair) = verify(&credentials, &signed.as_verification(), ALWAYS)
        .ok()
        .map(|verified| verified.repair)
    else {
        return;
    };
    let timestamp = signed.repaired(repair).timestamp;
    let digits = timestamp.trim_start_matches('0');
    let is_number = timestamp.chars().all(|c| c.is_ascii_digit());
    let number = if digits.len() <= 15 {
        digits.parse().unwrap_or(0)
    } else {
        u64::MAX
    };
    let is_near = is_number && (WINDOW.now - 300..=WINDOW.now + 300).contains(&number);
    let answer = verify(&credentials, &signed.as_verification(), WINDOW).map(drop);
    let expected = if is_near {
        Ok(())
    } else {
        Err(Rejection::StaleTimestamp)
    };
    assert_eq!(answer, expected, "{timestamp}");
}

fn what_is_signed_passes_sealed(sent: &Parameters, repair: Repair) {
    let values = sent.repaired(repair);
    let signed = Parameters {
        signature: None,
        msg_signature: Some(sign_sealed(TOKEN, &values)),
        ..sent.clone()
    };
    for scheme in [Scheme::Encrypted(envelopes()), Scheme::Either(envelopes())] {
        let strangers = ask(STRANGER, scheme.clone(), &signed);
        assert_eq!(strangers, Err(Rejection::SignatureMismatch));
        // It is signed, so only the envelope can be at fault.
        let answer = ask(TOKEN, scheme.clone(), &signed).map(drop);
        let faults = [
            Ok(()),
            Err(Rejection::BadBase64),
            Err(Rejection::BadPadding),
            Err(Rejection::BadLength),
            Err(Rejection::ReceiveIdMismatch),
        ];
        assert!(faults.contains(&answer), "{answer:?}");
        let both = Parameters {
            signature: Some(sign_plain(STRANGER, &values)),
            ..signed.clone()
        };
        let answer = ask(TOKEN, scheme, &both);
        assert_eq!(answer, Err(Rejection::SignatureMismatch));
    }
    let answer = ask(TOKEN, Scheme::Plain, &signed);
    assert_eq!(answer, Err(Rejection::WrongMode));
}

/// The echostr as the content of an envelope, for the right and for a wrong id, and damaged by a form decoder.
fn what_is_sealed_comes_back(sent: &Parameters) {
    let answer = |id: &str, damage: fn(String) -> String| {
        let message = sent.echostr.as_bytes();
        let random = std::array::from_fn(|at| sent.nonce.as_bytes()[at % sent.nonce.len()]);
        let mut sealed = Parameters {
            signature: None,
            echostr: envelope::seal(&key(KEY), random, message, id.as_bytes()),
            ..sent.clone()
        };
        sealed.msg_signature = Some(sign_sealed(TOKEN, &sealed));
        sealed.echostr = damage(sealed.echostr);
        ask(TOKEN, Scheme::Encrypted(envelopes()), &sealed).map(|(echo, _)| echo)
    };
    let expected = Ok(sent.echostr.clone().into_bytes());
    assert_eq!(answer(ID, |whole| whole), expected);
    assert_eq!(
        answer("wx0", |whole| whole),
        Err(Rejection::ReceiveIdMismatch)
    );
    // What was signed with blanks cannot be told from what lost its "+".
    if !sent.timestamp.contains(' ') && !sent.nonce.contains(' ') {
        assert_eq!(answer(ID, |whole| whole.replace('+', " ")), expected);
    }
    if !sent.timestamp.contains('%') && !sent.nonce.contains('%') {
        let twice = |whole: String| whole.replace('+', "%2B").replace('/', "%2F");
        assert_eq!(answer(ID, twice), expected);
    }
}
