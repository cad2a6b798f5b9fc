//! `listen`: the sockets.

use std::net::SocketAddr;

use super::{Networks, networks, section};
use crate::config::fault::{Faults, Wrong};
use crate::config::place::{Place, Section};
use crate::config::repeats;

/// The addresses to bind. No address stands twice, except that port 0 (the kernel chooses) may.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// For TLS clients. Default `[::]:443`. May be empty if `http` is not.
    pub https: Vec<SocketAddr>,
    /// For clients in clear. Default `[::]:80`. May be empty if `https` is not.
    pub http: Vec<SocketAddr>,
    /// For metrics and probes; `None` if off. Default `127.0.0.1:9090`.
    pub admin: Option<SocketAddr>,
    /// Peers whose connections to `https` and `http` begin with a PROXY protocol header, each of them. Default none.
    pub proxy_protocol: Networks,
}

const KEYS: [&str; 4] = ["https", "http", "admin", "proxy_protocol"];
const ADDRESS: &str = "allowed is ip:port such as 0.0.0.0:443 or [::]:443";
const ADMIN: &str = "allowed is ip:port such as 127.0.0.1:9090, or off";
const LIST: &str = "allowed is a list of ip:port such as [\"[::]:443\"]";

/// Those that could not be read are `None`; the others are still compared with each other.
type Bound<'c> = Vec<Option<(Place<'c>, SocketAddr)>>;

pub(super) fn read(root: &Section<'_>, faults: &mut Faults) -> Option<Listen> {
    let listen = section(root, "listen", &KEYS, faults)?;
    let https = read_list(&listen, "https", faults);
    let http = read_list(&listen, "http", faults);
    let admin = listen.read("admin", ADMIN, faults, |place| {
        place.parse(|word| match word {
            "off" => Some(None),
            address => address.parse().ok().map(Some),
        })
    });
    let proxy_protocol = networks::read(&listen, "proxy_protocol", faults);
    if let (Some([]), Some([])) = (https.as_deref(), http.as_deref()) {
        let wrong = Wrong::found("https and http are both empty");
        faults.push(
            listen
                .place()
                .fault(wrong, "at least one of them needs an address"),
        );
    }
    let all: Vec<_> = [https.as_deref(), http.as_deref()]
        .into_iter()
        .flatten()
        .flatten()
        .flatten()
        .cloned()
        .chain(listen.get("admin").zip(admin.flatten()))
        .filter(|(_, address)| address.port() != 0)
        .collect();
    repeats::refuse(all.iter(), "each address may stand once", faults, |first| {
        format!("the same address as {first}")
    });
    let addresses = |bound: Bound<'_>| -> Option<Vec<SocketAddr>> {
        bound.into_iter().map(|item| Some(item?.1)).collect()
    };
    Some(Listen {
        https: addresses(https?)?,
        http: addresses(http?)?,
        admin: admin?,
        proxy_protocol: proxy_protocol?,
    })
}

/// Whether an https listener is wanted, also where its address is wrong.
pub(super) fn wants_tls(root: &Section<'_>) -> bool {
    is_wanted(root, "https")
}

/// The same for either listener.
pub(super) fn is_wanted(root: &Section<'_>, listener: &str) -> bool {
    let addresses = root.get("listen").and_then(|listen| {
        listen
            .value()
            .find_ref(listener)
            .map(|addresses| addresses.as_array().map(<[_]>::len))
    });
    addresses != Some(Some(0))
}

fn read_list<'c>(listen: &Section<'c>, key: &str, faults: &mut Faults) -> Option<Bound<'c>> {
    let items = listen.read(key, LIST, faults, Place::items)?;
    let addresses = items.into_iter().map(|item| {
        let address = item.parse(|word| word.parse().ok());
        let address = address.map_err(|wrong| item.fault(wrong, ADDRESS));
        Some((item, faults.keep(address)?))
    });
    Some(addresses.collect())
}

#[cfg(test)]
mod tests {
    use crate::config::trial::{Trial, only_fault};

    fn yaml(listen: &str) -> String {
        format!("upstream: {{url: http://app}}\nlisten: {listen}\n")
    }

    #[test]
    fn admin_may_be_off_and_port_0_may_stand_twice() {
        let yaml = yaml("{https: [], http: ['127.0.0.1:0', '127.0.0.1:0'], admin: off}");
        let listen = Trial::new(&yaml).settings().boot.listen;
        assert_eq!(listen.http.len(), 2);
        assert_eq!(listen.admin, None);
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        for (listen, expected) in [
            (
                "{https: [], http: []}",
                "listen (config.yaml): https and http are both empty; ",
            ),
            (
                "{https: [], http: [80]}",
                "listen.http[0] (config.yaml): found 80; ",
            ),
            (
                "{https: [], http: [null]}",
                "listen.http[0] (config.yaml): found nothing; ",
            ),
            (
                "{https: [], admin: 9090}",
                "listen.admin (config.yaml): found 9090; ",
            ),
            (
                "{https: [], http: {}}",
                "listen.http (config.yaml): found a map; ",
            ),
            (
                "{https: [], admin: '[::]:80'}",
                "listen.admin (config.yaml): the same address as listen.http[0]; ",
            ),
            ("{http: []}", "tls.certificates: there is no certificate; "),
        ] {
            let fault = only_fault(&yaml(listen));
            assert!(fault.starts_with(expected), "{listen}: {fault}");
        }
    }
}
