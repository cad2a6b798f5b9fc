//! Certificates of clients: whose are taken, what the backend is told of them, and that nobody else can say it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tempfile::TempDir;

use crate::client::{curl, curl_url};
use crate::gate::{Gate, NAMES, certificate};
use crate::recorder::Recorder;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A gate that asks for certificates in this way, of which its folder has `good`, `expired`, `early` and `foreign`.
fn gate(upstream: &Recorder, client_auth: &str, yaml: &str) -> Gate {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &NAMES);
    clients(dir.path());
    let ca = match client_auth {
        "off" => "",
        _ => ", client_ca: clients.crt",
    };
    let yaml = format!(
        "{}listen: {{https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}}
tls: {{certificates: [{{cert: tls.crt, key: tls.key}}], client_auth: {client_auth}{ca}}}
http: {{other: forward}}
{yaml}",
        upstream.yaml()
    );
    Gate::start_in(dir, &yaml, &[], &[])
}

/// Writes the authority `clients.crt`, and certificates and keys of clients.
fn clients(dir: &Path) {
    let ours = authority(dir, "clients");
    let theirs = authority(dir, "others");
    client(dir, "good", subject(), (2020, 2100), &ours);
    client(dir, "expired", subject(), (2020, 2021), &ours);
    client(dir, "early", subject(), (2099, 2100), &ours);
    client(dir, "foreign", subject(), (2020, 2100), &theirs);
    let mut odd = DistinguishedName::new();
    odd.push(DnType::OrganizationName, "微信, 100%\r\nX-Admin: yes");
    odd.push(DnType::CommonName, "a+b");
    client(dir, "odd", odd, (2020, 2100), &ours);
    let mut long = DistinguishedName::new();
    long.push(DnType::CommonName, "x".repeat(5000));
    client(dir, "long", long, (2020, 2100), &ours);
}

fn subject() -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CountryName, "CN");
    name.push(DnType::OrganizationName, "Example, Ltd.");
    name.push(DnType::CommonName, "billing");
    name
}

fn authority(dir: &Path, name: &str) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, name);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = ca.self_signed(&key).unwrap().pem();
    std::fs::write(dir.join(format!("{name}.crt")), pem).unwrap();
    Issuer::new(ca, key)
}

/// `NAME.crt` and `NAME.key`, for years from and to.
fn client(
    dir: &Path,
    name: &str,
    subject: DistinguishedName,
    (from, to): (i32, i32),
    issuer: &Issuer<'_, KeyPair>,
) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    let pem = params.signed_by(&key, issuer).unwrap().pem();
    std::fs::write(dir.join(format!("{name}.crt")), pem).unwrap();
    std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn path(gate: &Gate, file: &str) -> String {
    let path: PathBuf = gate.dir.path().join(file);
    path.to_str().unwrap().to_owned()
}

/// curl's arguments for a client's certificate.
fn shown(gate: &Gate, name: &str) -> Vec<String> {
    [
        "--cert",
        &path(gate, &format!("{name}.crt")),
        "--key",
        &path(gate, &format!("{name}.key")),
    ]
    .map(str::to_owned)
    .into()
}

fn curl_with(gate: &Gate, name: &str, arguments: &[&str]) -> u16 {
    let shown = shown(gate, name);
    let all: Vec<&str> = shown
        .iter()
        .map(String::as_str)
        .chain(arguments.iter().copied())
        .collect();
    curl(gate, "/page", &all).status
}

/// What `openssl s_client` prints, and what the gate answered over it.
fn s_client(gate: &Gate, arguments: &[&str]) -> String {
    let mut child = Command::new("timeout")
        .args([
            "60",
            "openssl",
            "s_client",
            "-quiet",
            "-servername",
            "wx.test",
            "-connect",
        ])
        .arg(gate.https.to_string())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let request = b"GET /page HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n\r\n";
    let _ = child.stdin.as_mut().unwrap().write_all(request);
    // Its end of input would be taken for the wish to end; it ends when the gate closes.
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    drop(child.stdin.take());
    let rest = child.wait_with_output().unwrap();
    assert_ne!(rest.status.code(), Some(124), "openssl hangs");
    output + &String::from_utf8_lossy(&rest.stderr)
}

fn failure(reason: &str) -> String {
    format!("wxgate_tls_handshakes_total{{reason=\"{reason}\",result=\"failure\"}}")
}

/// Each value of a field in a request head.
fn values(head: &str, name: &str) -> Vec<String> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

/// The fingerprint as openssl computes it.
fn fingerprint(gate: &Gate, name: &str) -> String {
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(path(gate, &format!("{name}.crt")))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim()
        .rsplit_once('=')
        .unwrap()
        .1
        .replace(':', "")
        .to_lowercase()
}

/// Whether the handshake ended without an answer.
fn is_refused(gate: &Gate, name: Option<&str>, version: &str) -> bool {
    let files = name.map(|name| {
        (
            path(gate, &format!("{name}.crt")),
            path(gate, &format!("{name}.key")),
        )
    });
    let mut arguments = vec![version];
    if let Some((cert, key)) = &files {
        arguments.extend(["-cert", cert, "-key", key]);
    }
    let output = s_client(gate, &arguments);
    !output.contains("HTTP/1.1 ")
}

#[test]
fn required_certificates_are_verified_and_told_to_the_backend() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream, "required", "");
    for version in ["--http1.1", "--http2"] {
        for tls in ["--tls-max=1.2", "--tlsv1.3"] {
            let (flag, value) = tls.split_once('=').unwrap_or((tls, ""));
            let arguments: Vec<&str> = [version, flag, value]
                .into_iter()
                .filter(|a| !a.is_empty())
                .collect();
            assert_eq!(curl_with(&gate, "good", &arguments), 200, "{version} {tls}");
        }
    }
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(!is_refused(&gate, Some("good"), version));
    }
    let heads = upstream.requests();
    assert_eq!(heads.len(), 6);
    for head in &heads {
        assert_eq!(
            values(head, "x-client-cert-subject"),
            ["CN=billing,O=Example\\, Ltd.,C=CN"]
        );
        assert_eq!(
            values(head, "x-client-cert-sha256"),
            [fingerprint(&gate, "good")]
        );
    }
}

#[test]
fn a_missing_expired_early_or_foreign_certificate_ends_the_handshake_counted_and_logged() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream, "required", "log: {level: debug}\n");
    for version in ["-tls1_2", "-tls1_3"] {
        for name in ["expired", "early", "foreign"] {
            assert!(is_refused(&gate, Some(name), version), "{name} {version}");
        }
        assert!(is_refused(&gate, None, version), "{version}");
    }
    gate.wait_for_metric(&failure("bad_client_certificate"), 6.0);
    gate.wait_for_metric(&failure("no_client_certificate"), 2.0);
    gate.wait_for_line(&[
        "\"level\":\"WARN\"",
        "\"peer\":\"127.0.0.1:",
        "bad_client_certificate",
        "expired",
    ]);
    gate.wait_for_line(&[
        "\"level\":\"DEBUG\"",
        "\"peer\":\"127.0.0.1:",
        "no_client_certificate",
    ]);
    assert_eq!(upstream.requests(), Vec::<String>::new());
    // A key that is not the certificate's is not even sent by openssl; the other listener asks nobody.
    let url = format!("http://{}/page", gate.http);
    assert_eq!(curl_url(&url, &[]).status, 200);
}

#[test]
fn an_optional_certificate_may_be_missing_but_not_bad() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream, "optional", "");
    assert_eq!(curl(&gate, "/page", &[]).status, 200);
    assert_eq!(curl_with(&gate, "good", &[]), 200);
    for version in ["-tls1_2", "-tls1_3"] {
        for name in ["expired", "foreign"] {
            assert!(is_refused(&gate, Some(name), version), "{name} {version}");
        }
    }
    gate.wait_for_metric(&failure("bad_client_certificate"), 4.0);
    let heads = upstream.requests();
    let told: Vec<_> = heads
        .iter()
        .map(|head| values(head, "x-client-cert-sha256").len())
        .collect();
    assert_eq!(told, [0, 1]);
}

#[test]
fn what_a_client_says_of_its_certificate_never_reaches_the_backend() {
    let upstream = Recorder::answering(OK);
    for client_auth in ["off", "optional"] {
        let gate = gate(
            &upstream,
            client_auth,
            "headers: {underscores: forward}\ntrusted_proxies: [127.0.0.1]\n",
        );
        let forged = [
            "--header",
            "X-Client-Cert-Subject: CN=forged",
            "--header",
            "x-client-cert-sha256: forged",
            "--header",
            "X_Client_Cert_Subject: CN=forged",
            "--header",
            "X-Client_Cert-SHA256: forged",
            "--header",
            "X.Client.Cert.Subject: CN=forged",
            "--header",
            "X_WeChat_Verified: forged",
            "--header",
            "X_Other: kept",
        ];
        assert_eq!(curl(&gate, "/page", &forged).status, 200);
        assert_eq!(
            curl(&gate, "/page", &[&["--http2"][..], &forged].concat()).status,
            200
        );
        let url = format!("http://{}/page", gate.http);
        assert_eq!(curl_url(&url, &forged).status, 200);
    }
    let good = gate(&upstream, "required", "");
    let forged = [
        "--header",
        "X-Client-Cert-Subject: CN=forged",
        "--header",
        "X-Client-Cert-SHA256: forged",
    ];
    assert_eq!(curl_with(&good, "good", &forged), 200);
    let heads = upstream.requests();
    assert_eq!(heads.len(), 7);
    for head in &heads {
        assert!(!head.contains("forged"), "{head}");
    }
    for head in &heads[..6] {
        assert!(head.to_lowercase().contains("x_other: kept"), "{head}");
    }
    assert_eq!(values(&heads[6], "x-client-cert-subject").len(), 1);
}

#[test]
fn trailers_do_not_bring_in_what_heads_may_not() {
    let (saw, seen) = std::sync::mpsc::channel();
    let upstream = Recorder::start(move |mut connection| {
        connection.read_head();
        let mut body = Vec::new();
        while !body.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(connection.stream.read(&mut byte).unwrap(), 1);
            body.push(byte[0]);
        }
        saw.send(String::from_utf8(body).unwrap()).unwrap();
        connection.send(OK.as_bytes());
    });
    let gate = gate(&upstream, "off", "");
    let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
                   Trailer: X-Client-Cert-Subject, X.Client.Cert.SHA256, X-Sum\r\n\r\n\
                   2\r\nhi\r\n0\r\nX-Client-Cert-Subject: forged\r\nX.Client.Cert.SHA256: forged\r\nX-Sum: 1\r\n\r\n";
    crate::client::exchange(&mut crate::client::tcp(gate.http), request.as_bytes());
    let body = seen.recv_timeout(crate::gate::SOON).unwrap().to_lowercase();
    assert!(
        body.contains("x-sum: 1") && !body.contains("forged"),
        "{body}"
    );
}

#[test]
fn a_subject_cannot_break_out_of_its_header() {
    let upstream = Recorder::answering(OK);
    let gate = gate(&upstream, "required", "");
    assert_eq!(curl_with(&gate, "odd", &[]), 200);
    assert_eq!(curl_with(&gate, "long", &[]), 200);
    let heads = upstream.requests();
    // RFC 4514 writes a control character as a backslash and two hex digits, the rest is percent-encoded UTF-8.
    assert_eq!(
        values(&heads[0], "x-client-cert-subject"),
        ["CN=a\\+b,O=%E5%BE%AE%E4%BF%A1\\, 100%25\\0d\\0aX-Admin: yes"]
    );
    assert!(values(&heads[0], "x-admin").is_empty());
    // Half of a name would be another name.
    assert!(values(&heads[1], "x-client-cert-subject").is_empty());
    assert_eq!(
        values(&heads[1], "x-client-cert-sha256"),
        [fingerprint(&gate, "long")]
    );
}

#[test]
fn sessions_are_resumed_only_where_no_certificate_is_asked_for() {
    let upstream = Recorder::answering(OK);
    for (client_auth, resumes) in [("off", true), ("optional", false), ("required", false)] {
        let gate = gate(&upstream, client_auth, "");
        let (cert, key) = (path(&gate, "good.crt"), path(&gate, "good.key"));
        for version in ["-tls1_2", "-tls1_3"] {
            let session = path(&gate, "session");
            let _ = std::fs::remove_file(&session);
            let own = ["-cert", &cert, "-key", &key, version];
            let first = s_client(&gate, &[&own[..], &["-sess_out", &session]].concat());
            assert!(first.contains("HTTP/1.1 200"), "{first}");
            // TLS 1.3 without a ticket leaves nothing to resume.
            let is_resumed = Path::new(&session).exists()
                && resumed(&gate, &[&own[..], &["-sess_in", &session]].concat());
            assert_eq!(is_resumed, resumes, "{client_auth} {version}");
        }
    }
}

/// Whether openssl says that the session was reused.
fn resumed(gate: &Gate, arguments: &[&str]) -> bool {
    let mut child = Command::new("timeout")
        .args([
            "60",
            "openssl",
            "s_client",
            "-servername",
            "wx.test",
            "-connect",
        ])
        .arg(gate.https.to_string())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    child.wait().unwrap();
    assert!(
        output.contains("New, TLSv1") || output.contains("Reused, TLSv1"),
        "{output}"
    );
    output.contains("Reused, TLSv1")
}
