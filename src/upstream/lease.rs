//! What an exchange holds of a connection while its bodies go through.

use super::http2::Stream;
use super::pool::Exclusive;

/// Dropped without [`Lease::give_back`], it ends the connection over HTTP/1.1, and its own stream alone over HTTP/2.
#[derive(Debug)]
pub enum Lease {
    /// A whole connection.
    Exclusive(Exclusive),
    /// A stream of a connection that others use too.
    Stream(Stream),
}

impl Lease {
    /// The response has ended: the connection is kept if the request has too.
    pub fn give_back(self) {
        match self {
            Self::Exclusive(connection) => connection.give_back(),
            Self::Stream(stream) => stream.give_back(),
        }
    }
}
