//! What wxgate does, seen from outside: the real program, over real sockets, against partners that nobody here wrote.
//!
//! Ports are the kernel's choice and every wait has a ceiling, so that all tests run side by side.
//! A partner that is missing fails its test: `tests/partners/install` brings them all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a failed expectation is how a test fails, a table may be long, and what chance chose is shown"
)]

#[cfg(feature = "acme")]
mod acme;
#[cfg(feature = "acme")]
mod acme_failures;
#[cfg(feature = "acme")]
mod acme_renewals;
#[cfg(feature = "acme")]
mod acme_site;
mod addresses;
mod alert_faults;
mod alert_message_faults;
mod alert_rules;
mod alerts;
mod allocator;
mod allow;
mod architecture;
mod backends;
mod bad_input;
mod banned;
mod blame;
mod body_limits;
mod client;
mod client_certificates;
mod clients;
mod collector;
mod commands;
mod configuration;
mod connection_caps;
mod console;
mod consoles;
mod dashboard;
mod deploy;
mod diagnosis;
mod drain;
mod drain_command;
mod early_answer;
mod exhaustion;
mod expect;
mod explain;
mod forwarding;
mod frames;
mod fuzz_corpus;
mod gate;
mod grpc;
mod haproxy;
mod http10;
mod http1_edges;
mod http1_limits;
mod http2_conformance;
mod http2_floods;
mod http2_limits;
mod http_listener;
mod inbox;
mod inherited_sockets;
mod message_forgeries;
mod message_rules;
mod messages;
mod negatives;
mod observability;
mod packages;
mod partners;
mod pay_notices;
#[cfg(feature = "acme")]
mod pebble;
mod pool;
mod prometheus;
mod prometheus_server;
mod promql;
mod proxy_protocol;
mod recorder;
mod reload;
mod reload_certificates;
mod reload_under_load;
mod replicas;
mod reply_guard;
mod resilience;
mod response_cuts;
mod responses;
mod rotation;
mod runbook;
mod sdk_backends;
mod sdk_messages;
mod sdk_opened;
mod secrecy;
mod series;
mod shops;
mod silence;
mod simulate;
mod simulate_hostile;
mod simulate_network;
mod simulate_tls;
mod simulate_zoo;
mod sink;
mod stalls;
mod startup;
mod status;
mod status_hostile;
mod status_simulation;
mod streaming;
mod systemd;
mod ticket_keys;
mod tls;
mod tracing;
mod trailers;
mod trusted_proxies;
mod tunnels;
mod upstream_down;
mod upstream_errors;
mod upstream_http2;
mod upstream_http2_uploads;
mod upstream_limits;
mod upstream_restarts;
mod upstream_tls;
mod verification;
mod websocket;
mod websocket_clients;
mod websocket_h2;
mod workers;
mod writes;
