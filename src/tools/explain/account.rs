//! What can be said of one request.

use super::Language;
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
    /// It goes to the backend.
    NoVerification(String),
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
        format!("{path}  {verdict}\n  {label}: {why}")
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Holds { .. } => "ok",
            Self::Found(_, finding) => finding.label(),
            Self::Refused(_, rejection) => rejection.label(),
            Self::Redacted(_) => "redacted",
            Self::NoVerification(_) => "no_verification",
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
            Self::NoVerification(name) => (
                format!("端点 {name}：转发给后端"),
                "没有 signature、msg_signature 和 echostr，不是 URL 验证。".to_owned(),
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
            Self::NoVerification(name) => (
                format!("endpoint {name}: goes to the backend"),
                "neither signature, msg_signature nor echostr is in it: no verification.".to_owned(),
            ),
            Self::Stray(paths) => (
                "no endpoint: goes to the backend".to_owned(),
                format!("no endpoint has this path and host. There are: {}", paths.join(", ")),
            ),
        }
    }
}
