//! gRPC through wxgate: server and client are both grpcio's, and notice nothing.

use serde_json::{Value, json};

use crate::gate::{Gate, certificate};
use crate::partners::{Backend, client};

/// The service, and a gate before it by `scheme`, with more keys of `upstream`.
fn site(scheme: &str, more: &str) -> (Backend, Gate) {
    let dir = Backend::folder();
    certificate(dir.path(), &["localhost"]);
    let listen = if scheme == "h2" { "tls" } else { "tcp" };
    let backend = Backend::start_in(dir, "grpc", &[listen]);
    let trust = match scheme {
        "h2" => format!(
            ", tls: {{ca: '{}'}}",
            backend.dir().join("ca.crt").display()
        ),
        _ => String::new(),
    };
    let gate = Gate::start(&backend.yaml_by(scheme, &format!("{trust}{more}")));
    (backend, gate)
}

/// Plays a scenario of the client through the gate.
fn play(gate: &Gate, scenario: &str) -> Value {
    let ca = gate.ca();
    let address = gate.https.to_string();
    let answer = client(
        "clients/grpc-client.py",
        &["--ca", ca.to_str().unwrap(), &address, scenario],
    );
    println!("{scenario}: {answer}");
    answer
}

fn has(metadata: &Value, name: &str, value: &str) -> bool {
    metadata.as_array().unwrap().contains(&json!([name, value]))
}

#[test]
fn unary_calls_and_their_metadata_pass_in_clear_and_over_tls() {
    for scheme in ["h2c", "h2"] {
        let (_backend, gate) = site(scheme, "");
        let told = play(&gate, "unary");
        assert_eq!(told["code"], "OK");
        assert_eq!(told["echo"], "你好");
        assert_eq!(told["empty"], 0);
        let sent = &told["answer"]["metadata"];
        for (name, value) in [
            ("x-sent", "1"),
            ("x-sent-bin", "0001"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            assert!(has(sent, name, value), "{name}: {sent}");
        }
        // The deadline arrives as one.
        let left = told["answer"]["left"].as_f64().unwrap();
        assert!((10.0..30.0).contains(&left), "{left}");
        assert!(has(&told["initial"], "x-initial", "first"));
        assert!(has(&told["initial"], "x-initial-bin", "0001020304050607"));
        assert!(has(&told["trailing"], "x-trailing", "last"));
        assert!(has(&told["trailing"], "x-trailing-bin", "00ff"));
        assert!(has(&told["trailing"], "x_low", "kept"));
        assert_eq!(gate.stop().code, Some(0));
    }
}

#[test]
fn streams_pass_in_either_direction_and_message_by_message() {
    for scheme in ["h2c", "h2"] {
        let (_backend, gate) = site(scheme, "");
        let told = play(&gate, "streams");
        assert_eq!(told["received"], 50);
        assert_eq!(told["in_order"], true);
        assert_eq!(
            told["sums"],
            json!({"count": 100, "bytes": 409_600, "sha256": told["sha256"]})
        );
        let conversation = json!({"echoes": 50, "ended": true, "code": "OK"});
        assert_eq!(told["conversation"], conversation);
    }
}

#[test]
fn a_status_arrives_as_it_was_sent_whether_or_not_messages_came_before() {
    let (_backend, gate) = site("h2c", "");
    let told = play(&gate, "fails");
    let only = &told["only_trailers"];
    assert_eq!(only["code"], "FAILED_PRECONDITION");
    assert_eq!(only["details"], "not today");
    assert!(has(&only["trailing"], "x-why", "because"));
    let after = &told["after_three"];
    assert_eq!(
        (&after["count"], &after["code"]),
        (&json!(3), &json!("DATA_LOSS"))
    );
    assert_eq!(after["details"], "after three");
    assert!(has(&after["trailing"], "x-why", "because"));
    assert_eq!(told["unknown"]["code"], "UNIMPLEMENTED");
}

#[test]
fn a_call_past_its_deadline_ends_on_both_sides() {
    let (_backend, gate) = site("h2c", "");
    let told = play(&gate, "deadline");
    assert_eq!(told["failed"]["code"], "DEADLINE_EXCEEDED");
    let seconds = told["failed"]["seconds"].as_f64().unwrap();
    assert!((0.9..5.0).contains(&seconds), "{seconds}");
    assert_eq!(told["cancelled"], 1);
}

#[test]
fn calls_that_the_client_takes_back_end_at_the_service() {
    for scheme in ["h2c", "h2"] {
        let (_backend, gate) = site(scheme, "");
        let told = play(&gate, "cancel");
        assert_eq!(told["heard"], 3);
        let seconds = told["seconds"].as_f64().unwrap();
        assert!(seconds < 5.0, "{seconds}");
        gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
    }
}

/// Its upload waits for room that never comes, so nobody looks whether there is more of it.
#[test]
fn an_upload_that_the_service_does_not_read_can_be_taken_back() {
    let (_backend, gate) = site("h2c", "");
    let told = play(&gate, "stuck");
    assert_eq!(told, json!({"first": "here", "heard": 1}));
    gate.wait_for_metric("wxgate_requests_in_flight", 0.0);
}

#[test]
fn a_thousand_calls_at_once_get_a_thousand_answers_over_few_connections() {
    let (_backend, gate) = site("h2c", "");
    assert_eq!(play(&gate, "many")["right"], 1000);
    let made = gate.metric("wxgate_upstream_connect_duration_seconds_count");
    assert!((1.0..=30.0).contains(&made), "{made} connections");
}

#[test]
fn messages_of_ten_mebibytes_pass_whole() {
    for scheme in ["h2c", "h2"] {
        let (_backend, gate) = site(scheme, "");
        assert_eq!(play(&gate, "large")["right"], 7);
    }
}

/// gRPC servers end connections that ask for signs of life oftener than every five minutes, after the third time.
#[test]
fn a_stream_on_which_nothing_happens_is_left_alone() {
    let (_backend, gate) = site("h2c", "");
    assert_eq!(play(&gate, "silent"), json!({"received": ["00"]}));
}
