//! The parameters of a verification, by `docs/protocol.md`, section "Query".

use wxgate::wechat::{Rejection, Repair, Verification};

/// The five parameters, decoded once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameters {
    pub signature: Option<String>,
    pub msg_signature: Option<String>,
    pub timestamp: String,
    pub nonce: String,
    pub echostr: String,
}

impl From<Verification<'_>> for Parameters {
    fn from(verification: Verification<'_>) -> Self {
        Self {
            signature: verification.signature.map(String::from),
            msg_signature: verification.msg_signature.map(String::from),
            timestamp: verification.timestamp.into(),
            nonce: verification.nonce.into(),
            echostr: verification.echostr.into(),
        }
    }
}

impl Parameters {
    /// As wxgate takes them.
    pub fn as_verification(&self) -> Verification<'_> {
        Verification {
            signature: self.signature.as_deref().map(Into::into),
            msg_signature: self.msg_signature.as_deref().map(Into::into),
            timestamp: self.timestamp.as_str().into(),
            nonce: self.nonce.as_str().into(),
            echostr: self.echostr.as_str().into(),
        }
    }

    /// With the damage undone that `repair` names, in whatever is signed.
    pub fn repaired(&self, repair: Repair) -> Self {
        let mut repaired = self.clone();
        for value in [
            &mut repaired.timestamp,
            &mut repaired.nonce,
            &mut repaired.echostr,
        ] {
            let again = String::from_utf8(decode(value)).ok();
            let again = again.filter(|_| value.contains('%'));
            *value = match repair {
                Repair::None => continue,
                Repair::PlusRestored => value.replace(' ', "+"),
                Repair::DecodedAgain => again.unwrap_or_else(|| value.clone()),
                Repair::DecodedAgainPlusRestored => {
                    again.map_or_else(|| value.clone(), |again| again.replace(' ', "+"))
                }
            };
        }
        repaired
    }
}

/// Reads a query.
pub fn read(query: &str) -> Result<Option<Parameters>, Rejection> {
    let [signature, msg_signature, timestamp, nonce, echostr] = [
        "signature",
        "msg_signature",
        "timestamp",
        "nonce",
        "echostr",
    ]
    .map(|name| all(query, name));
    let is_signed = !signature.is_empty() || !msg_signature.is_empty();
    if !is_signed && echostr.is_empty() {
        return Ok(None);
    }
    let found = [&signature, &msg_signature, &timestamp, &nonce, &echostr];
    if found.iter().any(|values| values.len() > 1) {
        return Err(Rejection::DuplicateParameter);
    }
    if !is_signed || found[2..].iter().any(|values| values.is_empty()) {
        return Err(Rejection::MissingParameter);
    }
    Ok(Some(Parameters {
        signature: one_signature(&signature)?,
        msg_signature: one_signature(&msg_signature)?,
        timestamp: text(timestamp[0], 128)?,
        nonce: text(nonce[0], 128)?,
        echostr: text(echostr[0], 2048)?,
    }))
}

/// Every raw value of a name.
fn all<'q>(query: &'q str, name: &str) -> Vec<&'q str> {
    let pairs = query.split('&').map(|pair| match pair.find('=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, ""),
    });
    let wanted = pairs.filter(|(found, _)| decode(found) == name.as_bytes());
    wanted.map(|(_, value)| value).collect()
}

fn one_signature(values: &[&str]) -> Result<Option<String>, Rejection> {
    let Some(raw) = values.first() else {
        return Ok(None);
    };
    let value = text(raw, 40)?;
    if value.len() == 40 && value.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(Some(value))
    } else {
        Err(Rejection::MalformedParameter)
    }
}

fn text(raw: &str, longest: usize) -> Result<String, Rejection> {
    let broken = raw.bytes().enumerate().any(|(at, byte)| {
        let digits = raw.as_bytes().get(at + 1..at + 3);
        byte == b'%' && !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let value = String::from_utf8(decode(raw)).ok();
    value
        .filter(|value| !broken && !value.is_empty() && value.len() <= longest)
        .filter(|value| !value.chars().any(|c| c.is_ascii_control()))
        .ok_or(Rejection::MalformedParameter)
}

/// Percent-decoding that leaves alone what is no escape.
fn decode(raw: &str) -> Vec<u8> {
    let raw = raw.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        let escape = match raw[at..] {
            [b'%', high, low, ..] => digit(high).zip(digit(low)),
            _ => None,
        };
        decoded.push(escape.map_or(raw[at], |(high, low)| high * 16 + low));
        at += if escape.is_some() { 3 } else { 1 };
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
