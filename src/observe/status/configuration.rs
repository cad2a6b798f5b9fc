//! The settings in force, key by key as `config.yaml` has them, with every secret hidden.
//!
//! Made of the checked settings and of nothing else: tokens, keys and header values have types that cannot be shown, and
//! stand here as `***`. Every field of the settings is taken apart by name, so that a new one is either shown or left
//! out on purpose.

use super::endpoint_settings;
use super::setting::{HIDDEN, Setting, Settings, on, size};
use crate::config::{
    Acme, Boot, ClientAuth, Collector, Http2Limits, Limits, Listen, Live, LogFormat, OtherRequests,
    Protocol, RenewBefore, Target, Timeouts, Tls, TlsVersion, Trace, Underscores, Upstream,
    UpstreamTls,
};

/// All of them, in the order of `config.yaml`.
pub(super) fn of(boot: &Boot, live: &Live) -> Vec<Setting> {
    let mut settings = Settings::default();
    let Boot {
        listen,
        workers,
        drain,
        reload,
        upstream,
        log,
        acme,
        trace,
    } = boot;
    let Live {
        tls,
        http,
        timeouts,
        limits,
        trusted_proxies,
        headers,
        upstream_tls,
        endpoints,
        domain_files,
    } = live;
    add_listen(&mut settings, listen);
    settings.add("workers", workers);
    settings.time("drain.delay", drain.delay);
    settings.time("drain.timeout", drain.timeout);
    settings.time_or_off("reload.poll", reload.poll);
    add_tls(&mut settings, tls, acme.as_ref());
    let other = match http.other {
        OtherRequests::Redirect => "redirect",
        OtherRequests::Forward => "forward",
    };
    settings.add("http.other", other);
    settings.add("http.redirect_port", http.redirect_port);
    add_upstream(&mut settings, upstream, upstream_tls.as_ref());
    add_timeouts(&mut settings, *timeouts);
    add_limits(&mut settings, limits);
    settings.networks("trusted_proxies", trusted_proxies);
    let underscores = match headers.underscores {
        Underscores::Drop => "drop",
        Underscores::Forward => "forward",
    };
    settings.add("headers.underscores", underscores);
    for (number, endpoint) in endpoints.iter().enumerate() {
        endpoint_settings::add(&mut settings, number, endpoint);
    }
    settings.list("domain_files", domain_files.keys().cloned());
    settings.add("log.level", log.level.to_string().to_ascii_lowercase());
    let format = match log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    settings.add("log.format", format);
    settings.add("log.access", on(log.access));
    add_trace(&mut settings, trace);
    settings.done()
}

fn add_listen(settings: &mut Settings, listen: &Listen) {
    let Listen {
        https,
        http,
        admin,
        proxy_protocol,
    } = listen;
    settings.list("listen.https", https.iter().map(ToString::to_string));
    settings.list("listen.http", http.iter().map(ToString::to_string));
    let admin = admin.map(|address| address.to_string());
    settings.add("listen.admin", admin.as_deref().unwrap_or("off"));
    settings.networks("listen.proxy_protocol", proxy_protocol);
}

fn add_tls(settings: &mut Settings, tls: &Tls, acme: Option<&Acme>) {
    let Tls {
        certificates,
        min_version,
        strict_sni,
        client_auth,
        ticket_keys,
    } = tls;
    let names = certificates
        .iter()
        .map(|certificate| certificate.name.clone());
    settings.list("tls.certificates", names);
    let min_version = match min_version {
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    };
    settings.add("tls.min_version", min_version);
    settings.add("tls.strict_sni", strict_sni);
    let client_auth = match client_auth {
        ClientAuth::Off => "off",
        ClientAuth::Optional(_) => "optional",
        ClientAuth::Required(_) => "required",
    };
    settings.add("tls.client_auth", client_auth);
    let hidden = ticket_keys.iter().map(|_| HIDDEN.to_owned());
    settings.list("tls.ticket_keys", hidden);
    let Some(acme) = acme else {
        return;
    };
    settings.list("tls.acme.hosts", acme.hosts.iter().cloned());
    settings.add("tls.acme.storage", acme.storage.display());
    settings.add("tls.acme.directory", &acme.directory);
    settings.list("tls.acme.contact", acme.contact.iter().cloned());
    settings.add("tls.acme.challenge", acme.challenge.name());
    if acme.external_account.is_some() {
        settings.add("tls.acme.external_account", HIDDEN);
    }
    match acme.renew_before {
        RenewBefore::Percent(percent) => {
            settings.add("tls.acme.renew_before", format_args!("{percent}%"));
        }
        RenewBefore::Time(time) => settings.time("tls.acme.renew_before", time),
    }
    settings.time("tls.acme.retry_pause", acme.retry_pause);
}

/// The URL as it could be written.
pub(super) fn upstream_url(upstream: &Upstream) -> String {
    let scheme = match (upstream.protocol, upstream.is_tls) {
        (Protocol::Http1, false) => "http",
        (Protocol::Http1, true) => "https",
        (Protocol::Http2, false) => "h2c",
        (Protocol::Http2, true) => "h2",
    };
    match &upstream.target {
        Target::Unix(path) => format!("unix:{}", path.display()),
        Target::Tcp { .. } => format!("{scheme}://{}", upstream.authority),
    }
}

fn add_upstream(settings: &mut Settings, upstream: &Upstream, tls: Option<&UpstreamTls>) {
    let Upstream {
        target: _,
        protocol: _,
        is_tls: _,
        authority: _,
        connect_timeout,
        response_timeout,
        body_timeout,
        idle_timeout,
        max_idle,
        max_lifetime,
        max_connections,
        queue,
        queue_timeout,
        ping_interval,
    } = upstream;
    settings.add("upstream.url", upstream_url(upstream));
    if let Some(tls) = tls {
        settings.add("upstream.tls.server_name", tls.server_name.to_str());
        if tls.certificate.is_some() {
            settings.add("upstream.tls.key", HIDDEN);
        }
    }
    settings.time("upstream.connect_timeout", *connect_timeout);
    settings.time("upstream.response_timeout", *response_timeout);
    settings.time("upstream.body_timeout", *body_timeout);
    settings.time("upstream.idle_timeout", *idle_timeout);
    settings.add("upstream.max_idle", max_idle);
    settings.time("upstream.max_lifetime", *max_lifetime);
    settings.add("upstream.max_connections", max_connections);
    settings.add("upstream.queue", queue);
    settings.time("upstream.queue_timeout", *queue_timeout);
    settings.time_or_off("upstream.ping_interval", *ping_interval);
}

fn add_timeouts(settings: &mut Settings, timeouts: Timeouts) {
    let Timeouts {
        handshake,
        request_head,
        idle,
        request_body,
        response,
        tunnel,
    } = timeouts;
    settings.time("timeouts.handshake", handshake);
    settings.time("timeouts.request_head", request_head);
    settings.time("timeouts.idle", idle);
    settings.time("timeouts.request_body", request_body);
    settings.time("timeouts.response", response);
    settings.time("timeouts.tunnel", tunnel);
}

fn add_limits(settings: &mut Settings, limits: &Limits) {
    let Limits {
        connections,
        connections_per_address,
        request_target,
        request_head,
        request_fields,
        request_body,
        message,
        messages,
        http2,
    } = limits;
    let Http2Limits {
        streams,
        resets,
        control_frames,
    } = http2;
    let connections = connections.map(|number| number.to_string());
    settings.add(
        "limits.connections",
        connections.as_deref().unwrap_or("auto"),
    );
    let each = connections_per_address.map(|number| number.to_string());
    settings.add(
        "limits.connections_per_address",
        each.as_deref().unwrap_or("off"),
    );
    settings.add("limits.request_target", size(*request_target as u64));
    settings.add("limits.request_head", size(*request_head as u64));
    settings.add("limits.request_fields", request_fields);
    settings.add("limits.request_body", size(request_body.default));
    let bodies = request_body.prefixes();
    let bodies = bodies.map(|(prefix, limit)| format!("{prefix}: {}", size(limit)));
    settings.list("limits.request_bodies", bodies);
    settings.add("limits.message", size(*message as u64));
    settings.add("limits.messages", size(*messages as u64));
    settings.add("limits.http2_streams", streams);
    settings.add("limits.http2_resets", resets);
    settings.add("limits.http2_control_frames", control_frames);
}

fn add_trace(settings: &mut Settings, trace: &Trace) {
    let Trace {
        collector,
        sample,
        make,
        service_name,
    } = trace;
    match collector {
        None => settings.add("trace.endpoint", "off"),
        Some(Collector {
            host: _,
            port: _,
            tls,
            authority,
            path,
            headers,
            timeout,
        }) => {
            let scheme = if tls.is_some() { "https" } else { "http" };
            // Some collectors take their secret in the path.
            let path = if path == "/v1/traces" { path } else { "/***" };
            settings.add(
                "trace.endpoint",
                format_args!("{scheme}://{authority}{path}"),
            );
            let headers = headers.iter();
            let headers = headers.map(|(name, _)| format!("{name}: {HIDDEN}"));
            settings.list("trace.headers", headers);
            settings.time("trace.timeout", *timeout);
        }
    }
    settings.add("trace.sample", sample);
    settings.add("trace.make", on(*make));
    settings.add("trace.service_name", service_name);
}
