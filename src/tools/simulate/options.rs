//! What the operator asks for: flags, or an endpoint of a configuration, become a console and a target.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::RootCertStore;

use super::chain;
use super::console::Console;
use super::target::Target;
use crate::cli::SimulateArgs;
use crate::config::{Endpoint, Secret, Source};
use crate::tools::language::Language;
use crate::wechat::{AesKey, Platform, ReceiveIds, Scheme, Token};

/// Longest wait for an answer of our own: a little more than any console's.
const OWN_WAIT: Duration = Duration::from_secs(6);

/// Everything a simulation needs.
#[derive(Debug)]
pub struct Options {
    /// Whom to ask.
    pub target: Target,
    /// Who asks.
    pub console: Console,
    /// Further endpoints of the configuration, by name.
    pub others: Vec<(String, Console)>,
    /// Where to connect to, whatever the name says.
    pub connect: Option<SocketAddr>,
    /// For each request.
    pub wait: Duration,
    /// For all of them together.
    pub until: Option<Instant>,
    /// Whom to believe.
    pub authorities: RootCertStore,
    /// Whether messages are sent as well.
    pub with_messages: bool,
    /// Of the report.
    pub language: Language,
    /// JSON rather than text.
    pub json: bool,
}

/// What a running server asks of itself.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// All that it has.
    pub endpoints: &'a [Endpoint],
    /// Which of them.
    pub name: &'a str,
    /// As it is entered in the console.
    pub url: &'a str,
    /// Where to connect to, whatever the name says.
    pub connect: Option<SocketAddr>,
    /// When it must have ended.
    pub until: Instant,
}

/// What is wrong with the arguments, for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

fn wrong(text: impl Into<String>) -> UsageError {
    UsageError(text.into())
}

impl Options {
    /// Reads what the arguments name.
    ///
    /// # Errors
    /// See [`UsageError`]. No text of it has a secret in it.
    pub fn read(args: &SimulateArgs) -> Result<Self, UsageError> {
        let target = Target::parse(&args.url).map_err(|error| wrong(format!("the URL {error}")))?;
        let (console, others) = match &args.endpoint {
            Some(name) => configured(args.config.as_deref(), name)?,
            None => (flags(args)?, Vec::new()),
        };
        let authorities = chain::authorities(args.ca.as_deref())
            .map_err(|error| wrong(format!("--ca cannot be read: {error}")))?;
        Ok(Self {
            target,
            console,
            others,
            connect: args.connect,
            wait: args.timeout,
            until: None,
            authorities,
            with_messages: !args.no_message,
            language: Language::chosen(args.lang.as_deref()),
            json: args.json,
        })
    }

    /// What is asked of an endpoint that is served here: verifications alone.
    ///
    /// # Errors
    /// See [`UsageError`]. No text of it has a secret in it.
    pub fn own(own: &Own<'_>) -> Result<Self, UsageError> {
        let target = Target::parse(own.url).map_err(|error| wrong(format!("the URL {error}")))?;
        let (console, others) = consoles(own.endpoints, own.name)?;
        let authorities = chain::authorities(None).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            target,
            console,
            others,
            connect: own.connect,
            wait: OWN_WAIT,
            until: Some(own.until),
            authorities,
            with_messages: false,
            language: Language::English,
            json: true,
        })
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

fn flags(args: &SimulateArgs) -> Result<Console, UsageError> {
    let platform = args.platform.as_deref().and_then(Platform::parse);
    let platform = platform.ok_or_else(|| {
        wrong("give --platform official_account or --platform wecom, or --config and --endpoint")
    })?;
    let token = args
        .token
        .as_deref()
        .ok_or_else(|| wrong("give --token env:NAME or --token file:PATH"))?;
    let token = Token::new(secret("--token", token)?.into_exposed())
        .map_err(|error| wrong(format!("the token {error}")))?;
    let key = args
        .encoding_aes_key
        .as_deref()
        .map(|given| {
            AesKey::from_encoding_aes_key(secret("--encoding-aes-key", given)?.expose())
                .map_err(|error| wrong(format!("the key {error}")))
        })
        .transpose()?;
    if platform == Platform::Wecom && key.is_none() {
        return Err(wrong("--platform wecom needs --encoding-aes-key"));
    }
    if key.is_some() && args.receive_id.is_none() {
        return Err(wrong(
            "--encoding-aes-key needs --receive-id: a CorpID, SuiteID or AppID, or \"\" for none",
        ));
    }
    Ok(Console {
        platform,
        token,
        key,
        receive_id: args.receive_id.clone().unwrap_or_default(),
        now: now(),
    })
}

/// `env:NAME`, `file:PATH`, or the secret itself.
fn secret(flag: &str, given: &str) -> Result<Secret, UsageError> {
    if let Some(name) = given.strip_prefix("env:") {
        return std::env::var(name).map(Secret::new).map_err(|_| {
            wrong(format!(
                "{flag}: the environment variable named there is not set"
            ))
        });
    }
    let Some(path) = given.strip_prefix("file:") else {
        return Ok(Secret::new(given.to_owned()));
    };
    Secret::read_file(Path::new(path))
        .map_err(|error| wrong(format!("{flag}: the file named there {error}")))
}

type Others = Vec<(String, Console)>;

fn configured(path: Option<&Path>, name: &str) -> Result<(Console, Others), UsageError> {
    let path = path.ok_or_else(|| wrong("--endpoint needs --config PATH"))?;
    let settings = Source::new(Some(path.to_owned()), Vec::new()).load();
    let settings = settings.map_err(|error| wrong(error.to_string()))?;
    consoles(&settings.live.endpoints, name)
}

/// That of the endpoint of this name, and those of the others.
fn consoles(endpoints: &[Endpoint], name: &str) -> Result<(Console, Others), UsageError> {
    let names: Vec<&str> = endpoints.iter().map(|e| e.name.as_str()).collect();
    let found = endpoints.iter().find(|endpoint| endpoint.name == name);
    let found = found.ok_or_else(|| match *names {
        [] => wrong("the configuration has no endpoints"),
        _ => wrong(format!(
            "there is no endpoint {name:?}; there are: {}",
            names.join(", ")
        )),
    })?;
    let own = console(found).ok_or_else(|| wrong(format!("endpoint {name} has no token")))?;
    let others = endpoints.iter().filter(|endpoint| endpoint.name != name);
    let others = others.filter_map(|other| Some((other.name.clone(), console(other)?)));
    Ok((own, others.collect()))
}

/// With the newest token and key of an endpoint.
fn console(endpoint: &Endpoint) -> Option<Console> {
    let credentials = &endpoint.credentials;
    let (platform, envelopes) = match &credentials.scheme {
        Scheme::Plain => (Platform::OfficialAccount, None),
        Scheme::Either(envelopes) => (Platform::OfficialAccount, Some(envelopes)),
        Scheme::Encrypted(envelopes) => (Platform::Wecom, Some(envelopes)),
    };
    let receive_id = match envelopes.map(|envelopes| &envelopes.receive_ids) {
        Some(ReceiveIds::OneOf(ids)) => ids.first().cloned().unwrap_or_default(),
        Some(ReceiveIds::Any) => "ww0000000000000000".to_owned(),
        None => String::new(),
    };
    Some(Console {
        platform,
        token: credentials.tokens.first()?.clone(),
        key: envelopes.and_then(|envelopes| envelopes.keys.first().cloned()),
        receive_id,
        now: now(),
    })
}
