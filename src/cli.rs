//! The commands and their flags.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::Override;

/// TLS-terminating sidecar that answers WeChat and WeCom (企业微信) server-URL verification by itself and streams
/// everything else to your backend.
///
/// Without a command it serves. Exit codes: 0 stopped cleanly, 1 could not start or had to cut connections off,
/// 2 wrong arguments, 75 still draining, 78 wrong configuration.
#[derive(Debug, Parser)]
#[command(
    name = "wxgate",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// For serving without naming the command.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve.
    Serve(SettingsArgs),
    /// Serve at once, without any file: own certificate, sample backend, sample endpoints, and curl lines to try.
    Demo(DemoArgs),
    /// Check configuration, certificates and keys, and exit: 0 if good, 78 if not. Nothing is bound.
    Check(SettingsArgs),
    /// Say why logged verifications fail, by the configuration alone: 0 if all would pass, 1 if one would not, 2 if there
    /// is nothing to explain. No secret is shown.
    Explain(ExplainArgs),
    /// Play a console against any server, wxgate or not, and say what would fail and why: 0 passed, 1 something fails,
    /// 2 wrong arguments.
    Simulate(SimulateArgs),
    /// Ask a running wxgate whether it is ready, for probes in images without a shell: 0 if so, else 1.
    Healthcheck(HealthcheckArgs),
    /// Have a running wxgate begin its drain, as SIGTERM would, and wait for its end, for hooks in images without a shell:
    /// 0 if it has ended, 75 if it still drains, 1 if nothing was begun.
    Drain(DrainArgs),
}

/// Where the settings come from, the last one winning: file, `WXGATE_…` environment, flags.
#[derive(Args, Debug, Default)]
pub struct SettingsArgs {
    /// Configuration file. Without one, only environment and flags are read.
    #[arg(long, short, env = "WXGATE_CONFIG", value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Any key of the configuration, such as `upstream.idle_timeout=2s`. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Where the backend is: `http://host:port` or `unix:/path`. Short for `--set upstream.url=…`.
    #[arg(long, value_name = "URL")]
    pub upstream: Option<String>,
    /// `error`, `warn`, `info`, `debug` or `trace`. Short for `--set log.level=…`.
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// `text` or `json`. Short for `--set log.format=…`.
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

impl SettingsArgs {
    /// All flags as overrides, in the order in which they win.
    #[must_use]
    pub fn overrides(&self) -> Vec<Override> {
        let named = [
            ("--upstream", "upstream.url", &self.upstream),
            ("--log-level", "log.level", &self.log_level),
            ("--log-format", "log.format", &self.log_format),
        ];
        let named = named
            .into_iter()
            .filter_map(|(flag, key, value)| Some(Override::named(flag, key, value.as_deref()?)));
        self.overrides.iter().cloned().chain(named).collect()
    }
}

/// What is explained, and by which configuration.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Where the tokens and keys are.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// `zh` or `en`. Default: the terminal's.
    #[arg(long, value_name = "LANG", value_parser = ["zh", "en"])]
    pub lang: Option<String>,
    /// Request lines, URLs, or lines of any log that has them; without one, standard input is read.
    #[arg(value_name = "LINE")]
    pub lines: Vec<String>,
}

/// Ports of the demo. One that is taken is replaced by a free one.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// For TLS.
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "IP:PORT")]
    pub https: SocketAddr,
    /// For clear text.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "IP:PORT")]
    pub http: SocketAddr,
    /// For metrics and probes.
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "IP:PORT")]
    pub admin: SocketAddr,
}

/// Which URL a console would call, and with what. A secret is `env:NAME`, `file:PATH`, or, visible to everybody on this
/// machine, the text itself.
#[derive(Args, Clone)]
pub struct SimulateArgs {
    /// The URL as it is entered in the console.
    #[arg(value_name = "URL")]
    pub url: String,
    /// Which console.
    #[arg(long, value_parser = ["official_account", "wecom"], value_name = "PLATFORM", conflicts_with = "endpoint")]
    pub platform: Option<String>,
    /// The token.
    #[arg(long, value_name = "SECRET", conflicts_with = "endpoint")]
    pub token: Option<String>,
    /// The EncodingAESKey. WeCom has one; an official account has one in safe mode.
    #[arg(long, value_name = "SECRET", conflicts_with = "endpoint")]
    pub encoding_aes_key: Option<String>,
    /// The CorpID, SuiteID or AppID that envelopes end with; "" for none.
    #[arg(long, value_name = "ID", conflicts_with = "endpoint")]
    pub receive_id: Option<String>,
    /// Take platform, token, key and receive id from this configuration.
    #[arg(long, short, env = "WXGATE_CONFIG", value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Which endpoint of the configuration.
    #[arg(long, value_name = "NAME")]
    pub endpoint: Option<String>,
    /// Believe these authorities too, beside the system's.
    #[arg(long, value_name = "PEM")]
    pub ca: Option<PathBuf>,
    /// Connect there, whatever the name in the URL says: a server that has no public name yet.
    #[arg(long, value_name = "IP:PORT")]
    pub connect: Option<SocketAddr>,
    /// Longest wait for each answer, 1ms to 1h.
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = wait)]
    pub timeout: Duration,
    /// Send no messages (POST), which the server would take for real ones.
    #[arg(long)]
    pub no_message: bool,
    /// Language of the report. Without it: that of `LC_ALL`, `LC_MESSAGES` or `LANG`.
    #[arg(long, value_parser = ["zh", "en"], value_name = "LANGUAGE")]
    pub lang: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

fn wait(text: &str) -> Result<Duration, String> {
    let wait = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&wait) {
        Ok(wait)
    } else {
        Err("allowed is 1ms to 1h".to_owned())
    }
}

impl fmt::Debug for SimulateArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets are among the rest.
        f.debug_struct("SimulateArgs").finish_non_exhaustive()
    }
}

/// Whom to ask.
#[derive(Args, Clone, Copy, Debug)]
pub struct HealthcheckArgs {
    /// The admin listener.
    #[arg(long, default_value = "127.0.0.1:9090", value_name = "IP:PORT")]
    pub address: SocketAddr,
    /// Ask whether it is alive, rather than ready.
    #[arg(long)]
    pub live: bool,
}

/// Who is to drain, and how long that is waited for.
#[derive(Args, Clone, Copy, Debug)]
pub struct DrainArgs {
    /// The process that serves. In a container of its own that is 1.
    #[arg(long, default_value_t = 1, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: i32,
    /// Longest wait for its end, such as `40s`. Without it: as long as it takes.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
    /// Do not wait at all: exit with 0 as soon as it has been told.
    #[arg(long, conflicts_with = "timeout")]
    pub no_wait: bool,
}
