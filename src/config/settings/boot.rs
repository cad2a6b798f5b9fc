//! What only a restart can change, and which keys have.

use std::num::NonZeroUsize;

use super::{Acme, Drain, Listen, Log, Reload, Upstream};

/// What only a restart can change: sockets, threads, their connections, the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Boot {
    /// The sockets to bind.
    pub listen: Listen,
    /// How many worker threads serve; 1 to 256.
    pub workers: NonZeroUsize,
    /// How it ends.
    pub drain: Drain,
    /// When the configuration is read again.
    pub reload: Reload,
    /// The backend. Here and not in [`Live`](super::Live) because each worker's connections belong to it.
    pub upstream: Upstream,
    /// What is logged, and how.
    pub log: Log,
    /// Certificates obtained by itself; `None`: none. Here because its thread belongs to one storage and one account.
    pub acme: Option<Acme>,
}

/// The keys of those fields of `$type` that differ. Every field has to be named, or this does not compile.
macro_rules! differing {
    ($type:ident, $old:expr, $new:expr, { $($field:ident = $key:literal),+ $(,)? }) => {{
        let $type { $($field),+ } = $old;
        [$((*$field != $new.$field).then_some($key)),+].into_iter().flatten()
    }};
}

impl Boot {
    /// The keys that `other` has with another value, each once, as they are written in the configuration.
    #[must_use]
    pub fn keys_changed(&self, other: &Self) -> Vec<&'static str> {
        let Self {
            listen,
            workers,
            drain,
            reload,
            upstream,
            log,
            acme,
        } = self;
        let mut keys: Vec<&'static str> = Vec::new();
        keys.extend(listen_keys(listen, &other.listen));
        keys.extend((*workers != other.workers).then_some("workers"));
        keys.extend(differing!(Drain, drain, other.drain, {
            delay = "drain.delay",
            timeout = "drain.timeout",
        }));
        keys.extend(differing!(Reload, reload, other.reload, {
            poll = "reload.poll"
        }));
        keys.extend(upstream_keys(upstream, &other.upstream));
        keys.extend(differing!(Log, log, other.log, {
            level = "log.level",
            format = "log.format",
            access = "log.access",
        }));
        keys.extend((*acme != other.acme).then_some("tls.acme"));
        // Four fields are made of the URL.
        keys.dedup();
        keys
    }
}

fn listen_keys(old: &Listen, new: &Listen) -> impl Iterator<Item = &'static str> {
    differing!(Listen, old, new, {
        https = "listen.https",
        http = "listen.http",
        admin = "listen.admin",
        proxy_protocol = "listen.proxy_protocol",
    })
}

fn upstream_keys(old: &Upstream, new: &Upstream) -> impl Iterator<Item = &'static str> {
    differing!(Upstream, old, new, {
        target = "upstream.url",
        protocol = "upstream.url",
        is_tls = "upstream.url",
        authority = "upstream.url",
        connect_timeout = "upstream.connect_timeout",
        response_timeout = "upstream.response_timeout",
        body_timeout = "upstream.body_timeout",
        idle_timeout = "upstream.idle_timeout",
        max_idle = "upstream.max_idle",
        max_lifetime = "upstream.max_lifetime",
        max_connections = "upstream.max_connections",
        queue = "upstream.queue",
        queue_timeout = "upstream.queue_timeout",
        ping_interval = "upstream.ping_interval",
    })
}

#[cfg(test)]
mod tests {
    use crate::config::trial::settings;

    #[test]
    fn each_key_that_differs_is_named_once() {
        let boot = |yaml: &str| settings(yaml).boot;
        let old = boot("");
        assert_eq!(old.keys_changed(&boot("")), Vec::<&str>::new());
        assert_eq!(
            old.keys_changed(&boot(
                "workers: 250\ndrain: {delay: 1s}\nlog: {level: debug}\n"
            )),
            ["workers", "drain.delay", "log.level"]
        );
        assert_eq!(
            old.keys_changed(&boot("reload: {poll: off}\n")),
            ["reload.poll"]
        );
    }
}
