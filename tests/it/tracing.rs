//! Traces: which context a backend gets, and which spans a collector, both with OpenTelemetry at the other end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{self, Answer, curl, curl_url, exchange, tcp};
use crate::collector::{Collector, TAKEN, spans, spans_that_were};
use crate::console::verification;
use crate::gate::{Gate, NAMES, SOON, certificate};
use crate::partners::{self, Backend};
use crate::recorder::Recorder;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const FORWARD: &str = "http: {other: forward}\n";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// A gate that forwards everything, with this `trace:` section.
fn gate(upstream: &Recorder, trace: &str) -> Gate {
    Gate::start(&format!("{}{FORWARD}{trace}", upstream.yaml()))
}

/// Asks in clear with these fields.
fn ask(gate: &Gate, target: &str, fields: &str) -> Answer {
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n{fields}\r\n");
    Answer::parse(&exchange(&mut tcp(gate.http), request.as_bytes()))
}

/// The values of a field in a head.
fn values<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

/// The spans of this kind.
fn of_kind<'s>(spans: &'s [Value], kind: &str) -> Vec<&'s Value> {
    let kind = format!("SPAN_KIND_{kind}");
    spans.iter().filter(|span| span["kind"] == *kind).collect()
}

#[test]
fn a_trace_of_the_sdk_goes_through_with_a_server_and_a_client_span_in_it() {
    let (site, collector) = (Backend::start("otel", &["tcp"]), Collector::start());
    let gate = Gate::start(&format!(
        "{}{FORWARD}{}",
        site.yaml(),
        collector.yaml(", sample: 0")
    ));
    let url = format!("http://{}/page?token=s3cret", gate.http);
    let told = partners::client("clients/otel-client.py", &["--state", "a=1,b=2", &url]);
    let (told, site) = (&told[0], &told[0]["answer"]);
    let spans = collector.wait_for_spans(&gate, 2);
    let [server, client] = ["SERVER", "CLIENT"].map(|kind| of_kind(&spans, kind)[0]);
    for id in [
        &site["trace_id"],
        &site["own_trace_id"],
        &server["trace_id"],
        &client["trace_id"],
    ] {
        assert_eq!(id, &told["trace_id"]);
    }
    assert_eq!(server["parent_id"], told["span_id"]);
    assert_eq!(client["parent_id"], server["span_id"]);
    assert_eq!(site["parent_id"], client["span_id"]);
    assert_eq!(
        (&site["is_remote"], &site["is_recording"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(site["state"], "a=1,b=2");
    gate.wait_for_line(&[
        "\"kind\":\"access\"",
        &format!("\"trace_id\":{}", told["trace_id"]),
    ]);
    // Sampled and random, as the SDK says; the server's parent is another process's, the client's is not.
    assert_eq!(
        (&server["flags"], &client["flags"]),
        (&json!(0x303), &json!(0x103))
    );
    let times = [
        &server["start"],
        &client["start"],
        &client["end"],
        &server["end"],
    ];
    assert!(times.map(|time| time.as_u64().unwrap()).is_sorted());
    assert_eq!(server["resource"]["service.name"], "wxgate");
    assert_eq!(
        server["resource"]["service.version"],
        env!("CARGO_PKG_VERSION")
    );
    assert!(server["resource"]["host.name"].is_string());
    assert_eq!(
        (&server["name"], &server["scope"]),
        (&json!("GET"), &json!("wxgate"))
    );
    let attributes = json!({
        "http.request.method": "GET", "network.protocol.name": "http", "network.protocol.version": "1.1",
        "url.path": "/page", "url.scheme": "http", "server.address": "127.0.0.1", "server.port": gate.http.port(),
        "client.address": "127.0.0.1", "user_agent.original": server["attributes"]["user_agent.original"],
        "http.response.status_code": 200, "http.request.body.size": 0,
        "http.response.body.size": server["attributes"]["http.response.body.size"], "wxgate.route": "forward",
    });
    assert_eq!(server["attributes"], attributes);
    assert_eq!(client["attributes"]["server.address"], "127.0.0.1");
    assert_eq!(client["attributes"]["http.response.status_code"], 200);
    assert_eq!(server["status"], "STATUS_CODE_UNSET");
}

#[test]
fn an_unsampled_trace_of_the_sdk_goes_through_as_it_is() {
    let (site, collector) = (Backend::start("otel", &["tcp"]), Collector::start());
    let gate = Gate::start(&format!("{}{FORWARD}{}", site.yaml(), collector.yaml("")));
    let url = format!("http://{}/", gate.http);
    let told = partners::client("clients/otel-client.py", &["--unsampled", &url]);
    let site = &told[0]["answer"];
    assert_eq!(site["trace_id"], told[0]["trace_id"]);
    assert_eq!(site["parent_id"], told[0]["span_id"]);
    assert_eq!(site["is_recording"], false);
    assert!(gate.stop().output.contains("\"trace_id\""));
    assert_eq!(collector.bodies().len(), 0);
}

#[test]
fn without_a_collector_whatever_came_goes_on_and_nothing_is_made() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream, "");
    for (number, came) in [SAMPLED, UNSAMPLED, "cc-future", "00-nonsense", ""]
        .iter()
        .enumerate()
    {
        let field = format!("TraceParent: {came}\r\nTraceState: a=1\r\nTraceState: b=2\r\n");
        let fields = if came.is_empty() { "" } else { &field };
        ask(&gate, &format!("/{number}"), fields);
        let head = &upstream.wait_for(number + 1)[number];
        let expected = if came.is_empty() { vec![] } else { vec![*came] };
        assert_eq!(values(head, "traceparent"), expected);
        let states = values(head, "tracestate");
        assert_eq!(
            states,
            if came.is_empty() {
                vec![]
            } else {
                vec!["a=1", "b=2"]
            }
        );
        let line = gate.wait_for_line(&[&format!("\"target\":\"/{number}\"")]);
        let id = format!("\"trace_id\":\"{TRACE_ID}\"");
        assert_eq!(line.contains("\"trace_id\""), number < 2, "{line}");
        assert_eq!(line.contains(&id), number < 2, "{line}");
    }
}

#[test]
fn what_is_no_trace_context_is_replaced_with_its_state() {
    let (upstream, collector) = (Recorder::answering(OK), Collector::start());
    let collecting = collector.yaml("");
    for (trace, flag) in [
        (&*collecting, "01"),
        ("trace: {make: on}\n", "01"),
        ("trace: {make: on, sample: 0}\n", "00"),
    ] {
        let gate = gate(&upstream, trace);
        let invalid = [
            String::new(),
            "traceparent: \r\n".to_owned(),
            "traceparent: 00-nonsense\r\n".to_owned(),
            format!("traceparent: {}\r\n", SAMPLED.to_uppercase()),
            format!("traceparent: {SAMPLED}-00\r\n"),
            format!("traceparent: ff{}\r\n", &SAMPLED[2..]),
            format!("traceparent: 00-{}-b7ad6b7169203331-01\r\n", "0".repeat(32)),
            format!("traceparent: 00-{TRACE_ID}-{}-01\r\n", "0".repeat(16)),
            format!("traceparent: {SAMPLED}\r\nTraceparent: {SAMPLED}\r\n"),
            format!("traceparent: {SAMPLED}, {SAMPLED}\r\n"),
        ];
        let mut ids = std::collections::BTreeSet::new();
        for fields in &invalid {
            let before = upstream.requests().len();
            ask(&gate, "/", &format!("{fields}tracestate: a=1\r\n"));
            let head = &upstream.wait_for(before + 1)[before];
            let made = values(head, "traceparent");
            assert_eq!(made.len(), 1, "{head}");
            let parts: Vec<_> = made[0].split('-').collect();
            assert_eq!((parts[0], parts[3]), ("00", flag), "{head}");
            assert!(!head.contains(TRACE_ID), "{head}");
            assert_eq!(values(head, "tracestate"), Vec::<&str>::new());
            ids.insert(parts[1].to_owned());
            gate.wait_for_line(&[&format!("\"trace_id\":\"{}\"", parts[1])]);
        }
        assert_eq!(ids.len(), invalid.len());
        // A later version is read as far as it is known, and as it came where no span of ours is in between.
        let before = upstream.requests().len();
        ask(
            &gate,
            "/",
            &format!(
                "traceparent: cc{}-more\r\ntracestate: a=1\r\n",
                &SAMPLED[2..]
            ),
        );
        let head = &upstream.wait_for(before + 1)[before];
        let parent = values(head, "traceparent")[0];
        assert_eq!(parent[3..35], *TRACE_ID);
        assert_eq!(parent.starts_with("cc"), trace != collecting, "{parent}");
        assert_eq!(values(head, "tracestate"), ["a=1"]);
    }
}

#[test]
fn a_share_of_the_traces_begun_here_is_sampled_and_the_backend_is_told() {
    let (upstream, collector) = (Recorder::answering(OK), Collector::start());
    let gate = gate(&upstream, &collector.yaml(", sample: 0.5"));
    for _ in 0..100 {
        ask(&gate, "/", "");
    }
    let heads = upstream.wait_for(100);
    let sampled = heads
        .iter()
        .filter(|head| values(head, "traceparent")[0].ends_with("-01"));
    let sampled = u32::try_from(sampled.count()).unwrap();
    assert!((20..80).contains(&sampled), "{sampled}");
    let spans = collector.wait_for_spans(&gate, 2 * sampled);
    for span in of_kind(&spans, "SERVER") {
        assert_eq!(
            (&span["parent_id"], &span["flags"]),
            (&json!(""), &json!(1))
        );
    }
}

#[test]
fn spans_tell_how_requests_ended_and_no_secret() {
    let collector = Collector::start();
    let yaml = "upstream: {url: 'http://127.0.0.1:1'}\n\
        endpoints: [{name: shop, path: /wx, platform: official_account, tokens: [s3cretToken]}]\n";
    let headers = ", headers: {Authorization: 'Bearer s3cretOfTheCollector'}, service_name: front";
    let gate = Gate::start(&format!("{yaml}{FORWARD}{}", collector.yaml(headers)));
    let good = verification("/wx", "s3cretToken");
    ask(
        &gate,
        &good,
        "Authorization: s3cretField\r\nCookie: s3cretCookie\r\n",
    );
    ask(&gate, &verification("/wx", "another"), "");
    assert_eq!(
        ask(&gate, "/down?access_token=s3cretQuery", "").status(),
        502
    );
    let h2 = curl(&gate, &good, &["--http2"]);
    assert_eq!(h2.status, 200);
    let spans = collector.wait_for_spans(&gate, 5);
    let server = of_kind(&spans, "SERVER");
    let told = |position: usize, name: &str| server[position]["attributes"][name].clone();
    let verdicts = [("ok", 200), ("signature_mismatch", 403)];
    for (position, (verdict, status)) in verdicts.into_iter().enumerate() {
        assert_eq!(told(position, "wxgate.verdict"), verdict);
        assert_eq!(told(position, "http.response.status_code"), status);
        assert_eq!(told(position, "wxgate.endpoint"), "shop");
        assert_eq!(told(position, "wxgate.route"), "verify");
        assert_eq!(told(position, "url.path"), "/wx");
        assert_eq!(server[position]["status"], "STATUS_CODE_UNSET");
    }
    assert_eq!(
        (told(2, "wxgate.verdict"), told(2, "error.type")),
        (json!("refused"), json!("502"))
    );
    assert_eq!(server[2]["status"], "STATUS_CODE_ERROR");
    assert_eq!(
        (told(3, "network.protocol.version"), told(3, "url.scheme")),
        (json!("2"), json!("https"))
    );
    let client = of_kind(&spans, "CLIENT");
    assert_eq!(client.len(), 1, "what is answered here asks nobody");
    assert_eq!(client[0]["attributes"]["error.type"], "refused");
    assert_eq!(client[0]["attributes"]["server.port"], 1);
    assert_eq!(
        client[0]["attributes"].get("http.response.status_code"),
        None
    );
    assert_eq!(server[0]["resource"]["service.name"], "front");
    for body in collector.bodies() {
        let body = String::from_utf8(body).unwrap();
        for secret in ["s3cret", "signature=", "echostr", "nonce"] {
            assert!(!body.contains(secret), "{secret}: {body}");
        }
    }
    for head in collector.heads() {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert_eq!(
            values(&head, "authorization"),
            ["Bearer s3cretOfTheCollector"]
        );
        assert_eq!(values(&head, "content-type"), ["application/json"]);
    }
    assert!(!gate.stop().output.contains("s3cret"));
}

#[test]
fn a_collector_that_is_busy_gets_the_same_again_when_it_says_so() {
    let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
    let partial = "{\"partialSuccess\":{\"rejectedSpans\":\"1\"}}";
    let partial = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{partial}",
        partial.len()
    );
    let answered = Arc::<Mutex<Vec<Instant>>>::default();
    let answering = Arc::clone(&answered);
    let collector = Collector::answering(move |number| {
        answering.lock().unwrap().push(Instant::now());
        match number {
            0 => busy.to_owned(),
            1 => "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned(),
            2 => partial.clone(),
            _ => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_owned(),
        }
    });
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream, &collector.yaml(""));
    ask(&gate, "/", "");
    gate.wait_for_line(&["spans were not taken", "429"]);
    gate.wait_for_metric(&spans_that_were("exported"), 1.0);
    gate.wait_for_metric(&spans_that_were("failed"), 1.0);
    let pause = {
        let answered = answered.lock().unwrap();
        answered[1] - answered[0]
    };
    assert!(pause >= Duration::from_secs(2), "{pause:?}");
    let bodies = collector.bodies();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| body == &bodies[0]));
    ask(&gate, "/", "");
    gate.wait_for_metric(&spans_that_were("failed"), 3.0);
    assert_eq!(collector.bodies().len(), 4, "a refusal is final");
}

#[test]
fn a_collector_that_is_down_or_stuck_costs_spans_and_no_request_and_no_memory() {
    let release = Arc::new(AtomicBool::new(false));
    let stuck = Collector::answering({
        let release = Arc::clone(&release);
        move |_| {
            let deadline = Instant::now() + 5 * SOON;
            while !release.load(Ordering::SeqCst) && Instant::now() < deadline {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            TAKEN.to_owned()
        }
    });
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream, &stuck.yaml(", timeout: 5m"));
    let mut stream = tcp(gate.http);
    let mut once = || {
        std::io::Write::write_all(&mut stream, b"GET /a HTTP/1.1\r\nHost: wx.test\r\n\r\n")
            .unwrap();
        assert_eq!(client::read_answer(&mut stream).status(), 200);
    };
    (0..500).for_each(|_| once());
    stuck.wait_for(1);
    let memory = || gate.metric("process_resident_memory_bytes");
    (0..2500).for_each(|_| once());
    let full = memory();
    let dropped = gate.metric(&spans_that_were("dropped"));
    assert!(dropped > 0.0);
    (0..3000).for_each(|_| once());
    let grown = memory() - full;
    assert!(grown < 8e6, "{grown} bytes more");
    assert!((gate.metric(&spans_that_were("dropped")) - dropped - 6000.0).abs() < 0.5);
    release.store(true, Ordering::SeqCst);
    let exported = 12_000.0 - dropped - 6000.0;
    gate.wait_for_metric(&spans_that_were("exported"), exported);
    assert!(spans(&stuck.bodies()).len() >= 2 * 2048);

    let down = "trace: {endpoint: 'http://127.0.0.1:1'}\n";
    let gate = self::gate(&upstream, down);
    assert_eq!(ask(&gate, "/", "").status(), 200);
    gate.wait_for_line(&["spans were not taken", "Connection refused"]);
    assert_eq!(ask(&gate, "/", "").status(), 200);
    let began = Instant::now();
    assert_eq!(gate.stop().code, Some(0));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn the_last_spans_are_sent_before_the_end_and_nobody_waits_long_for_them() {
    let upstream = Recorder::answering(OK);
    let collector = Collector::start();
    let gate = gate(&upstream, &collector.yaml(""));
    ask(&gate, "/last", "");
    assert_eq!(gate.stop().code, Some(0));
    assert_eq!(collector.spans().len(), 2);
    let stuck = Collector::answering(|_| {
        std::thread::park_timeout(SOON);
        TAKEN.to_owned()
    });
    let gate = self::gate(&upstream, &stuck.yaml(""));
    ask(&gate, "/last", "");
    let began = Instant::now();
    assert_eq!(gate.stop().code, Some(0));
    assert!(
        (1..5).contains(&began.elapsed().as_secs()),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(stuck.bodies().len(), 1);
}

#[test]
fn spans_go_over_tls_to_a_collector_of_a_believed_authority_only() {
    let (upstream, dir) = (Recorder::answering(OK), TempDir::new().unwrap());
    certificate(dir.path(), &NAMES);
    let site = Backend::start_in(dir, "tls", &["tcp"]);
    let ca = site.dir().join("ca.crt");
    for (name, is_believed) in [("wx.test", true), ("other.test", false)] {
        let tls = format!("tls: {{ca: '{}', server_name: {name}}}", ca.display());
        let endpoint = site
            .yaml_by("https", "")
            .replace("upstream: {url: ", "")
            .replace("}\n", "");
        let gate = gate(
            &upstream,
            &format!("trace: {{endpoint: {endpoint}, {tls}}}\n"),
        );
        ask(&gate, "/", "");
        if is_believed {
            gate.wait_for_metric(&spans_that_were("exported"), 2.0);
        } else {
            gate.wait_for_line(&["spans were not taken", "certificate"]);
        }
    }
}

#[test]
fn requests_over_http2_and_to_a_domain_file_are_traced_too() {
    let (upstream, collector) = (Recorder::answering(OK), Collector::start());
    let gate = gate(
        &upstream,
        &format!("{}domain_files: {{a.txt: b}}\n", collector.yaml("")),
    );
    let header = format!("traceparent: {SAMPLED}");
    assert_eq!(
        curl(&gate, "/a.txt", &["--http2", "-H", &header]).status,
        200
    );
    assert_eq!(curl(&gate, "/b", &["--http2", "-H", &header]).status, 200);
    assert_eq!(
        curl_url(&format!("http://{}/a.txt", gate.http), &["-H", &header]).status,
        200
    );
    let spans = collector.wait_for_spans(&gate, 4);
    assert!(spans.iter().all(|span| span["trace_id"] == TRACE_ID));
    let routes = of_kind(&spans, "SERVER")
        .into_iter()
        .map(|span| span["attributes"]["wxgate.route"].clone());
    assert_eq!(
        routes.collect::<Vec<_>>(),
        ["domain_file", "forward", "domain_file"]
    );
    let parent = upstream.requests()[0].clone();
    assert_eq!(
        values(&parent, "traceparent")[0][36..52],
        *of_kind(&spans, "CLIENT")[0]["span_id"].as_str().unwrap()
    );
}
