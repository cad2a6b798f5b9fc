//! What each alert is about, provoked and mended.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

#[cfg(feature = "acme")]
use crate::acme_site;
use crate::alert_message_faults as messages;
use crate::alerts::Scene;
use crate::client::{get, read_answer, tcp};
use crate::connection_caps::with_256_files;
use crate::console::verification;
use crate::frames::{END_HEADERS, END_STREAM, HEADERS, Http2, block, frame, head};
use crate::gate::{Gate, SOON, certificate, command};
#[cfg(feature = "acme")]
use crate::pebble::Pebble;
use crate::prometheus_server::SCRAPED;
use crate::recorder::Recorder;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const TOKEN: &str = "alertsTOKEN1";
const OLD_TOKEN: &str = "alertsTOKEN0";

/// Alerts, and what has all of them fire and resolve.
pub type Fault = (&'static [&'static str], fn(&Scene<'_>));

pub const FAULTS: &[Fault] = &[
    (&["WxgateVerificationFailing"], a_wrong_token),
    (&["WxgateOldCredentialUsed"], an_old_token),
    (
        &[
            "WxgateUpstreamDown",
            "WxgateUpstreamErrors",
            "WxgateServerErrors",
        ],
        a_backend_that_is_down,
    ),
    (&["WxgateRequestsSlow"], a_backend_that_is_slow),
    (&["WxgateRequestsWaiting"], a_backend_that_is_busy),
    (
        &[
            "WxgateCertificateUnder14Days",
            "WxgateCertificateUnder3Days",
        ],
        certificates_that_end,
    ),
    (&["WxgateTlsHandshakesFailing"], http_to_the_https_port),
    (
        &["WxgateConnectionsRejected"],
        connections_beyond_the_reserve,
    ),
    (&["WxgateOverloaded"], connections_beyond_the_cap),
    (&["WxgateFloodCut"], a_flood),
    (
        &["WxgateAcceptErrors", "WxgateOpenFilesNearLimit"],
        no_descriptors,
    ),
    (&["WxgateReloadFailed"], a_fault_in_the_configuration),
    #[cfg(feature = "acme")]
    (
        &["WxgateAcmeFailing", "WxgateAcmeCertificateMissing"],
        a_certificate_authority_that_is_down,
    ),
    (&["WxgateDown"], a_program_that_hangs),
    (&["WxgateMissing"], no_target),
    (&["WxgateRestarting"], restarts),
    (&["WxgatePanicked"], no_memory_for_a_thread),
    (&["WxgateLogLinesLost"], a_log_that_nobody_reads),
    (
        &["WxgateStrayVerifications"],
        messages::a_path_that_no_endpoint_has,
    ),
    (
        &["WxgateMessagesRefused"],
        messages::messages_with_another_token,
    ),
    (&["WxgateRepliesGuarded"], messages::a_backend_that_is_late),
    (
        &["WxgateMessagesLost"],
        messages::a_backend_that_loses_messages,
    ),
    (
        &["WxgateRepliesFailing"],
        messages::a_backend_that_cannot_reply,
    ),
];

/// A gate before this upstream, which clear text reaches too.
fn gate(scene: &Scene<'_>, upstream: &str, more: &str) -> (Gate, String) {
    let yaml = format!(
        "upstream: {{url: '{upstream}', queue_timeout: 5m}}\nhttp: {{other: forward}}\n{more}"
    );
    let gate = Gate::start_with(&yaml, &[], &[("WXGATE_LISTEN__ADMIN", SCRAPED)]);
    let instance = scene.watch(&gate);
    (gate, instance)
}

fn sound() -> String {
    url(&Recorder::answering(OK))
}

fn url(upstream: &Recorder) -> String {
    format!("http://{}", upstream.address)
}

fn endpoint(name: &str, tokens: &str) -> String {
    format!(
        "endpoints: [{{name: {name}, path: /a, platform: official_account, tokens: [{tokens}]}}]"
    )
}

/// An answer's status.
fn ask(gate: &Gate, target: &str) -> u16 {
    get(gate.http, target).status()
}

fn a_wrong_token(scene: &Scene<'_>) {
    let (gate, _) = gate(scene, &sound(), &endpoint("failing", TOKEN));
    let labels = "endpoint='failing',reason='signature_mismatch',severity='warning'";
    scene.fires("WxgateVerificationFailing", labels, || {
        assert_eq!(ask(&gate, &verification("/a", "anotherTOKEN")), 403);
    });
    scene.resolves("WxgateVerificationFailing", "endpoint='failing'", || {
        assert_eq!(ask(&gate, &verification("/a", TOKEN)), 200);
    });
}

fn an_old_token(scene: &Scene<'_>) {
    let tokens = format!("{TOKEN}, {OLD_TOKEN}");
    let (gate, _) = gate(scene, &sound(), &endpoint("old", &tokens));
    let labels = "endpoint='old',kind='token',severity='info'";
    scene.fires("WxgateOldCredentialUsed", labels, || {
        assert_eq!(ask(&gate, &verification("/a", OLD_TOKEN)), 200);
    });
    scene.resolves("WxgateOldCredentialUsed", "endpoint='old'", || {
        assert_eq!(ask(&gate, &verification("/a", TOKEN)), 200);
    });
}

fn a_backend_that_is_down(scene: &Scene<'_>) {
    // Nobody else gets the address before it listens.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let upstream = socket.local_addr().unwrap().as_socket().unwrap();
    let (gate, instance) = gate(scene, &format!("http://{upstream}"), "");
    let down = format!("{instance},kind='refused',severity='critical'");
    scene.fires("WxgateUpstreamDown", &down, || {
        assert_eq!(ask(&gate, "/"), 502);
    });
    for alert in ["WxgateUpstreamErrors", "WxgateServerErrors"] {
        scene.fires(alert, &format!("{instance},severity='warning'"), || {
            assert_eq!(ask(&gate, "/"), 502);
        });
    }
    socket.listen(8).unwrap();
    thread::spawn(move || {
        for mut stream in TcpListener::from(socket).incoming().map_while(Result::ok) {
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(OK.as_bytes());
            }
        }
    });
    for alert in FAULTS[2].0 {
        scene.resolves(alert, &instance, || assert_eq!(ask(&gate, "/"), 200));
    }
}

/// An upstream that answers after `pause` for as long as it is told to.
fn pausing(pause: Duration) -> (Recorder, Arc<AtomicBool>) {
    let pauses = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&pauses);
    let upstream = Recorder::start(move |mut connection| {
        if connection.read_head().is_some() {
            let step = Duration::from_millis(10);
            let steps = pause.as_millis() / step.as_millis();
            for _ in 0..steps {
                if still.load(Ordering::SeqCst) {
                    thread::sleep(step);
                }
            }
            connection.send(OK.as_bytes());
        }
    });
    (upstream, pauses)
}

/// Sends a request whose answer nobody waits for.
fn send(gate: &Gate, streams: &mut Vec<TcpStream>) {
    let mut stream = tcp(gate.http);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    streams.push(stream);
}

fn a_backend_that_is_slow(scene: &Scene<'_>) {
    let (upstream, pauses) = pausing(Duration::from_millis(4200));
    let (gate, instance) = gate(scene, &url(&upstream), "");
    let mut asked = Vec::new();
    scene.fires("WxgateRequestsSlow", &instance, || send(&gate, &mut asked));
    pauses.store(false, Ordering::SeqCst);
    scene.resolves("WxgateRequestsSlow", &instance, || {
        assert_eq!(ask(&gate, "/"), 200);
    });
}

fn a_backend_that_is_busy(scene: &Scene<'_>) {
    let (upstream, pauses) = pausing(SOON * 20);
    let one = format!("{}', max_connections: 1, idle_timeout: '0s", url(&upstream));
    let (gate, instance) = gate(scene, &one, "workers: 1");
    let mut asked = Vec::new();
    for _ in 0..2 {
        send(&gate, &mut asked);
    }
    scene.fires("WxgateRequestsWaiting", &instance, || {});
    pauses.store(false, Ordering::SeqCst);
    scene.resolves("WxgateRequestsWaiting", &instance, || {});
}

/// `NAME.crt` and `NAME.key`, good for some days.
fn good_for(dir: &TempDir, name: &str, days: u32) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([format!("{name}.test")]).unwrap();
    let end = SystemTime::now() + Duration::from_secs(86_400) * days;
    params.not_after = end.into();
    let made = params.self_signed(&key).unwrap();
    put(dir, &format!("{name}.crt"), &made.pem());
    put(dir, &format!("{name}.key"), &key.serialize_pem());
}

/// Writes a file in one step.
fn put(dir: &TempDir, name: &str, content: &str) {
    let new = dir.path().join("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, dir.path().join(name)).unwrap();
}

fn certificates_that_end(scene: &Scene<'_>) {
    let dir = TempDir::new().unwrap();
    good_for(&dir, "a", 13);
    good_for(&dir, "b", 2);
    let gate = Gate::start_in(
        dir,
        "upstream: {url: 'http://127.0.0.1:1'}
listen: {https: ['127.0.0.1:0'], http: [], admin: '127.0.0.1:0'}
tls: {certificates: [{cert: a.crt, key: a.key}, {cert: b.crt, key: b.key}]}
reload: {poll: 100ms}
",
        &[],
        &[("WXGATE_LISTEN__ADMIN", SCRAPED)],
    );
    let instance = scene.watch(&gate);
    let alerts = [
        ("WxgateCertificateUnder3Days", "b", "critical"),
        ("WxgateCertificateUnder14Days", "a", "warning"),
    ];
    for (alert, name, severity) in alerts {
        let labels = format!("{instance},certificate='{name}',severity='{severity}'");
        scene.fires(alert, &labels, || {});
    }
    for (alert, name, _) in alerts {
        good_for(&gate.dir, name, 15);
        scene.resolves(alert, &instance, || {});
    }
}

fn http_to_the_https_port(scene: &Scene<'_>) {
    let (gate, instance) = gate(scene, &sound(), "");
    let labels = format!("{instance},reason='plain_http'");
    scene.fires("WxgateTlsHandshakesFailing", &labels, || {
        assert_eq!(get(gate.https, "/").status(), 400);
    });
    scene.resolves("WxgateTlsHandshakesFailing", &instance, || {});
}

fn connections_beyond_the_reserve(scene: &Scene<'_>) {
    let (gate, instance) = gate(scene, &sound(), "limits: {connections: 1}");
    let labels = format!("{instance},reason='connections'");
    let mut open = Vec::new();
    scene.fires("WxgateConnectionsRejected", &labels, || {
        // The reserve is 16.
        open = (0..20).map(|_| tcp(gate.http)).collect();
    });
    drop(open);
    scene.resolves("WxgateConnectionsRejected", &instance, || {});
}

fn connections_beyond_the_cap(scene: &Scene<'_>) {
    let (gate, instance) = gate(scene, &sound(), "limits: {connections: 1}");
    let mut taken = tcp(gate.http);
    taken
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut taken).status(), 200);
    scene.fires("WxgateOverloaded", &instance, || {
        assert_eq!(ask(&gate, "/"), 503);
    });
    drop(taken);
    scene.resolves("WxgateOverloaded", &instance, || {});
    assert_eq!(ask(&gate, "/"), 200);
}

fn a_flood(scene: &Scene<'_>) {
    let (gate, instance) = gate(scene, &sound(), "limits: {http2_resets: 5}");
    let mut fields = head("GET", "/");
    fields.push(("connection", "x"));
    let block = block(&fields);
    let malformed = |n: u32| frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &block);
    let flood: Vec<u8> = (0..20).flat_map(malformed).collect();
    let labels = format!("{instance},reason='resets'");
    scene.fires("WxgateFloodCut", &labels, || {
        for _ in 0..5 {
            // Closed before it has taken all of it, perhaps.
            let _ = Http2::open(&gate).send(&flood);
        }
    });
    scene.resolves("WxgateFloodCut", &instance, || {});
}

fn no_descriptors(scene: &Scene<'_>) {
    let alerts = ["WxgateAcceptErrors", "WxgateOpenFilesNearLimit"];
    let patient = "limits: {connections: 4096}\ntimeouts: {request_head: 10m}\n";
    let gate = with_256_files(&Recorder::answering(OK), patient, &[]);
    let instance = scene.watch(&gate);
    let open: Vec<_> = (0..300).map(|_| tcp(gate.http)).collect();
    for alert in alerts {
        scene.fires(alert, &instance, || {});
    }
    drop(open);
    for alert in alerts {
        scene.resolves(alert, &instance, || {});
    }
}

fn a_fault_in_the_configuration(scene: &Scene<'_>) {
    let (gate, instance) = gate(scene, &sound(), "reload: {poll: 100ms}");
    let good = fs::read_to_string(gate.dir.path().join("config.yaml")).unwrap();
    put(&gate.dir, "config.yaml", &format!("{good}\nunknown: 1\n"));
    scene.fires("WxgateReloadFailed", &instance, || {});
    put(&gate.dir, "config.yaml", &good);
    scene.resolves("WxgateReloadFailed", &instance, || {});
}

#[cfg(feature = "acme")]
fn a_certificate_authority_that_is_down(scene: &Scene<'_>) {
    let (mut pebble, storage) = (Pebble::new(), acme_site::folder());
    let gate = acme_site::start(&pebble, storage.path(), "");
    let instance = scene.watch(&gate);
    let alerts = ["WxgateAcmeCertificateMissing", "WxgateAcmeFailing"];
    for alert in alerts {
        scene.fires(alert, &instance, || {});
    }
    pebble.start(&serde_json::json!({}), &[]);
    for alert in alerts {
        scene.resolves(alert, &instance, || {});
    }
}

fn a_program_that_hangs(scene: &Scene<'_>) {
    let (gate, instance) = gate(scene, &sound(), "");
    gate.signal("-STOP");
    scene.fires("WxgateDown", &instance, || {});
    gate.signal("-CONT");
    scene.resolves("WxgateDown", &instance, || {});
}

fn no_target(_: &Scene<'_>) {
    // One of its own: that of the others has targets.
    let prometheus = crate::alerts::prometheus();
    let scene = Scene::of(&prometheus);
    scene.fires("WxgateMissing", "severity='critical'", || {});
    let _gate = gate(&scene, &sound(), "");
    scene.resolves("WxgateMissing", "severity='critical'", || {});
}

/// Starts it anew again and again. Its metrics are asked for at one address.
fn restarts(scene: &Scene<'_>) {
    let start = || Gate::start("upstream: {url: 'http://127.0.0.1:1'}\n");
    let current = Arc::new(Mutex::new(start()));
    // The relay goes on for as long as the tests do, and must not keep it until then.
    let asked = Arc::downgrade(&current);
    let relay = Recorder::start(move |mut connection| {
        connection.read_head();
        let Some(asked) = asked.upgrade() else {
            return;
        };
        let metrics = asked.lock().unwrap().metrics();
        let length = metrics.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        connection.send((head + &metrics).as_bytes());
    });
    let instance = scene.watch_at(relay.address);
    let started = format!("process_start_time_seconds{{{instance}}}");
    scene.fires("WxgateRestarting", &instance, || {
        let mut current = current.lock().unwrap();
        let own = current.metric("process_start_time_seconds");
        // What was not seen was no restart.
        if scene.value(&started) == Some(own) {
            *current = start();
        }
    });
    scene.resolves("WxgateRestarting", &instance, || {});
}

/// The thread that looks up a name cannot be started.
fn no_memory_for_a_thread(scene: &Scene<'_>) {
    let upstream = Recorder::answering(OK);
    let named = format!("http://localhost:{}", upstream.address.port());
    let (gate, instance) = gate(scene, &named, "workers: 1");
    let status = fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    let size = status.lines().find(|line| line.starts_with("VmSize:"));
    let size = size.unwrap().split_whitespace().nth(1).unwrap();
    let limit = (size.parse::<u64>().unwrap() + 1024) * 1024;
    may_have(&gate, &limit.to_string());
    let mut stream = tcp(gate.http);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    gate.wait_for_line(&["a bug in wxgate"]);
    may_have(&gate, "unlimited");
    scene.fires("WxgatePanicked", &instance, || {
        assert_eq!(ask(&gate, "/"), 200);
    });
    scene.resolves("WxgatePanicked", &instance, || {});
}

/// Limits its address space, in bytes.
fn may_have(gate: &Gate, limit: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args([
        format!("--pid={}", gate.pid()),
        format!("--as={limit}:unlimited"),
    ]);
    assert!(prlimit.status().unwrap().success());
}

fn a_log_that_nobody_reads(scene: &Scene<'_>) {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let yaml = "upstream: {url: 'http://127.0.0.1:1'}
listen: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}
tls: {certificates: [{cert: tls.crt, key: tls.key}]}
";
    fs::write(dir.path().join("config.yaml"), yaml).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "mkfifo access && exec \"$0\" \"$@\" 1<>access"])
        .arg(command(&[]).get_program())
        .args(["serve", "--config", "config.yaml", "--log-format", "json"])
        .env("WXGATE_LISTEN__ADMIN", SCRAPED)
        .current_dir(dir.path());
    let gate = Gate::spawn(dir, shell);
    let instance = scene.watch(&gate);
    scene.fires("WxgateLogLinesLost", &instance, || redirects(&gate, 1000));
    let mut access = fs::File::open(gate.dir.path().join("access")).unwrap();
    thread::spawn(move || std::io::copy(&mut access, &mut std::io::sink()));
    scene.resolves("WxgateLogLinesLost", &instance, || redirects(&gate, 1));
}

/// So many requests over one connection.
fn redirects(gate: &Gate, count: usize) {
    let mut stream = tcp(gate.http);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(count);
    let mut sending = stream.try_clone().unwrap();
    let sent = thread::spawn(move || {
        sending.write_all(&request).unwrap();
        sending
    });
    let end = b"\r\n\r\n";
    let (mut answers, mut buffer, mut last) = (0, [0; 65_536], Vec::new());
    while answers < count {
        match stream.read(&mut buffer) {
            Ok(0) => panic!("closed after {answers}"),
            Ok(length) => last.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
        answers += last.windows(4).filter(|w| w == end).count();
        let kept = last.len().saturating_sub(3);
        last.drain(..kept);
    }
    sent.join().unwrap();
}
