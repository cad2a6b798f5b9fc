//! An address as the logs show it: with its port where that is known.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Shown as `192.0.2.7:12345` and `[2001:db8::7]:12345`, or `192.0.2.7` and `2001:db8::7` without a port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address {
    /// IPv4 is never written as IPv6.
    pub ip: IpAddr,
    /// None if only the address was told.
    pub port: Option<u16>,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self {
            ip: address.ip().to_canonical(),
            port: Some(address.port()),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self {
            ip: ip.to_canonical(),
            port: None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}
