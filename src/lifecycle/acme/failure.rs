//! Why there is no certificate: which step, which host, what the server says, and what mends it.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, Instant};

use instant_acme::{Error, Problem};
use thiserror::Error;

use crate::observe::chain::Chain;

/// The beginning of every type of RFC 8555 section 6.7.
const TYPES: &str = "urn:ietf:params:acme:error:";
/// Longer details are cut in the log.
const LONGEST_DETAIL: usize = 500;

/// How far an attempt came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Storage,
    Account,
    Order,
    Challenge,
    Validation,
    Finalization,
    Download,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Account => "account",
            Self::Order => "order",
            Self::Challenge => "challenge",
            Self::Validation => "validation",
            Self::Finalization => "finalization",
            Self::Download => "download",
        }
    }

    /// What the server's client says of this step.
    pub(super) fn failed(self, cause: Error) -> Failure {
        Failure {
            step: self,
            host: None,
            cause: Cause::Client(cause),
        }
    }

    /// What else went wrong in it.
    pub(super) fn broken(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Failure {
        Failure {
            step: self,
            host: None,
            cause: Cause::Other(cause.into()),
        }
    }
}

/// An attempt that brought nothing.
#[derive(Debug)]
pub(super) struct Failure {
    step: Step,
    host: Option<String>,
    cause: Cause,
}

#[derive(Debug, Error)]
enum Cause {
    #[error(transparent)]
    Client(Error),
    #[error(transparent)]
    Other(Box<dyn StdError + Send + Sync>),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Step::Storage.broken(error)
    }
}

impl Failure {
    pub(super) fn of(self, host: String) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    /// Whether the server says this, such as `accountDoesNotExist`.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.problem()
            .is_some_and(|problem| short_type(problem) == kind)
    }

    /// The wait that the server asked for while it was polled.
    pub(super) fn wait(&self) -> Duration {
        match &self.cause {
            Cause::Client(Error::Timeout(Some(next))) => {
                next.saturating_duration_since(Instant::now())
            }
            _ => Duration::ZERO,
        }
    }

    fn problem(&self) -> Option<&Problem> {
        match &self.cause {
            Cause::Client(Error::Api(problem)) => Some(problem),
            _ => None,
        }
    }

    /// One line: `kept` says what is served meanwhile.
    pub(super) fn log(&self, hosts: &[String], failures: u32, next: &str, kept: &str) {
        let problem = self.problem().map(short_type);
        let detail = match self.problem() {
            Some(problem) => detail_of(problem),
            None => plain(&Chain(&self.cause).to_string()),
        };
        let (mend, mend_en) = mend(self.step, problem);
        tracing::warn!(
            step = self.step.name(),
            host = self.host.clone().unwrap_or_else(|| hosts.join(", ")),
            problem,
            detail,
            mend,
            mend_en,
            failures,
            next,
            kept,
            "ACME: no new certificate"
        );
    }
}

fn short_type(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or("none");
    kind.strip_prefix(TYPES).unwrap_or(kind)
}

fn detail_of(problem: &Problem) -> String {
    let mut detail = problem.detail.clone().unwrap_or_default();
    for sub in &problem.subproblems {
        detail.push_str("; ");
        detail.push_str(&sub.to_string());
    }
    plain(&detail)
}

/// A line stays a line, whatever the server writes.
fn plain(text: &str) -> String {
    let kept = text.chars().take(LONGEST_DETAIL);
    kept.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// In Chinese and English.
fn mend(step: Step, problem: Option<&str>) -> (&'static str, &'static str) {
    match (problem, step) {
        (Some("connection" | "tls"), _) => (
            "证书服务器连不上这个域名：检查 DNS 的 A/AAAA 记录、防火墙，以及公网 443（http-01 为 80）端口是否到达 wxgate",
            "the server cannot reach this name: check its A and AAAA records, the firewall, and that public port 443 (80 with http-01) leads to wxgate",
        ),
        (Some("dns"), _) => (
            "域名解析失败：检查 DNS 记录",
            "the name does not resolve: check its DNS records",
        ),
        (Some("unauthorized" | "incorrectResponse"), Step::Validation) => (
            "应答的不是 wxgate：检查域名是否指向本机，前面是否有 CDN 或负载均衡终结了 TLS（可改用 http-01）",
            "somebody else answered: see whether the name leads here, or a CDN or balancer in front ends TLS (http-01 may do then)",
        ),
        (Some("caa"), _) => (
            "CAA 记录不允许这个证书机构：修改 DNS 的 CAA 记录",
            "a CAA record forbids this authority: change it in DNS",
        ),
        (Some("rateLimited"), _) => (
            "超出证书机构的频率限制：等待即可，试验时请用 directory: staging",
            "the authority's rate limit: wait; for trials use directory: staging",
        ),
        (Some("externalAccountRequired"), _) => (
            "这个证书机构要求外部账号：填写 tls.acme.external_account",
            "this authority wants an external account: set tls.acme.external_account",
        ),
        (Some("rejectedIdentifier" | "unsupportedIdentifier"), _) => (
            "证书机构拒绝签发这个域名：检查 tls.acme.hosts",
            "the authority refuses this name: check tls.acme.hosts",
        ),
        (Some("userActionRequired"), _) => (
            "需要到证书机构确认新的服务条款",
            "the authority wants something of you, such as to accept new terms: see the detail",
        ),
        (Some("invalidContact" | "unsupportedContact"), _) => {
            ("检查 tls.acme.contact", "check tls.acme.contact")
        }
        (Some("unauthorized" | "malformed"), Step::Account) => (
            "账号被拒绝：检查 tls.acme.external_account，或删除 storage 中的 account.json 以新建账号",
            "the account is refused: check tls.acme.external_account, or remove account.json from the storage to make a new one",
        ),
        (Some(_), _) => (
            "见 detail；会自动重试",
            "see the detail; it is tried again by itself",
        ),
        (None, Step::Storage) => (
            "检查 tls.acme.storage 的权限、属主和磁盘空间",
            "check the owner, permissions and free space of tls.acme.storage",
        ),
        (None, _) => (
            "证书服务器没有正确应答：检查 tls.acme.directory、出网连接和 tls.acme.ca；会自动重试",
            "no good answer from the server: check tls.acme.directory, the way out to it and tls.acme.ca; it is tried again by itself",
        ),
    }
}
