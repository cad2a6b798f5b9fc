//! What holds for all settings, by `config.yaml`, so that nothing behind them has to check again.

use std::collections::BTreeSet;
use std::time::Duration;

use wxgate::config::{
    Boot, Endpoint, Handling, Listen, Live, Settings, Target, Tls, Upstream, UpstreamTls,
};
use wxgate::wechat::Scheme;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Panics at the first that does not.
pub fn hold(settings: &Settings) {
    boot(&settings.boot);
    live(&settings.live);
    tls(&settings.boot.listen, &settings.live.tls);
    let of_upstream = settings.live.upstream_tls.as_ref();
    upstream_tls(of_upstream, &settings.boot.upstream);
}

fn boot(boot: &Boot) {
    assert!(boot.workers.get() <= 256);
    assert!(boot.drain.delay <= DAY);
    is_limit(boot.drain.timeout);
    listen(&boot.listen);
    upstream(&boot.upstream);
}

fn upstream(upstream: &Upstream) {
    for limit in [
        upstream.connect_timeout,
        upstream.response_timeout,
        upstream.body_timeout,
        upstream.max_lifetime,
        upstream.queue_timeout,
    ] {
        is_limit(limit);
    }
    if let Some(interval) = upstream.ping_interval {
        is_limit(interval);
    }
    assert!(upstream.idle_timeout <= DAY);
    assert!(upstream.max_idle <= 65_535 && upstream.queue <= 65_535);
    assert!((1..=65_535).contains(&upstream.max_connections));
    assert!(http::HeaderValue::from_str(&upstream.authority).is_ok());
    match &upstream.target {
        Target::Tcp { host, port } => assert!(!host.is_empty() && *port > 0),
        Target::Unix(path) => assert!(path.is_absolute() && path.as_os_str().len() <= 107),
    }
}

fn upstream_tls(tls: Option<&UpstreamTls>, upstream: &Upstream) {
    assert_eq!(tls.is_some(), upstream.is_tls);
    if let Some(tls) = tls {
        assert!(!tls.authorities.is_empty(), "nobody is believed");
    }
}

fn listen(listen: &Listen) {
    let addresses = listen.https.iter().chain(&listen.http).chain(&listen.admin);
    let fixed: Vec<_> = addresses.filter(|address| address.port() != 0).collect();
    let distinct: BTreeSet<_> = fixed.iter().collect();
    assert_eq!(distinct.len(), fixed.len(), "an address stands twice");
    assert!(
        listen.https.len() + listen.http.len() > 0,
        "nothing to bind"
    );
}

fn tls(listen: &Listen, tls: &Tls) {
    assert!(listen.https.is_empty() || !tls.certificates.is_empty());
}

fn is_limit(limit: Duration) {
    assert!(Duration::ZERO < limit && limit <= DAY, "{limit:?}");
}

fn live(live: &Live) {
    let timeouts = &live.timeouts;
    for limit in [
        timeouts.handshake,
        timeouts.request_head,
        timeouts.idle,
        timeouts.request_body,
        timeouts.response,
        timeouts.tunnel,
    ] {
        is_limit(limit);
    }
    let limits = &live.limits;
    for connections in [limits.connections, limits.connections_per_address] {
        assert!(connections.is_none_or(|count| count.get() <= 10_000_000));
    }
    assert!((64..=64 * 1024).contains(&limits.request_target));
    assert!((1024..=64 * 1024).contains(&limits.request_head));
    assert!((8..=1000).contains(&limits.request_fields));
    assert!(limits.request_body.default <= 1 << 40);
    assert!((1024..=64 << 20).contains(&limits.message));
    assert!(limits.message <= limits.messages);
    assert!((1..=1000).contains(&limits.http2.streams));
    assert!((1..=1_000_000).contains(&limits.http2.resets));
    assert!((1..=1_000_000).contains(&limits.http2.control_frames));
    for (name, content) in &live.domain_files {
        assert!(name.ends_with(".txt") && !name.contains('/'), "{name}");
        assert!((1..=1024).contains(&content.len()), "{name}");
    }
    endpoints(&live.endpoints);
}

fn endpoints(endpoints: &[Endpoint]) {
    let names: BTreeSet<_> = endpoints.iter().map(|endpoint| &endpoint.name).collect();
    assert_eq!(names.len(), endpoints.len(), "a name stands twice");
    let places = endpoints
        .iter()
        .map(|endpoint| (&endpoint.host, endpoint.path.as_str()));
    let places: BTreeSet<_> = places.collect();
    assert_eq!(places.len(), endpoints.len(), "a path stands twice");
    for endpoint in endpoints {
        let path = endpoint.path.as_str();
        assert!(
            path.is_empty() || path.starts_with('/') && !path.ends_with('/'),
            "{path}"
        );
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
        assert!(!path.contains(['?', '#']) && !path.contains("//"), "{path}");
        assert!(!endpoint.credentials.tokens.is_empty());
        if !matches!(endpoint.credentials.scheme, Scheme::Plain) {
            assert!(!endpoint.credentials.keys().is_empty());
        }
        let window = endpoint.timestamp_window;
        assert!(window.is_none_or(|window| (1..=DAY.as_secs()).contains(&window)));
        let messages = &endpoint.messages;
        let has_keys = !endpoint.credentials.keys().is_empty();
        assert!(has_keys || !messages.mode.is_encrypted());
        assert!(messages.handling != Handling::Open || messages.mode.is_encrypted());
        assert!(messages.replay.is_none() || window.is_some());
    }
}
