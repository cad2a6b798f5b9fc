//! What can be found to be the cause of a failed verification, with its mend.

use super::digest::Mistake;
use super::receiver::Receiver;
use super::spelling::Spelling;

/// One cause. Its texts have no secret in them; [`label`](Self::label) is its name in logs and its anchor in
/// `docs/runbook.md`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// Signed with the token of the endpoint of this name.
    TokenOfAnother(String),
    /// Signed with this token in another spelling.
    Token(Spelling),
    /// Signed with this token, wrongly.
    Digest(Mistake),
    /// A good plain signature, at an endpoint that takes encrypted ones only.
    PlainHere,
    /// A good encrypted signature, at an endpoint that has no key.
    EncryptedHere,
    /// A good `msg_signature` beside a wrong `signature`.
    SignatureBeside,
    /// A good `signature` beside a wrong `msg_signature`.
    MsgSignatureBeside,
    /// Opened by the key of the endpoint of this name.
    KeyOfAnother(String),
    /// For a receiver that is not listed.
    ReceiveId(Receiver),
}

impl Finding {
    /// In snake case.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::TokenOfAnother(_) => "token_of_another",
            Self::Token(spelling) => spelling.label(),
            Self::Digest(mistake) => mistake.label(),
            Self::PlainHere => "plain_here",
            Self::EncryptedHere => "encrypted_here",
            Self::SignatureBeside => "signature_beside",
            Self::MsgSignatureBeside => "msg_signature_beside",
            Self::KeyOfAnother(_) => "key_of_another",
            Self::ReceiveId(_) => "receive_id",
        }
    }

    /// Cause and mend in Chinese, one line.
    #[must_use]
    pub fn text_zh(&self) -> String {
        match self {
            Self::TokenOfAnother(name) => format!(
                "请求是用端点 {name} 的 Token 签名的：后台里把 URL 或 Token 填到了另一个应用上，请让 URL 与 Token 属于同一个应用。"
            ),
            Self::KeyOfAnother(name) => format!(
                "密文能用端点 {name} 的 EncodingAESKey 解开：两个应用的密钥填反了，请从本应用的后台重新复制 43 位密钥。"
            ),
            Self::ReceiveId(receiver) => receiver.text_zh(),
            Self::Token(spelling) => spelling.text_zh().to_owned(),
            Self::Digest(mistake) => mistake.text_zh().to_owned(),
            Self::PlainHere => "这是正确的明文签名（公众号、小程序），而该端点配置为企业微信：请把 platform 改为 official_account，或检查 URL 填在了哪个后台。".to_owned(),
            Self::EncryptedHere => "这是正确的加密签名（企业微信），而该端点没有密钥：请把 platform 改为 wecom 并填写 encoding_aes_keys 与 receive_ids。".to_owned(),
            Self::SignatureBeside => "msg_signature 正确，但旁边的 signature 不符：请检查前面的代理或测试工具是否改写了其中一个。".to_owned(),
            Self::MsgSignatureBeside => "signature 正确，但旁边的 msg_signature 不符：echostr 在途中被改动，或两个签名用了不同的 Token。".to_owned(),
        }
    }

    /// Cause and mend in English, one line.
    #[must_use]
    pub fn text_en(&self) -> String {
        match self {
            Self::TokenOfAnother(name) => format!(
                "signed with the token of endpoint {name}: in the console the URL or the token is another app's; give both of the same app."
            ),
            Self::KeyOfAnother(name) => format!(
                "the EncodingAESKey of endpoint {name} opens it: the keys of two apps are exchanged; copy the 43 characters from this app's console again."
            ),
            Self::ReceiveId(receiver) => receiver.text_en(),
            Self::Token(spelling) => spelling.text_en().to_owned(),
            Self::Digest(mistake) => mistake.text_en().to_owned(),
            Self::PlainHere => "a good plain signature, as official accounts and mini programs send, at a wecom endpoint: set platform to official_account, or see in which console the URL was entered.".to_owned(),
            Self::EncryptedHere => "a good encrypted signature, as WeCom sends, at an endpoint without a key: set platform to wecom, and give encoding_aes_keys and receive_ids.".to_owned(),
            Self::SignatureBeside => "msg_signature holds, the signature beside it does not: see whether a proxy in front or a test tool rewrites one of them.".to_owned(),
            Self::MsgSignatureBeside => "signature holds, the msg_signature beside it does not: the echostr was changed on its way, or two tokens were used.".to_owned(),
        }
    }
}
