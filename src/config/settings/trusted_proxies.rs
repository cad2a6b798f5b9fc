//! `trusted_proxies`: peers whose `X-Forwarded-…` is believed.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::fault::Faults;
use crate::config::place::{Place, Section};

const LIST: &str = "allowed is a list of addresses and networks such as [10.0.0.0/8, 127.0.0.1]";
const NETWORK: &str = "allowed is an address or network such as 127.0.0.1, 10.0.0.0/8 or fd00::/8";

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Vec<IpNet>> {
    let items = root.read("trusted_proxies", LIST, faults, Place::items)?;
    let networks: Vec<_> = items
        .into_iter()
        .map(|item| {
            let network = item.parse(parse);
            faults.keep(network.map_err(|wrong| item.fault(wrong, NETWORK)))
        })
        .collect();
    networks.into_iter().collect()
}

fn parse(word: &str) -> Option<IpNet> {
    let network: Option<IpNet> = word.parse().ok();
    network
        .map(|network| network.trunc())
        .or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}
