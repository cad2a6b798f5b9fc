//! Lists of networks: whose word is taken for an address, and who may call.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::fault::Faults;
use crate::config::place::{Place, Section};

const LIST: &str = "allowed is a list of addresses and networks such as [10.0.0.0/8, 127.0.0.1]";
const NETWORK: &str = "allowed is an address or network such as 127.0.0.1, 10.0.0.0/8 or fd00::/8";

/// Addresses and networks, with the host bits zero.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether an address is in one of them. An IPv4 address is the same when written as IPv6.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each as it is written, such as `10.0.0.0/8`.
    pub fn written(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(ToString::to_string)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// The list under `key`, which must be there.
pub(super) fn read(section: &Section<'_>, key: &str, faults: &mut Faults) -> Option<Networks> {
    let items = section.read(key, LIST, faults, Place::items)?;
    let networks: Vec<_> = items
        .into_iter()
        .map(|item| {
            let network = item.parse(parse);
            faults.keep(network.map_err(|wrong| item.fault(wrong, NETWORK)))
        })
        .collect();
    networks.into_iter().collect::<Option<_>>().map(Networks)
}

#[cfg(test)]
impl FromIterator<&'static str> for Networks {
    fn from_iter<I: IntoIterator<Item = &'static str>>(words: I) -> Self {
        Self(words.into_iter().map(|word| parse(word).unwrap()).collect())
    }
}

fn parse(word: &str) -> Option<IpNet> {
    let network: Option<IpNet> = word.parse().ok();
    network.map(|network| network.trunc()).or_else(|| {
        word.parse::<IpAddr>()
            .ok()
            .map(|address| IpNet::from(address.to_canonical()))
    })
}

#[cfg(test)]
mod tests {
    use crate::config::trial::settings;

    #[test]
    fn an_ipv4_address_is_the_same_when_written_as_ipv6() {
        let networks = settings("trusted_proxies: [10.0.0.0/8, '::ffff:192.0.2.1']\n")
            .live
            .trusted_proxies;
        assert_eq!(networks.len(), 2);
        for (address, is_in) in [
            ("10.9.9.9", true),
            ("::ffff:10.9.9.9", true),
            ("192.0.2.1", true),
            ("11.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(
                networks.contain(address.parse().unwrap()),
                is_in,
                "{address}"
            );
        }
    }
}
