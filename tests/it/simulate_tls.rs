//! `simulate` against nginx with certificates and TLS that are wrong, each in one way.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use serde_json::{Value, json};

use crate::partners::Backend;
use crate::simulate::{CREDENTIALS, play, play_at, run};

/// id-pe-authorityInfoAccess, and one caIssuers of `http://ca.test/`.
const AIA: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 1, 1];
const CA_ISSUERS: &[u8] =
    b"\x30\x1d\x30\x1b\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x0fhttp://ca.test/";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str, above: Option<&Authority>, until: Option<SystemTime>) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_after = until.map_or(params.not_after, Into::into);
    let certificate = match above {
        Some(above) => params.signed_by(&key, &above.issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Authority {
        certificate,
        issuer: Issuer::new(params, key),
    }
}

/// Writes `NAME.crt` (with `above` behind it) and `NAME.key`; valid from and for days from now.
fn leaf(
    dir: &Path,
    name: &str,
    host: &str,
    by: Option<&Authority>,
    above: &[&Authority],
    days: (i64, i64),
) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let at = |days: i64| {
        let days_away = DAY * u32::try_from(days.abs()).unwrap();
        let now = SystemTime::now();
        if days < 0 {
            now - days_away
        } else {
            now + days_away
        }
    };
    params.not_before = at(days.0).into();
    params.not_after = at(days.1).into();
    params.custom_extensions = vec![CustomExtension::from_oid_content(&AIA, CA_ISSUERS.to_vec())];
    let certificate = match by {
        Some(by) => params.signed_by(&key, &by.issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let chain: String = above.iter().map(|above| above.certificate.pem()).collect();
    std::fs::write(dir.join(format!("{name}.crt")), certificate.pem() + &chain).unwrap();
    std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

/// The lines of an nginx server with the certificate `name`.
fn server(name: &str, more: &str) -> String {
    format!(
        "ssl_certificate @SCRATCH@/{name}.crt; ssl_certificate_key @SCRATCH@/{name}.key; {more} \
         location = /wx {{ proxy_pass http://@BACKEND@/oa/good; }}"
    )
}

#[test]
fn a_certificate_or_tls_that_is_wrong_is_named() {
    let good = Backend::start("broken-python", &[&["tcp"], &CREDENTIALS[..]].concat());
    let folder = Backend::folder();
    let dir = folder.path();
    let root = authority("zoo root", None, None);
    let middle = authority("zoo intermediate", Some(&root), None);
    let stranger = authority("nobody's root", None, None);
    let lapsed = authority(
        "lapsed intermediate",
        Some(&root),
        Some(SystemTime::now() - DAY),
    );
    std::fs::write(dir.join("root.pem"), root.certificate.pem()).unwrap();
    let usual = (-10, 90);
    let by = Some(&middle);
    leaf(dir, "good", "wx.test", by, &[&middle], usual);
    leaf(dir, "selfsigned", "wx.test", None, &[], usual);
    leaf(dir, "incomplete", "wx.test", by, &[], usual);
    leaf(
        dir,
        "untrusted",
        "wx.test",
        Some(&stranger),
        &[&stranger],
        usual,
    );
    leaf(dir, "othername", "other.test", by, &[&middle], usual);
    leaf(dir, "expired", "wx.test", by, &[&middle], (-90, -2));
    leaf(dir, "early", "wx.test", by, &[&middle], (2, 90));
    leaf(dir, "soon", "wx.test", by, &[&middle], (-90, 5));
    leaf(dir, "lapsed", "wx.test", Some(&lapsed), &[&lapsed], usual);
    leaf(dir, "worst", "other.test", by, &[], (-90, -2));
    let tls = json!({
        "good": [server("good", "")],
        "selfsigned": [server("selfsigned", "")],
        "incomplete": [server("incomplete", "")],
        "untrusted": [server("untrusted", "")],
        "othername": [server("othername", "")],
        "expired": [server("expired", "")],
        "early": [server("early", "")],
        "soon": [server("soon", "")],
        "lapsed": [server("lapsed", "")],
        "worst": [server("worst", "")],
        "new": [server("good", "ssl_protocols TLSv1.3;")],
        "old": [server("good", "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;")],
        "mutual": [server("good", "ssl_client_certificate @SCRATCH@/root.pem; ssl_verify_client on;")],
        "sni": [server("othername", "server_name other.test;"), server("good", "server_name wx.test;")],
        "reject": ["ssl_reject_handshake on;", server("good", "server_name wx.test;")],
    });
    std::fs::write(dir.join("tls.json"), tls.to_string()).unwrap();
    let address = format!("127.0.0.1:{}", good.port());
    let backend = Backend::start_in(folder, "broken-nginx", &["tcp", "--backend", &address]);
    let ports: Value =
        serde_json::from_slice(&std::fs::read(backend.dir().join("ports.json")).unwrap()).unwrap();
    let root = backend.dir().join("root.pem");
    let asked = |name: &str| {
        let connect = format!("127.0.0.1:{}", ports[name]);
        let more = ["--connect", &connect, "--ca", root.to_str().unwrap()];
        play("official_account", "https://wx.test/wx", &more)
    };
    for (name, expected) in [
        ("good", &[][..]),
        ("selfsigned", &["certificate_self_signed"]),
        ("incomplete", &["certificate_chain_incomplete"]),
        ("untrusted", &["certificate_untrusted"]),
        ("othername", &["certificate_wrong_name"]),
        ("expired", &["certificate_expired"]),
        ("early", &["certificate_not_yet_valid"]),
        ("soon", &["certificate_expires_soon"]),
        ("lapsed", &["certificate_expired"]),
        (
            "worst",
            &[
                "certificate_chain_incomplete",
                "certificate_expired",
                "certificate_wrong_name",
            ],
        ),
        ("new", &["tls_new_only"]),
        ("old", &["tls_old"]),
        ("mutual", &["tls_client_certificate"]),
        ("sni", &["sni_other_certificate"]),
        ("reject", &["sni_required"]),
        ("plain", &["tls_not_spoken"]),
    ] {
        let told = asked(name);
        println!("{name}: {:?}", told.labels());
        assert_eq!(told.labels(), expected, "{name}: {}", told.out);
    }
    let told = asked("good").json();
    assert_eq!(told["tls"]["names"], json!(["wx.test"]));
    assert_eq!(told["tls"]["certificates_sent"], 2);
    assert!((88..=90).contains(&told["tls"]["days_left"].as_i64().unwrap()));
    // The system's authorities do not know this one.
    let connect = format!("127.0.0.1:{}", ports["good"]);
    let told = play(
        "official_account",
        "https://wx.test/wx",
        &["--connect", &connect],
    );
    assert_eq!(told.labels().len(), 1, "{}", told.out);
    let port = ports["good"].to_string();
    assert_eq!(
        play_at("official_account", &port, "/wx", &[]).labels(),
        ["https_port_in_clear"]
    );
}

/// `openssl s_server` with `server.crt` and `server.key` of a folder, and where it listens.
struct Server(Child, String);

impl Server {
    fn start(dir: &Path, more: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-cert", "server.crt", "-key", "server.key"])
            .args(more)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses =
            lines.filter_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned));
        let address = addresses.next().expect("it listens");
        std::thread::spawn(move || addresses.count());
        Self(child, address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn written(dir: &Path, names: &[&str], common_name: &str) {
    let key = KeyPair::generate().unwrap();
    let names = names.iter().map(|name| (*name).to_owned());
    let mut params = CertificateParams::new(names.collect::<Vec<_>>()).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(dir.join("server.crt"), certificate.pem()).unwrap();
    std::fs::write(dir.join("server.key"), key.serialize_pem()).unwrap();
}

#[test]
fn a_server_that_wants_a_certificate_is_named_over_either_version() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), &["wx.test"], "wx.test");
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Server::start(dir.path(), &[version, "-Verify", "1"]);
        let more = ["--connect", &server.1, "--no-message"];
        let told = play("official_account", "https://wx.test/wx", &more);
        let labels = told.labels();
        assert!(
            labels.contains(&"tls_client_certificate".to_owned()),
            "{version} {labels:?}"
        );
        assert!(
            !labels.contains(&"tls_failed".to_owned()),
            "{version} {labels:?}"
        );
    }
    // One that would like to have one, and does without, is no obstacle.
    let server = Server::start(dir.path(), &["-tls1_2", "-verify", "1"]);
    let more = ["--connect", &server.1, "--no-message"];
    let told = play("official_account", "https://wx.test/wx", &more);
    assert!(!told.out.contains("tls_client_certificate"), "{}", told.out);
}

#[test]
fn what_a_certificate_says_of_itself_is_shown_and_not_done() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["wx.test", "\u{1b}[2j.test", "a\nb.test"];
    let name = format!("\u{1b}]0;x\u{7}\u{202e}<b>{}", "x".repeat(5000));
    written(dir.path(), &names, &name);
    let server = Server::start(dir.path(), &[]);
    let shown = [
        "--connect",
        &server.1,
        "--no-message",
        "--token",
        "env:ZOO_TOKEN",
    ];
    for url in ["https://wx.test/wx", "https://other.test/wx"] {
        for more in [&["--json"][..], &["--lang", "zh"], &["--lang", "en"]] {
            let platform = [url, "--platform", "official_account"];
            let told = run(&[&platform, &shown[..], more].concat());
            let all = format!("{}{}", told.out, told.err);
            assert!(all.contains("certificate_self_signed"), "{all}");
            let is_raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!all.contains(is_raw) && all.len() < 20_000, "{all}");
        }
    }
}
