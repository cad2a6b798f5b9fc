//! The envelope of `docs/protocol.md`, section "Envelope": base64, AES-256-CBC and the layout inside, each by hand.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use wxgate::wechat::envelope::OpenError;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The message and the receive id in an envelope.
pub type Content = (Vec<u8>, Vec<u8>);

/// Opens an envelope.
pub fn open(key: &[u8; 32], ciphertext: &str) -> Result<Content, OpenError> {
    let ciphertext = decode(ciphertext).ok_or(OpenError::Base64)?;
    if ciphertext.is_empty() || ciphertext.len() % 16 != 0 {
        return Err(OpenError::Length);
    }
    let mut content = decrypt(key, &ciphertext);
    let padding = usize::from(content[content.len() - 1]);
    let is_padding = (1..=32).contains(&padding)
        && padding <= content.len()
        && content[content.len() - padding..]
            .iter()
            .all(|byte| usize::from(*byte) == padding);
    if !is_padding {
        return Err(OpenError::Padding);
    }
    content.truncate(content.len() - padding);
    split(&content).ok_or(OpenError::Length)
}

fn split(content: &[u8]) -> Option<Content> {
    let length: [u8; 4] = content.get(16..20)?.try_into().ok()?;
    let end = 20 + u64::from(u32::from_be_bytes(length));
    let end = usize::try_from(end).ok()?;
    Some((content.get(20..end)?.to_vec(), content[end..].to_vec()))
}

/// Encrypts whole blocks.
pub fn encrypt(key: &[u8; 32], content: &[u8]) -> Vec<u8> {
    let cipher = Aes256::new(key.into());
    let mut before = [0; 16];
    before.copy_from_slice(&key[..16]);
    let mut encrypted = Vec::new();
    for block in content.chunks_exact(16) {
        let mixed: [u8; 16] = std::array::from_fn(|at| block[at] ^ before[at]);
        let mut block = mixed.into();
        cipher.encrypt_block(&mut block);
        before = block.into();
        encrypted.extend_from_slice(&before);
    }
    encrypted
}

fn decrypt(key: &[u8; 32], ciphertext: &[u8]) -> Vec<u8> {
    let cipher = Aes256::new(key.into());
    let mut before = &key[..16];
    let mut content = Vec::new();
    for chunk in ciphertext.chunks_exact(16) {
        let block: [u8; 16] = std::array::from_fn(|at| chunk[at]);
        let mut block = block.into();
        cipher.decrypt_block(&mut block);
        content.extend((0..16).map(|at| block[at] ^ before[at]));
        before = chunk;
    }
    content
}

/// Base64 with the standard alphabet and its "=", and nothing else.
fn decode(text: &str) -> Option<Vec<u8>> {
    let groups = text.as_bytes().chunks(4);
    let last = groups.len().checked_sub(1);
    let mut decoded = Vec::new();
    for (at, group) in groups.enumerate() {
        let (digits, bytes) = match group {
            [_, _, b'=', b'='] if Some(at) == last => (2, 1),
            [_, _, _, b'='] if Some(at) == last => (3, 2),
            [_, _, _, _] => (4, 3),
            _ => return None,
        };
        let mut bits = 0;
        for digit in &group[..digits] {
            let value = ALPHABET.iter().position(|letter| letter == digit)?;
            bits = bits << 6 | value as u32;
        }
        bits <<= 6 * (4 - digits);
        let [_, whole @ ..] = bits.to_be_bytes();
        if whole[bytes..].iter().any(|byte| *byte != 0) {
            return None;
        }
        decoded.extend_from_slice(&whole[..bytes]);
    }
    Some(decoded)
}
