//! New certificates while the program runs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};
use tempfile::TempDir;

use crate::client::{read_answer, session, tcp};
use crate::gate::{Gate, NAMES, certificate};
use crate::recorder::Recorder;
use crate::reload::{attempts, next_attempt, reload, told};

const UPSTREAM: &str = "upstream: {url: 'http://127.0.0.1:1'}\n";
const LISTEN: &str =
    "listen: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}\n";

/// An authority and a certificate of its own: `ca.crt`, `tls.crt`, `tls.key`.
fn new_pair() -> TempDir {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &NAMES);
    dir
}

/// Whether a new handshake gets a certificate that this authority has issued.
fn serves(gate: &Gate, authority: &Path) -> bool {
    let mut session = session(authority, &["http/1.1"]);
    session.complete_io(&mut tcp(gate.https)).is_ok() && !session.is_handshaking()
}

fn wait_until_served(gate: &Gate, authority: &Path) {
    let began = Instant::now();
    while !serves(gate, authority) {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{}",
            gate.output()
        );
    }
}

/// Brings `tls.crt` and `tls.key` from one folder to another.
type Write = fn(&Path, &Path);

fn in_place(from: &Path, to: &Path) {
    for name in ["tls.key", "tls.crt"] {
        let modified = fs::metadata(to.join(name)).unwrap().modified().unwrap();
        fs::write(to.join(name), fs::read(from.join(name)).unwrap()).unwrap();
        // A copy that keeps times shows none.
        let file = fs::File::options()
            .append(true)
            .open(to.join(name))
            .unwrap();
        file.set_modified(modified).unwrap();
    }
}

fn renamed_over(from: &Path, to: &Path) {
    for name in ["tls.key", "tls.crt"] {
        fs::copy(from.join(name), to.join("new")).unwrap();
        fs::rename(to.join("new"), to.join(name)).unwrap();
    }
}

/// As Kubernetes does it: the files are links through a folder that is a link, and that link is replaced.
fn swapped(from: &Path, to: &Path) {
    let version = TempDir::new_in(to).unwrap().keep();
    for name in ["tls.key", "tls.crt"] {
        fs::copy(from.join(name), version.join(name)).unwrap();
    }
    symlink(version.file_name().unwrap(), to.join("..data_tmp")).unwrap();
    fs::rename(to.join("..data_tmp"), to.join("..data")).unwrap();
}

#[test]
fn new_files_serve_new_handshakes_however_they_were_written() {
    let ways: [(&str, Write); 3] = [
        ("in place", in_place),
        ("renamed over", renamed_over),
        ("swapped", swapped),
    ];
    for (way, write) in ways {
        let dir = new_pair();
        let certs = dir.path().join("certs");
        fs::create_dir(&certs).unwrap();
        if way == "swapped" {
            swapped(dir.path(), &certs);
            for name in ["tls.crt", "tls.key"] {
                symlink(Path::new("..data").join(name), certs.join(name)).unwrap();
            }
        } else {
            for name in ["tls.crt", "tls.key"] {
                fs::copy(dir.path().join(name), certs.join(name)).unwrap();
            }
        }
        let yaml = format!(
            "{UPSTREAM}{LISTEN}reload: {{poll: 100ms}}\n\
             tls: {{certificates: [{{cert: certs/tls.crt, key: certs/tls.key}}]}}\n"
        );
        let gate = Gate::start_in(dir, &yaml, &[], &[]);
        for _ in 0..3 {
            let pair = new_pair();
            assert!(!serves(&gate, &pair.path().join("ca.crt")), "{way}");
            write(pair.path(), &certs);
            wait_until_served(&gate, &pair.path().join("ca.crt"));
        }
    }
}

/// Breaks a good pair in a folder.
type Break = fn(&Path);

const BREAKS: &[(&str, Break)] = &[
    ("empty", |dir| put(dir, "tls.crt", b"")),
    ("half written", |dir| {
        let whole = fs::read(dir.join("tls.crt")).unwrap();
        put(dir, "tls.crt", &whole[..whole.len() / 4]);
    }),
    ("garbage", |dir| put(dir, "tls.key", &[0xff; 300])),
    ("another pair's key", |dir| {
        put(
            dir,
            "tls.key",
            &fs::read(new_pair().path().join("tls.key")).unwrap(),
        );
    }),
    ("another pair's certificate", |dir| {
        put(
            dir,
            "tls.crt",
            &fs::read(new_pair().path().join("tls.crt")).unwrap(),
        );
    }),
    ("gone", |dir| fs::remove_file(dir.join("tls.key")).unwrap()),
    ("a folder", |dir| {
        symlink(dir, dir.join("new")).unwrap();
        fs::rename(dir.join("new"), dir.join("tls.crt")).unwrap();
    }),
];

/// In one step.
fn put(dir: &Path, name: &str, content: &[u8]) {
    fs::write(dir.join("new"), content).unwrap();
    fs::rename(dir.join("new"), dir.join(name)).unwrap();
}

#[test]
fn a_broken_pair_keeps_the_old_one_and_is_told_once() {
    let gate = Gate::start(&format!("{UPSTREAM}reload: {{poll: 1ms}}\n"));
    let (dir, ca) = (gate.dir.path(), gate.ca());
    let good = ["tls.crt", "tls.key"].map(|name| (name, fs::read(dir.join(name)).unwrap()));
    for (number, (what, damage)) in BREAKS.iter().enumerate() {
        let before = attempts(&gate);
        damage(dir);
        assert_eq!(next_attempt(&gate, before), "failure", "{what}");
        assert!(gate.metric("wxgate_config_last_reload_successful") < 0.1);
        // Each of them takes longer than a period.
        for _ in 0..20 {
            assert!(serves(&gate, &ca), "{what}");
        }
        told(&gate, "\"configuration not reloaded", number + 1);
        told(&gate, "fault in the configuration", number + 1);
        let output = gate.output();
        assert!(!output.contains("PRIVATE KEY---"), "{output}");
        let before = attempts(&gate);
        for (name, content) in &good {
            if fs::read(dir.join(name)).ok().as_ref() != Some(content) {
                put(dir, name, content);
            }
        }
        assert_eq!(next_attempt(&gate, before), "unchanged", "{what}");
        assert!((gate.metric("wxgate_config_last_reload_successful") - 1.0).abs() < 0.1);
    }
}

/// A client that keeps its tickets, and believes all these authorities.
fn keeping_client(authorities: &[PathBuf], is_tls12: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(CertificateDer::from_pem_file(authority).unwrap())
            .unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let version = if is_tls12 { &TLS12 } else { &TLS13 };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Connects, asks once, and tells how the handshake was made.
fn handshake(gate: &Gate, client: &Arc<ClientConfig>) -> HandshakeKind {
    let name = ServerName::try_from("wx.test").unwrap();
    let session = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut stream = rustls::StreamOwned::new(session, tcp(gate.https));
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut stream).status(), 200);
    stream.conn.handshake_kind().unwrap()
}

#[test]
fn tickets_resume_across_reloads_unless_clients_are_asked_for_certificates() {
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::start(&format!("{}\nreload: {{poll: off}}\n", upstream.yaml()));
    let pair = new_pair();
    let authorities = [gate.ca(), pair.path().join("ca.crt")];
    let clients = [true, false].map(|is_tls12| keeping_client(&authorities, is_tls12));
    let kinds = || clients.each_ref().map(|client| handshake(&gate, client));
    assert_eq!(kinds(), [HandshakeKind::Full; 2]);
    assert_eq!(kinds(), [HandshakeKind::Resumed; 2]);
    renamed_over(pair.path(), gate.dir.path());
    assert_eq!(reload(&gate), "success");
    assert_eq!(kinds(), [HandshakeKind::Resumed; 2]);
    let config = gate.dir.path().join("config.yaml");
    let yaml = fs::read_to_string(&config).unwrap();
    let asking = "tls: {client_auth: optional, client_ca: ca.crt, ";
    fs::write(&config, yaml.replace("tls: {", asking)).unwrap();
    assert_eq!(reload(&gate), "success");
    assert_eq!(kinds(), [HandshakeKind::Full; 2]);
    assert_eq!(kinds(), [HandshakeKind::Full; 2]);
}

/// `NAME.crt` and `NAME.key`, self-signed, good until the end of `year`'s first day.
fn until(dir: &Path, name: &str, year: i32) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([format!("{name}.test")]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let made = params.self_signed(&key).unwrap();
    put(dir, &format!("{name}.crt"), made.pem().as_bytes());
    put(dir, &format!("{name}.key"), key.serialize_pem().as_bytes());
}

#[test]
fn the_end_of_each_certificate_is_shown_and_that_of_removed_ones_no_more() {
    let dir = TempDir::new().unwrap();
    for name in ["a", "b", "c"] {
        until(dir.path(), name, 2030);
    }
    let yaml = |names: &[&str]| {
        let items = names
            .iter()
            .map(|name| format!("{{cert: {name}.crt, key: {name}.key}}"));
        let items = items.collect::<Vec<_>>().join(", ");
        format!("{UPSTREAM}{LISTEN}reload: {{poll: off}}\ntls: {{certificates: [{items}]}}\n")
    };
    let gate = Gate::start_in(dir, &yaml(&["a", "b"]), &[], &[]);
    let ends = || {
        let metrics = gate.metrics();
        let lines = metrics.lines().filter_map(|line| {
            let rest =
                line.strip_prefix("wxgate_certificate_not_after_timestamp_seconds{certificate=\"")?;
            let (name, value) = rest.split_once("\"} ").unwrap();
            Some((name.to_owned(), value.parse::<i64>().unwrap()))
        });
        lines.collect::<Vec<_>>()
    };
    let (in_2030, in_2031) = (1_893_456_000, 1_924_992_000);
    assert_eq!(
        ends(),
        [("a".to_owned(), in_2030), ("b".to_owned(), in_2030)]
    );
    until(gate.dir.path(), "a", 2031);
    fs::write(gate.dir.path().join("config.yaml"), yaml(&["a", "c"])).unwrap();
    assert_eq!(reload(&gate), "success");
    assert_eq!(
        ends(),
        [("a".to_owned(), in_2031), ("c".to_owned(), in_2030)]
    );
}
