//! Bodies of messages: the one `Encrypt` is found as a naive reader finds it, what is signed and sealed is opened, and
//! nothing else is.

use wxgate::wechat::message::{
    Format, Frame, MessageQuery, Mode, Sealer, check, encrypted_field, plain_query,
};
use wxgate::wechat::{
    AesKey, Clock, Credentials, Envelopes, Platform, ReceiveIds, Rejection, Scheme, Token,
};

use super::naive;
use super::naive::xml::{Inside, Node};

const TOKEN: &str = "fuzzTOKEN7";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const KEY_BYTES: &str = "8d69989bbaabe67328014c194631ad0719b3dca035b64023df292447aab60760";
const ID: &str = "wx5823bf96d3bd56c7";
const ALWAYS: Clock = Clock {
    now: 0,
    window: None,
};

/// `data` is a body, and the content of another.
pub fn run(data: &[u8]) {
    let found = encrypted_field(data);
    assert_eq!(
        found.clone().ok().map(|found| (found.format, found.text)),
        field(data).map(|(format, text)| (format, text.into()))
    );
    match found {
        Ok(found) => what_is_signed_is_opened_as_by_hand(data, found.format, &found.text),
        Err(reason) => assert_eq!(reason, Rejection::MalformedBody),
    }
    what_is_sealed_comes_back(data);
}

/// As `docs/protocol.md` has it.
fn field(body: &[u8]) -> Option<(Format, String)> {
    let text = std::str::from_utf8(body).ok()?;
    match text.trim_ascii_start().chars().next()? {
        '<' => Some((Format::Xml, in_xml(&naive::xml::read(text)?)?)),
        '{' => Some((Format::Json, naive::json::encrypt(text)?)),
        _ => None,
    }
}

fn in_xml(root: &Node) -> Option<String> {
    if encrypts(root) != 1 || root.name.eq_ignore_ascii_case("Encrypt") {
        return None;
    }
    let mut found = None;
    for inside in &root.inside {
        match inside {
            Inside::Node(node) if node.name == "Encrypt" => {
                let [Inside::Text(text)] = node.inside.as_slice() else {
                    return None;
                };
                if found.replace(text.clone()).is_some() {
                    return None;
                }
            }
            _ => {}
        }
    }
    has_no_attributes(root).then_some(found?)
}

/// How many elements are called so, in whatever letter case.
fn encrypts(node: &Node) -> usize {
    let inside = node.inside.iter().map(|inside| match inside {
        Inside::Node(node) => encrypts(node),
        Inside::Text(_) => 0,
    });
    usize::from(node.name.eq_ignore_ascii_case("Encrypt")) + inside.sum::<usize>()
}

fn has_no_attributes(node: &Node) -> bool {
    let mut inside = node.inside.iter();
    node.attributes.is_empty()
        && inside.all(|inside| match inside {
            Inside::Node(node) => has_no_attributes(node),
            Inside::Text(_) => true,
        })
}

fn key() -> AesKey {
    AesKey::from_encoding_aes_key(KEY).unwrap()
}

fn key_bytes() -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&KEY_BYTES[2 * at..2 * at + 2], 16).unwrap())
}

fn ask(mode: Mode, query: &str, body: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Rejection> {
    let envelopes = Envelopes {
        keys: vec![key()],
        receive_ids: ReceiveIds::OneOf(vec![ID.to_owned()]),
    };
    let credentials = Credentials {
        tokens: vec![Token::new(TOKEN.to_owned()).unwrap()],
        scheme: Scheme::Either(envelopes),
    };
    let query = MessageQuery::parse(query).unwrap();
    let opened = check(&credentials, mode, &query, body, ALWAYS)?.opened;
    Ok(opened
        .map(|opened| (opened.content, opened.receive_id))
        .unwrap_or_default())
}

fn query(signed: &str) -> String {
    let plain = naive::signature::sign(TOKEN, &["1", "2"]);
    let whole = naive::signature::sign(TOKEN, &["1", "2", signed]);
    format!("signature={plain}&timestamp=1&nonce=2&encrypt_type=aes&msg_signature={whole}")
}

fn what_is_signed_is_opened_as_by_hand(body: &[u8], format: Format, encrypt: &str) {
    let signed = query(encrypt);
    let opened = ask(Mode::Safe, &signed, body);
    match naive::envelope::open(&key_bytes(), encrypt) {
        Ok((content, id)) if id == ID.as_bytes() => assert_eq!(opened, Ok((content, id))),
        _ => assert!(opened.is_err(), "opened for somebody else"),
    }
    let other = query(&format!("{encrypt}="));
    for (mode, query, expected) in [
        (Mode::Safe, &*other, Rejection::SignatureMismatch),
        (
            Mode::Compat,
            &*plain_query(&signed, ""),
            Rejection::WrongMode,
        ),
        (Mode::Plain, &*signed, Rejection::WrongMode),
    ] {
        assert_eq!(ask(mode, query, body), Err(expected), "{format:?}");
    }
}

fn what_is_sealed_comes_back(content: &[u8]) {
    let (token, key) = (Token::new(TOKEN.to_owned()).unwrap(), key());
    let nonce = String::from_utf8_lossy(content);
    for (platform, format) in [
        (Platform::Wecom, Format::Xml),
        (Platform::Wecom, Format::Json),
        (Platform::OfficialAccount, Format::Json),
    ] {
        let sealer = Sealer {
            token: &token,
            key: &key,
            receive_id: ID.as_bytes(),
            frame: Frame::of(platform, format),
        };
        let reply = sealer.seal([7; 16], 1, &nonce, content);
        // The nonce may have what no platform sends.
        if nonce.contains('\0') {
            continue;
        }
        let (_, encrypt) = field(reply.as_bytes()).expect("a frame is a body");
        let by_hand = naive::envelope::open(&key_bytes(), &encrypt);
        assert_eq!(by_hand, Ok((content.to_vec(), ID.into())));
        assert_eq!(
            ask(Mode::Safe, &query(&encrypt), reply.as_bytes()),
            Ok((content.to_vec(), ID.into()))
        );
    }
}
