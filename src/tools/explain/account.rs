//! What can be said of one request.

use super::target::Target;
use super::{Language, Outcome};
use crate::wechat::Rejection;
use crate::wechat::diagnosis::Finding;

/// One request, explained; the first field is the endpoint's name.
#[derive(Debug)]
pub(super) enum Account {
    /// It would be answered with its echostr.
    Holds {
        endpoint: String,
        is_repaired: bool,
        has_window: bool,
    },
    /// This single change would make it hold.
    Found(String, Finding),
    /// It is refused, for a reason that says all that is known.
    Refused(String, Rejection),
    /// The log has not the values.
    Redacted(String),
    /// It is a message.
    Message(String),
    /// It goes to the backend.
    NoVerification { endpoint: String, has_query: bool },
    /// No endpoint has this path and host; those that there are.
    Stray(Vec<String>),
}

impl Account {
    /// A headline and an indented explanation, without a secret.
    pub(super) fn text(&self, path: &str, language: Language) -> String {
        let (verdict, why) = match language {
            Language::Chinese => self.chinese(),
            Language::English => self.english(),
        };
        let label = self.label();
        let path: String = path
            .chars()
            .take(128)
            .flat_map(char::escape_default)
            .collect();
        let link = match (self.outcome(), language) {
            (Outcome::Nothing | Outcome::Passes, _) => String::new(),
            (_, Language::Chinese) => format!("\n  见 docs/runbook.zh-CN.md#{label}"),
            (_, Language::English) => format!("\n  see docs/runbook.md#{label}"),
        };
        format!("{path}  {verdict}\n  {label}: {why}{link}")
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Holds { .. } => Outcome::Passes,
            Self::Message(_) | Self::NoVerification { .. } | Self::Redacted(_) => Outcome::Nothing,
            Self::Stray(_) | Self::Refused(..) | Self::Found(..) => Outcome::Fails,
        }
    }

    /// Whether somebody who looks for verifications in a log wants to know of it.
    pub(super) fn is_of_interest(&self, target: &Target) -> bool {
        match self {
            Self::Message(_) => false,
            Self::NoVerification { has_query, .. } => !has_query,
            // Its names are hidden too: it may be any.
            Self::Redacted(_) if target.query.starts_with('<') => !target.is_post,
            // Signed links of other services have a signature too.
            Self::Stray(_) | Self::Redacted(_) => {
                !target.is_post
                    && ["echostr=", "signature="]
                        .iter()
                        .all(|name| target.query.contains(name))
            }
            Self::Holds { .. } | Self::Refused(..) | Self::Found(..) => true,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Holds { .. } => "ok",
            Self::Found(_, finding) => finding.label(),
            Self::Refused(_, rejection) => rejection.label(),
            Self::Redacted(_) => "redacted",
            Self::Message(_) => "message",
            Self::NoVerification { .. } => "no_verification",
            Self::Stray(_) => "stray",
        }
    }

    fn chinese(&self) -> (String, String) {
        match self {
            Self::Holds {
                endpoint,
                is_repaired,
                has_window,
            } => {
                let mut why = "签名正确，会原样答复 echostr。若后台仍报错，请用 wxgate simulate 从外面看答复是否被途中改动。".to_owned();
                if *is_repaired {
                    why.push_str("查询串在途中被重新编码过，已自动修复。");
                }
                if *has_window {
                    why.push_str("没有检查时间窗口：这里不知道请求是何时到的。");
                }
                (format!("端点 {endpoint}：通过"), why)
            }
            Self::Found(name, finding) => (format!("端点 {name}：拒绝"), finding.text_zh()),
            Self::Refused(name, rejection) => (format!("端点 {name}：拒绝"), rejection.cause_zh().to_owned()),
            Self::Redacted(name) => (
                format!("端点 {name}：无法判断"),
                "这一行里的参数值已被隐去。同一请求的 verification refused 日志行有原因；或从前面的代理取原始请求行。".to_owned(),
            ),
            Self::Message(name) => (
                format!("端点 {name}：消息"),
                "POST 是推送的消息，不是 URL 验证；这里看不到消息体，无法判断。".to_owned(),
            ),
            Self::NoVerification { endpoint, has_query } => {
                let mut why = "没有 signature、msg_signature 和 echostr，不是 URL 验证。".to_owned();
                if !has_query {
                    why.push_str("若后台点“提交”时来的就是它，那么前面的代理或 CDN 丢掉了查询串。");
                }
                (format!("端点 {endpoint}：转发给后端"), why)
            }
            Self::Stray(paths) if paths.is_empty() => (
                "没有端点：转发给后端".to_owned(),
                "配置里没有任何端点。".to_owned(),
            ),
            Self::Stray(paths) => (
                "没有端点：转发给后端".to_owned(),
                format!("没有端点是这个路径和域名。已配置的有：{}", paths.join("、")),
            ),
        }
    }

    fn english(&self) -> (String, String) {
        match self {
            Self::Holds {
                endpoint,
                is_repaired,
                has_window,
            } => {
                let mut why = "the signature holds, and the echostr is answered. If the console still says no, wxgate simulate shows from outside whether the answer is changed on its way.".to_owned();
                if *is_repaired {
                    why.push_str(" Its query was encoded again on the way, and is repaired.");
                }
                if *has_window {
                    why.push_str(" The time window was not looked at: when it came is not known here.");
                }
                (format!("endpoint {endpoint}: passes"), why)
            }
            Self::Found(name, finding) => (format!("endpoint {name}: refused"), finding.text_en()),
            Self::Refused(name, rejection) => (format!("endpoint {name}: refused"), rejection.cause_en().to_owned()),
            Self::Redacted(name) => (
                format!("endpoint {name}: cannot be told"),
                "the values are redacted in this line. The line `verification refused` of the same request has the reason; or take the request line from a proxy in front.".to_owned(),
            ),
            Self::Message(name) => (
                format!("endpoint {name}: a message"),
                "a POST is a message that was pushed, no verification; its body is not in the line, so nothing can be told.".to_owned(),
            ),
            Self::NoVerification { endpoint, has_query } => {
                let mut why = "neither signature, msg_signature nor echostr is in it: no verification.".to_owned();
                if !has_query {
                    why.push_str(" If it came when the console submitted, something in front lost the query.");
                }
                (format!("endpoint {endpoint}: goes to the backend"), why)
            }
            Self::Stray(paths) if paths.is_empty() => (
                "no endpoint: goes to the backend".to_owned(),
                "the configuration has no endpoints.".to_owned(),
            ),
            Self::Stray(paths) => (
                "no endpoint: goes to the backend".to_owned(),
                format!("no endpoint has this path and host. There are: {}", paths.join(", ")),
            ),
        }
    }
}

/// Said where a log has more than is explained.
pub(super) const fn rest(language: Language) -> &'static str {
    match language {
        Language::Chinese => "只解释了前 10000 个请求，其余的没有读。",
        Language::English => "The first 10,000 requests are explained; the rest was not read.",
    }
}
