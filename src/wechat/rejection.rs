//! Why a request was refused: the closed list that metrics, the log and the runbook share.
//!
//! Whoever sent the request learns none of it beyond 400 or 403. All that is found out after the
//! signature was checked is a 403, so that nobody can use an endpoint to test a key or a receive id.
//!
//! Facts: `docs/protocol.md`, section "Reasons".

use std::error::Error;
use std::fmt;

use super::envelope::OpenError;

/// One reason to refuse a request. `Display` prints its [`label`](Self::label).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Rejection {
    /// Some of what a verification or message consists of is absent.
    MissingParameter,
    /// A parameter that matters occurs twice, be it with equal values.
    DuplicateParameter,
    /// A parameter cannot be decoded, or is not of the form that consoles send.
    MalformedParameter,
    /// No token gives the signature that came with the request.
    SignatureMismatch,
    /// The signature holds, but was made outside the time window.
    StaleTimestamp,
    /// The signature holds, but the ciphertext is not base64.
    BadBase64,
    /// The signature holds, but no key gives a valid padding.
    BadPadding,
    /// The signature holds, but the envelope is not as long as it must be.
    BadLength,
    /// The envelope opens, but is for somebody else.
    ReceiveIdMismatch,
    /// A message is longer than is read before its signature is known to hold.
    BodyTooLarge,
    /// A message has no readable `Encrypt` in it.
    MalformedBody,
    /// The kind of signature is not one that this endpoint is configured for.
    WrongMode,
    /// The same genuine message was seen more often than a platform repeats it.
    Replayed,
}

impl Rejection {
    /// All reasons, each at its [`index`](Self::index).
    pub const ALL: [Self; 13] = [
        Self::MissingParameter,
        Self::DuplicateParameter,
        Self::MalformedParameter,
        Self::SignatureMismatch,
        Self::StaleTimestamp,
        Self::BadBase64,
        Self::BadPadding,
        Self::BadLength,
        Self::ReceiveIdMismatch,
        Self::BodyTooLarge,
        Self::MalformedBody,
        Self::WrongMode,
        Self::Replayed,
    ];

    /// Position in [`ALL`](Self::ALL), 0 to 12, for arrays of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The label in metrics and logs, in snake case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::MissingParameter => "missing_parameter",
            Self::DuplicateParameter => "duplicate_parameter",
            Self::MalformedParameter => "malformed_parameter",
            Self::SignatureMismatch => "signature_mismatch",
            Self::StaleTimestamp => "stale_timestamp",
            Self::BadBase64 => "bad_base64",
            Self::BadPadding => "bad_padding",
            Self::BadLength => "bad_length",
            Self::ReceiveIdMismatch => "receive_id_mismatch",
            Self::BodyTooLarge => "body_too_large",
            Self::MalformedBody => "malformed_body",
            Self::WrongMode => "wrong_mode",
            Self::Replayed => "replayed",
        }
    }

    /// Whether the form of the request is at fault, which anybody can see from the request alone:
    /// answered 400. All others are answered 403 and must look the same to a client.
    #[must_use]
    pub const fn is_bad_request(self) -> bool {
        matches!(
            self,
            Self::MissingParameter | Self::DuplicateParameter | Self::MalformedParameter
        )
    }

    /// The likely cause and its mend in Chinese: one sentence without a secret, for a log line.
    #[must_use]
    pub const fn cause_zh(self) -> &'static str {
        match self {
            Self::MissingParameter => {
                "缺少 signature/msg_signature、timestamp、nonce 或（验证 URL 时的）echostr：前面的 CDN、网关删掉或改写了一部分查询参数（例如 & 变成 &amp;），或者请求是手工拼的；请让它们原样转发查询串，再到后台点“提交”。"
            }
            Self::DuplicateParameter => {
                "签名相关参数重复出现：请检查后台填写的 URL 是否已自带这些参数，或前面的代理是否又追加了一遍。"
            }
            Self::MalformedParameter => {
                "参数格式不对（签名不是 40 位十六进制、值为空、过长或 URL 编码损坏）：请检查前面的代理是否改写或截断了查询串。"
            }
            Self::SignatureMismatch => {
                "签名不符：请核对 Token 是否与后台完全一致（大小写、首尾空格、是否填成了别的应用），并先让新配置生效再点“提交”；若其他请求都正常，则这一条是伪造的，或途中被改写。"
            }
            Self::StaleTimestamp => {
                "签名正确但时间戳超出允许的时间窗口：请校准服务器时间（NTP），或放宽、关闭时间窗口；若请求并非刚刚发出，则可能是重放。"
            }
            Self::BadBase64 => {
                "签名正确但密文不是标准 Base64：发送方使用了 URL 安全字母表或去掉了“=”，真实平台不会这样，请检查测试工具。"
            }
            Self::BadPadding => {
                "签名正确但无法解密：EncodingAESKey 多半不是这个应用的，请从后台重新复制 43 位密钥；若刚换过密钥，请同时保留旧密钥。"
            }
            Self::BadLength => {
                "签名正确但解密后的长度不合理：EncodingAESKey 多半不对，或密文被截断，请重新复制密钥并检查请求是否完整。"
            }
            Self::ReceiveIdMismatch => {
                "解密成功但接收方 ID 不在 receive_ids 中：自建应用填 CorpID，第三方应用的指令回调填 SuiteID（验证 URL 时为服务商 CorpID），公众号和小程序填 AppID，第三方平台填 component_appid，智能机器人填空串。"
            }
            Self::BodyTooLarge => {
                "消息体超过允许的上限：真实推送只有几 KB，请确认来源；确有需要时调大上限。"
            }
            Self::MalformedBody => {
                "消息体里没有唯一且可读的 Encrypt：请确认后台选择的是安全模式或兼容模式、数据格式是 XML 或 JSON，且前面的代理没有改写消息体。"
            }
            Self::WrongMode => {
                "签名种类与该端点的配置不符：企业微信和第三方平台使用 msg_signature，公众号和小程序验证 URL 时使用 signature，消息则取决于后台选择的明文、兼容或安全模式，请检查 platform、mode 与 encoding_aes_keys，以及 URL 是否填到了别的平台。"
            }
            Self::Replayed => {
                "同一条真实消息到达的次数超过了平台重试的次数：多半有人截获后重放，请检查回调地址是否泄露在日志里；若后台或测试工具确实会重复发送，请调大次数。"
            }
        }
    }

    /// The likely cause and its mend in English: one sentence without a secret, for a log line.
    #[must_use]
    pub const fn cause_en(self) -> &'static str {
        match self {
            Self::MissingParameter => {
                "signature or msg_signature, timestamp, nonce or (in a verification) echostr is absent: a CDN or gateway in front drops or rewrites a part of the query (such as & to &amp;), or the request was made by hand; have the query passed as it is, and submit again in the console."
            }
            Self::DuplicateParameter => {
                "a signed parameter occurs twice: see whether the URL in the console already has it in its query, or whether a proxy in front appends it again."
            }
            Self::MalformedParameter => {
                "a parameter is empty, too long, wrongly percent-encoded, or a signature is not 40 hex digits: see whether a proxy in front rewrites or cuts the query."
            }
            Self::SignatureMismatch => {
                "no configured token gives this signature: compare the token with the console's (case, blanks, another app's token), and have the new configuration loaded before submitting; if all other requests pass, this one was forged or changed on its way."
            }
            Self::StaleTimestamp => {
                "the signature holds but its timestamp is outside the window: set this host's clock (NTP) or widen the window; if the request was not sent just now, it is a replay."
            }
            Self::BadBase64 => {
                "the signature holds but the ciphertext is not standard base64: a sender used the URL-safe alphabet or left out '=', which no platform does; look at the test tool."
            }
            Self::BadPadding => {
                "the signature holds but nothing decrypts: the EncodingAESKey is most likely another app's; copy its 43 characters from the console again, and keep the old key too if it was just changed."
            }
            Self::BadLength => {
                "the signature holds but the decrypted lengths are impossible: the EncodingAESKey is most likely wrong or the ciphertext was cut; copy the key again and see whether requests arrive whole."
            }
            Self::ReceiveIdMismatch => {
                "the envelope opens but is for an id that receive_ids does not list: CorpID for own apps, SuiteID for a suite's commands (the provider's CorpID while its URL is verified), AppID for accounts and mini programs, the component's AppID for third-party platforms, \"\" for AI bots."
            }
            Self::BodyTooLarge => {
                "the message is longer than the limit: genuine ones have a few KB, so see who sent it, or raise the limit."
            }
            Self::MalformedBody => {
                "no single readable Encrypt in the message: see whether the console is set to safe or compatible mode and to XML or JSON, and whether a proxy in front rewrites bodies."
            }
            Self::WrongMode => {
                "the kind of signature is not what this endpoint takes: WeCom and third-party platforms send msg_signature; official accounts and mini programs send signature in verifications, and in messages what the console's mode says (plain, compatible, safe); see platform, mode and encoding_aes_keys, and whether the URL was entered in the other console."
            }
            Self::Replayed => {
                "the same genuine message came more often than a platform repeats it: most likely somebody recorded and replays it, so see which logs have its URL; if a test tool repeats messages, raise the number."
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Error for Rejection {}

impl From<OpenError> for Rejection {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Base64 => Self::BadBase64,
            OpenError::Padding => Self::BadPadding,
            OpenError::Length => Self::BadLength,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_is_at_its_index() {
        for (index, reason) in Rejection::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }

    #[test]
    fn labels_and_causes_are_distinct_and_on_one_line() {
        let labels: HashSet<_> = Rejection::ALL.map(Rejection::label).into();
        let chinese: HashSet<_> = Rejection::ALL.map(Rejection::cause_zh).into();
        let english: HashSet<_> = Rejection::ALL.map(Rejection::cause_en).into();
        for texts in [&labels, &chinese, &english] {
            assert_eq!(texts.len(), 13);
            assert!(texts.iter().all(|text| !text.contains('\n')));
        }
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(labels.iter().all(|label| label.chars().all(is_label)));
    }

    #[test]
    fn only_the_form_of_a_request_is_a_bad_request() {
        let bad = Rejection::ALL.into_iter().filter(|r| r.is_bad_request());
        let labels: Vec<_> = bad.map(|reason| reason.to_string()).collect();
        let expected = [
            "missing_parameter",
            "duplicate_parameter",
            "malformed_parameter",
        ];
        assert_eq!(labels, expected);
    }
}
