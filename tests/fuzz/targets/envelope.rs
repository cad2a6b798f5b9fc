//! Envelopes: what is sealed opens to the same, and whatever else opens, opens as it does by hand.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use wxgate::wechat::envelope::{OpenError, open, seal};
use wxgate::wechat::{
    AesKey, Clock, Credentials, Envelopes, ReceiveIds, Scheme, Token, Verification, verify,
};

use super::naive;

const KEY_TEXT: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const TOKEN: &str = "fuzzTOKEN7";
const ID: &[u8] = b"wx5823bf96d3bd56c7";

/// `data` is in turn a message with its receive id, a ciphertext, its text, and what is encrypted.
pub fn run(data: &[u8]) {
    let key = AesKey::from_encoding_aes_key(KEY_TEXT).unwrap();
    sealed_opens(&key, data);
    opens_as_by_hand(&key, &BASE64_STANDARD.encode(data));
    if let Ok(text) = std::str::from_utf8(data) {
        opens_as_by_hand(&key, text);
    }
    let whole = &data[..data.len() - data.len() % 16];
    let encrypted = naive::envelope::encrypt(&key_bytes(), whole);
    let ciphertext = BASE64_STANDARD.encode(encrypted);
    opens_as_by_hand(&key, &ciphertext);
    is_answered_only_to_its_receiver(&key, &ciphertext);
}

/// The key's last character has two bits too many.
fn key_bytes() -> [u8; 32] {
    let text = KEY_TEXT.replace("B2C", "B2A=");
    BASE64_STANDARD.decode(text).unwrap().try_into().unwrap()
}

/// The first byte says where the message begins, behind it are random bytes, receive id and message.
fn sealed_opens(key: &AesKey, data: &[u8]) {
    let Some((at, rest)) = data.split_first() else {
        return;
    };
    let (receive_id, message) = rest.split_at(usize::from(*at).min(rest.len()));
    let random = std::array::from_fn(|at| data[at % data.len()]);
    let sealed = seal(key, random, message, receive_id);
    let opened = open(key, &sealed).expect("what was sealed opens");
    assert_eq!(opened.message, message);
    assert_eq!(opened.receive_id, receive_id);
    let by_hand = naive::envelope::open(&key_bytes(), &sealed);
    assert_eq!(by_hand, Ok((message.to_vec(), receive_id.to_vec())));
    assert_eq!(BASE64_STANDARD.decode(&sealed).unwrap().len() % 32, 0);
    base64_has_one_form(key, &sealed);
}

fn base64_has_one_form(key: &AesKey, sealed: &str) {
    let bytes = BASE64_STANDARD.decode(sealed).unwrap();
    let others = [
        sealed.replace('=', ""),
        format!("{sealed}="),
        format!("{sealed}\n"),
        format!(" {sealed}"),
        sealed.replacen('+', " ", 1),
        BASE64_URL_SAFE.encode(bytes),
    ];
    for other in others.iter().filter(|other| *other != sealed) {
        assert_eq!(open(key, other), Err(OpenError::Base64), "{other}");
    }
}

fn opens_as_by_hand(key: &AesKey, ciphertext: &str) {
    let opened = open(key, ciphertext).map(|opened| (opened.message, opened.receive_id));
    assert_eq!(opened, naive::envelope::open(&key_bytes(), ciphertext));
}

fn is_answered_only_to_its_receiver(key: &AesKey, ciphertext: &str) {
    let envelopes = Envelopes {
        keys: vec![key.clone()],
        receive_ids: ReceiveIds::OneOf(vec![String::from_utf8_lossy(ID).into()]),
    };
    let credentials = Credentials {
        tokens: vec![Token::new(TOKEN.to_owned()).unwrap()],
        scheme: Scheme::Encrypted(envelopes),
    };
    let verification = Verification {
        signature: None,
        msg_signature: Some(naive::signature::sign(TOKEN, &["1", "2", ciphertext]).into()),
        timestamp: "1".into(),
        nonce: "2".into(),
        echostr: ciphertext.into(),
    };
    let clock = Clock {
        now: 1,
        window: Some(0),
    };
    let answer = verify(&credentials, &verification, clock).map(|verified| verified.echo);
    match naive::envelope::open(&key_bytes(), ciphertext) {
        Ok((message, receive_id)) if receive_id == ID => assert_eq!(answer, Ok(message)),
        _ => assert!(answer.is_err(), "answered to somebody else"),
    }
}
