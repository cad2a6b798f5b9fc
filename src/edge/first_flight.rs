//! The first bytes on the https listener: a `ClientHello`, or something that is not TLS at all.
//!
//! They are read here and not by the TLS library's acceptor, because a client that speaks plain HTTP to this port
//! should be told so in HTTP, before any TLS alert.

use std::io;

use rustls::server::{Accepted, Acceptor};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// One read's worth; a hello with post-quantum shares has about 1.8 KB.
const READ_SIZE: usize = 4096;
/// First byte of a TLS handshake record, RFC 8446 section 5.1.
const HANDSHAKE_RECORD: u8 = 22;

/// What came first.
#[expect(missing_debug_implementations, reason = "rustls' Accepted has none")]
pub enum FirstFlight {
    /// A whole `ClientHello`.
    Hello(Box<Accepted>),
    /// A letter: plain HTTP.
    PlainHttp,
    /// Anything else.
    NotTls,
    /// A handshake record whose content is no `ClientHello`, and the alert that says so.
    Broken(rustls::Error, Vec<u8>),
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
    let mut is_first = true;
    loop {
        let length = stream.read(&mut buffer).await?;
        let Some(mut received) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
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
            Ok(Some(accepted)) => return Ok(FirstFlight::Hello(Box::new(accepted))),
            Err((error, mut alert)) => {
                let mut bytes = Vec::new();
                alert.write_all(&mut bytes)?;
                return Ok(FirstFlight::Broken(error, bytes));
            }
        }
    }
}
