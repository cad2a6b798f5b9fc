//! `wxgate demo`: serves at once, without a file and without root, and prints what to try.
//!
//! The credentials are the published ones of the consoles' own documentation or made up here: they protect nothing.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::demo_backend;
use crate::cli::DemoArgs;
use crate::config::{
    Certificate, Config, ConfigError, Endpoint, EndpointPath, Environment, Listen, Messages,
    Override, Settings,
};
use crate::wechat::message::Mode;
use crate::wechat::{
    AesKey, Credentials, Envelopes, Platform, ReceiveIds, Scheme, Token, envelope, signature,
};

const TOKEN: &str = "wxgateDemoToken";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const RECEIVE_ID: &str = "ww0123456789abcdef";
const NONCE: &str = "1514711492";
const ECHO: &str = "4375120948345356249";
const DOMAIN_FILE: (&str, &str) = ("MP_verify_wxgateDemo123456.txt", "wxgateDemo123456");
/// The certificate's names.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A demo that is ready to be served.
#[derive(Debug)]
pub struct Demo {
    /// Complete settings.
    pub settings: Settings,
    /// What to paste into another terminal.
    pub guide: String,
}

/// Why there is no demo.
#[derive(Debug, Error)]
pub enum DemoError {
    /// No port, thread or clock.
    #[error("the demo's backend cannot be started")]
    Backend(#[source] io::Error),
    /// No address to listen on.
    #[error("the demo has no port to listen on")]
    Port(#[source] io::Error),
    /// No certificate.
    #[error("the demo's certificate cannot be made")]
    Certificate(#[source] rcgen::Error),
    /// A key that the TLS library does not take.
    #[error("the demo's certificate cannot be used")]
    Key(#[source] rustls::Error),
    /// Defaults that do not hold, which is a bug here.
    #[error("the demo's settings are wrong")]
    Settings(#[source] ConfigError),
    /// The built-in token or key is wrong, which is a bug here.
    #[error("the demo's credentials are wrong")]
    Credentials,
}

/// Starts the sample backend and makes settings and guide.
///
/// # Errors
/// See [`DemoError`].
pub fn prepare(args: &DemoArgs) -> Result<Demo, DemoError> {
    let backend = demo_backend::start().map_err(DemoError::Backend)?;
    let mut settings = settings(backend, free([args.https, args.http, args.admin])?)?;
    let token = Token::new(TOKEN.to_owned()).map_err(|_| DemoError::Credentials)?;
    let key = AesKey::from_encoding_aes_key(KEY).map_err(|_| DemoError::Credentials)?;
    let guide = guide(&settings.boot.listen, &token, &key)?;
    let encrypted = Scheme::Encrypted(Envelopes {
        keys: vec![key],
        receive_ids: ReceiveIds::OneOf(vec![RECEIVE_ID.to_owned()]),
    });
    settings.live.endpoints = vec![
        endpoint(
            Platform::OfficialAccount,
            "official-account",
            "/wechat",
            token.clone(),
            Scheme::Plain,
        ),
        endpoint(Platform::Wecom, "wecom", "/wecom", token, encrypted),
    ];
    Ok(Demo { settings, guide })
}

/// The addresses themselves, or with another port where one is taken, if only by the one before.
fn free([https, http, admin]: [SocketAddr; 3]) -> Result<[SocketAddr; 3], DemoError> {
    let bind = |address: SocketAddr| {
        TcpListener::bind(address)
            .or_else(|_| TcpListener::bind((address.ip(), 0)))
            .map_err(DemoError::Port)
    };
    // None is given back before all are found.
    let held = [bind(https)?, bind(http)?, bind(admin)?];
    let address = |socket: &TcpListener| socket.local_addr().map_err(DemoError::Port);
    let [https, http, admin] = &held;
    Ok([address(https)?, address(http)?, address(admin)?])
}

/// The defaults, whatever the environment says, with what a demo needs.
fn settings(
    backend: SocketAddr,
    [https, http, admin]: [SocketAddr; 3],
) -> Result<Settings, DemoError> {
    let set = |key, value: String| Override::named("demo", key, value);
    let overrides = [
        // Its certificate is in no file, so this listener is added below.
        set("listen.https", String::new()),
        set("listen.http", http.to_string()),
        set("listen.admin", admin.to_string()),
        set("http.redirect_port", https.port().to_string()),
        set("upstream.url", format!("http://{backend}")),
        set("drain.timeout", "5s".to_owned()),
        set("workers", "1".to_owned()),
        set(
            &format!("domain_files.{}", DOMAIN_FILE.0),
            DOMAIN_FILE.1.to_owned(),
        ),
    ];
    let config = Config::read(None, &overrides, Environment::default());
    let mut settings = config
        .and_then(Config::check)
        .map_err(DemoError::Settings)?;
    settings.boot.listen.https = vec![https];
    settings.live.tls.certificates = vec![certificate()?];
    Ok(settings)
}

fn endpoint(platform: Platform, name: &str, path: &str, token: Token, scheme: Scheme) -> Endpoint {
    Endpoint {
        name: name.to_owned(),
        host: None,
        path: EndpointPath::new(path),
        platform,
        credentials: Credentials {
            tokens: vec![token],
            scheme,
        },
        timestamp_window: None,
        allow: None,
        messages: Messages::untouched(Mode::Plain),
    }
}

fn certificate() -> Result<Certificate, DemoError> {
    let signing_key = KeyPair::generate().map_err(DemoError::Certificate)?;
    let params =
        CertificateParams::new(NAMES.map(str::to_owned)).map_err(DemoError::Certificate)?;
    let certificate = params
        .self_signed(&signing_key)
        .map_err(DemoError::Certificate)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let certified = CertifiedKey::from_der(
        vec![certificate.der().clone()],
        key,
        &aws_lc_rs::default_provider(),
    )
    .map_err(DemoError::Key)?;
    Ok(Certificate {
        name: "demo".to_owned(),
        names: vec!["localhost".to_owned()],
        not_after: params.not_after.unix_timestamp(),
        chain_length: 1,
        is_self_issued: true,
        key: Arc::new(certified),
    })
}

/// As it was called: whoever built it has it in no path yet.
fn program() -> String {
    let is_plain = |name: &String| {
        name.chars()
            .all(|character| character.is_ascii_alphanumeric() || "/._-".contains(character))
    };
    let called = std::env::args().next().filter(is_plain);
    called.unwrap_or_else(|| "wxgate".to_owned())
}

fn guide(listen: &Listen, token: &Token, key: &AesKey) -> Result<String, DemoError> {
    let first = |addresses: &[SocketAddr]| addresses.first().copied().ok_or(DemoError::Credentials);
    let (https, http) = (first(&listen.https)?, first(&listen.http)?);
    let admin = listen.admin.ok_or(DemoError::Credentials)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
        .to_string();
    let plain = signature::sign(token, &[&now, NONCE]);
    let sealed = envelope::seal(
        key,
        *b"wxgate-demo-16by",
        ECHO.as_bytes(),
        RECEIVE_ID.as_bytes(),
    );
    let encrypted = signature::sign(token, &[&now, NONCE, &sealed]);
    let sealed = utf8_percent_encode(&sealed, NON_ALPHANUMERIC);
    let forged = "0000000000000000000000000000000000000000";
    let plain_url = |signature: &str| {
        format!(
            "https://{https}/wechat?signature={signature}&echostr={ECHO}&timestamp={now}&nonce={NONCE}"
        )
    };
    let encrypted_url = |signature: &str| {
        format!(
            "https://{https}/wecom?msg_signature={signature}&timestamp={now}&nonce={NONCE}&echostr={sealed}"
        )
    };
    Ok(format!(
        "wxgate demo. Paste these into another terminal; Ctrl-C ends it.\n
# 公众号 / official account: a good verification answers {ECHO}, a forged one 403
curl -ik '{}'\ncurl -ik '{}'\n
# 企业微信 / WeCom: the answer is the decrypted echostr, {ECHO} again; a forged one 403
curl -ik '{}'\ncurl -ik '{}'\n
# the same over plain HTTP/1.0, as WeChat itself asks
curl -i0 '{}'\n
# anything else is streamed to the backend, line by line
curl -iNk 'https://{https}/stream'\ncurl -ik -d 'a=1' 'https://{https}/any/path?q=1'\n
# a domain file; and a redirect to https
curl -i 'http://{http}/{}'\ncurl -i 'http://{http}/any/path'\n
# what a console would say, and why: this plays WeCom's against any server
{} simulate 'http://{http}/wecom' --platform wecom --token {TOKEN} --encoding-aes-key {KEY} --receive-id {RECEIVE_ID}\n
# the status page, for a browser: what to enter in a console, what was verified and why not, and a button that asks itself
http://{admin}/\n
# what was counted
curl -s 'http://{admin}/metrics' | grep wxgate_verifications_total\n",
        plain_url(&plain),
        plain_url(forged),
        encrypted_url(&encrypted),
        encrypted_url(forged),
        plain_url(&plain).replacen(&format!("https://{https}"), &format!("http://{http}"), 1),
        DOMAIN_FILE.0,
        program(),
    ))
}
