//! Envelopes of messages from short to the longest that are usual.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use wxgate::wechat::AesKey;
use wxgate::wechat::envelope::{open, seal};

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const ID: &[u8] = b"wx5823bf96d3bd56c7";
const RANDOM: [u8; 16] = *b"0123456789abcdef";
/// Bytes of the message.
const LENGTHS: [usize; 3] = [64, 4 * 1024, 64 * 1024];

#[divan::bench(args = LENGTHS)]
fn opened(bencher: Bencher<'_, '_>, length: usize) {
    let (key, message) = parts(length);
    let sealed = seal(&key, RANDOM, &message, ID);
    assert_eq!(open(&key, &sealed).unwrap().message, message);
    bencher
        .counter(BytesCount::new(length))
        .bench(|| open(black_box(&key), black_box(&sealed)));
}

#[divan::bench(args = LENGTHS)]
fn sealed(bencher: Bencher<'_, '_>, length: usize) {
    let (key, message) = parts(length);
    bencher
        .counter(BytesCount::new(length))
        .bench(|| seal(black_box(&key), RANDOM, black_box(&message), ID));
}

fn parts(length: usize) -> (AesKey, Vec<u8>) {
    let key = AesKey::from_encoding_aes_key(KEY).unwrap();
    (key, vec![b'a'; length])
}
