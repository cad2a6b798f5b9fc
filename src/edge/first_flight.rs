//! The first bytes on the https listener: a `ClientHello`, or something that is not TLS at all.
//!
//! They are read here and not by the TLS library's acceptor, because a client that speaks plain HTTP to this port
//! should be told so in HTTP, before any TLS alert.

use std::io;

use rustls::server::{Accepted, Acceptor};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::offer::{self, Offer, Versions};

/// One read's worth; a hello with post-quantum shares has about 1.8 KB.
const READ_SIZE: usize = 4096;
/// First byte of a TLS handshake record, RFC 8446 section 5.1.
const HANDSHAKE_RECORD: u8 = 22;

/// What came first.
#[expect(missing_debug_implementations, reason = "rustls' Accepted has none")]
pub enum FirstFlight {
    /// A whole `ClientHello`, and the versions in it.
    Hello(Box<Accepted>, Versions),
    /// A letter: plain HTTP.
    PlainHttp,
    /// Anything else.
    NotTls,
    /// A handshake record whose content is no `ClientHello` or none that will do, the alert that says so, and what it
    /// offers.
    Broken(rustls::Error, Vec<u8>, Offer),
    /// A `ClientHello` that goes on beyond all measure.
    TooLarge,
}

/// Reads until the client's first message is whole or cannot become whole.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the client hung up, else the socket's error.
pub async fn read(stream: &mut TcpStream) -> io::Result<FirstFlight> {
    let mut acceptor = Acceptor::default();
    let mut buffer = vec![0; READ_SIZE];
    let mut filled = 0;
    let mut begun = None;
    let mut is_first = true;
    loop {
        // Of a longer hello only the beginning is looked at.
        if filled >= READ_SIZE {
            begun.get_or_insert_with(|| offer::read(&buffer));
            filled = 0;
        }
        let length = stream
            .read(buffer.get_mut(filled..).unwrap_or_default())
            .await?;
        let until = filled + length;
        let Some(mut received) = buffer.get(filled..until).filter(|bytes| !bytes.is_empty()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        filled = until;
        match received.first() {
            Some(&HANDSHAKE_RECORD) => {}
            Some(byte) if is_first && byte.is_ascii_alphabetic() => {
                return Ok(FirstFlight::PlainHttp);
            }
            Some(_) if is_first => return Ok(FirstFlight::NotTls),
            _ => {}
        }
        is_first = false;
        while !received.is_empty() {
            // Reading from a slice cannot fail: the acceptor is full, with 64 KiB at most.
            if acceptor.read_tls(&mut received).is_err() {
                return Ok(FirstFlight::TooLarge);
            }
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let offer = begun.unwrap_or_else(|| offer::read(&buffer));
                return Ok(FirstFlight::Hello(Box::new(accepted), offer.versions));
            }
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                let offer = begun.unwrap_or_else(|| offer::read(&buffer));
                return Ok(FirstFlight::Broken(error, bytes, offer));
            }
        }
    }
}
