//! Renewals: by the certificate's dates, and when the server says so.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::acme_site::{
    LONG, Load, certificate, find, folder, serves, start, wait_until, wait_until_served, yaml,
};
use crate::client::{curl_url, tls_to};
use crate::gate::Gate;
use crate::pebble::Pebble;

#[test]
fn a_certificate_is_renewed_before_its_end_and_every_request_is_answered() {
    let (mut pebble, storage) = (Pebble::new(), folder());
    pebble.start(&json!({"certificateValidityPeriod": 20}), &[]);
    let gate = start(&pebble, storage.path(), ", renew_before: 70%");
    wait_until_served(&pebble, &gate);
    let (load, root, began) = (Load::on(&gate), pebble.root(), Instant::now());
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        // In force at any time: believed by a client that looks at dates.
        assert!(serves(&gate, &root), "{}", gate.output());
        seen.insert(certificate(gate.https, "http/1.1").unwrap().to_vec());
        assert!(began.elapsed() < LONG, "{}", gate.output());
        thread::park_timeout(Duration::from_millis(50));
    }
    load.end();
    let took = began.elapsed().as_secs_f64();
    let orders = pebble.said("Added order");
    println!("{orders} orders in {took:.0} s");
    assert!(orders <= 4, "{orders}");
    assert_eq!(pebble.said("POST /sign-me-up"), 1);
    assert!(gate.metric("wxgate_acme_attempts_total{result=\"failure\"}") < 0.1);
}

/// A server in front of Pebble that adds what Pebble before 2.5 does not have: renewal information (RFC 9773).
struct Adviser {
    address: SocketAddr,
    /// Begin and end of the window, as RFC 3339.
    window: Arc<Mutex<[String; 2]>>,
    /// Certificates that were asked about.
    asked: Arc<Mutex<Vec<String>>>,
    /// Certificates that an order said it replaces.
    replaced: Arc<Mutex<Vec<String>>>,
}

impl Adviser {
    fn before(pebble: &Pebble) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let adviser = Self {
            address: listener.local_addr().unwrap(),
            window: Arc::new(Mutex::new(
                ["2100-01-01T00:00:00Z", "2100-01-02T00:00:00Z"].map(str::to_owned),
            )),
            asked: Arc::default(),
            replaced: Arc::default(),
        };
        let folder = pebble.ca().parent().unwrap().to_owned();
        let chain = CertificateDer::pem_file_iter(folder.join("tls.crt")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                chain.map(Result::unwrap).collect(),
                PrivateKeyDer::from_pem_file(folder.join("tls.key")).unwrap(),
            );
        let config = Arc::new(config.unwrap());
        let (to, ca) = (pebble.front.address, pebble.ca());
        let (window, asked, replaced) = (
            Arc::clone(&adviser.window),
            Arc::clone(&adviser.asked),
            Arc::clone(&adviser.replaced),
        );
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(session, stream);
                let Some((head, body)) = read_request(&mut stream) else {
                    continue;
                };
                note_replaced(&body, &replaced);
                let answer = match head.split(' ').nth(1).unwrap() {
                    "/dir" => directory(&head, to, &ca),
                    path if path.starts_with("/advice/") => {
                        asked
                            .lock()
                            .unwrap()
                            .push(path["/advice/".len()..].to_owned());
                        let [start, end] = window.lock().unwrap().clone();
                        let advice = json!({"suggestedWindow": {"start": start, "end": end}});
                        response(&advice.to_string(), "Retry-After: 1\r\n")
                    }
                    _ => forward(&head, &body, to, &ca),
                };
                let _ = stream.write_all(&answer);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        adviser
    }
}

fn read_request(
    stream: &mut StreamOwned<ServerConnection, TcpStream>,
) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn note_replaced(body: &[u8], replaced: &Mutex<Vec<String>>) {
    let payload = serde_json::from_slice::<Value>(body).ok();
    let payload = payload.and_then(|jws| URL_SAFE_NO_PAD.decode(jws["payload"].as_str()?).ok());
    let order = payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
    if let Some(old) = order.as_ref().and_then(|order| order["replaces"].as_str()) {
        replaced.lock().unwrap().push(old.to_owned());
    }
}

fn response(body: &str, fields: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// Pebble's own, and one address more.
fn directory(head: &str, to: SocketAddr, ca: &Path) -> Vec<u8> {
    let host = head
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let arguments = [
        "--cacert",
        ca.to_str().unwrap(),
        "--header",
        &format!("Host: {host}"),
    ];
    let curled = curl_url(&format!("https://{to}/dir"), &arguments);
    let mut directory: Value = serde_json::from_slice(&curled.body).unwrap();
    directory["renewalInfo"] = json!(format!("https://{host}/advice"));
    response(&directory.to_string(), "")
}

fn forward(head: &str, body: &[u8], to: SocketAddr, ca: &Path) -> Vec<u8> {
    let mut stream = tls_to(to, ca, &["http/1.1"]);
    let head = head.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn the_server_says_when_to_renew() {
    let (pebble, storage) = (Pebble::started(), folder());
    let adviser = Adviser::before(&pebble);
    let tls = pebble.yaml(storage.path(), "wx.test", "").replace(
        &pebble.front.address.to_string(),
        &adviser.address.to_string(),
    );
    let gate = Gate::start_in(folder(), &yaml(&tls), &[], &[]);
    pebble.finds(&gate);
    wait_until_served(&pebble, &gate);
    // Asked about the new certificate: a window that comes later than is good is cut.
    wait_until(&pebble, &gate, || !adviser.asked.lock().unwrap().is_empty());
    let first = certificate(gate.https, "http/1.1").unwrap();
    drop(gate);
    // An hour of use, which is spared a test by another date of the file.
    *adviser.window.lock().unwrap() =
        ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"].map(str::to_owned);
    let stored = find(storage.path(), "certificate.pem");
    let file = std::fs::File::options().append(true).open(stored).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_hours(2))
        .unwrap();
    let gate = Gate::start_in(folder(), &yaml(&tls), &[], &[]);
    pebble.finds(&gate);
    wait_until(&pebble, &gate, || {
        certificate(gate.https, "http/1.1").unwrap() != first
    });
    let replaced = adviser.replaced.lock().unwrap().clone();
    assert_eq!(replaced, [adviser.asked.lock().unwrap()[0].clone()]);
    // The next one is not due for an hour, whatever the server says.
    wait_until(&pebble, &gate, || {
        let next = gate.metric("wxgate_acme_next_attempt_timestamp_seconds");
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        next - now.as_secs_f64() > 3000.0
    });
    assert_eq!(
        gate.metric("wxgate_acme_attempts_total{result=\"success\"}") as u32,
        1
    );
}
