//! How a signature is made wrongly.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::{Digest as _, Sha1};

/// Which strings a signature is made over, beside the token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Timestamp and nonce.
    Plain,
    /// The echostr too.
    Encrypted,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'v> {
    pub(super) timestamp: &'v str,
    pub(super) nonce: &'v str,
    pub(super) echostr: &'v str,
}

impl<'v> Signed<'v> {
    /// The digest as it ought to be.
    pub(super) fn sign(&self, form: Form, token: &str) -> [u8; 20] {
        let mut parts = self.parts(form, token);
        parts.sort_unstable();
        joined(&parts)
    }

    fn parts<'p>(&self, form: Form, token: &'p str) -> Vec<&'p str>
    where
        'v: 'p,
    {
        let mut parts = vec![token, self.timestamp, self.nonce];
        if form == Form::Encrypted {
            parts.push(self.echostr);
        }
        parts
    }
}

/// A mistake in how the digest was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mistake {
    /// The strings were not sorted by their bytes.
    Order,
    /// A plain signature with the echostr in it.
    EchostrSigned,
    /// An encrypted signature without the echostr in it.
    EchostrNotSigned,
    /// An encrypted signature over the echostr as it stands in the URL.
    EchostrEncoded,
    /// An encrypted signature over an echostr whose "+" is a blank, or the reverse.
    PlusLost,
    /// An encrypted signature over standard base64, and an echostr in the URL-safe alphabet.
    UrlSafe,
}

impl Mistake {
    /// In snake case.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::EchostrSigned => "echostr_signed",
            Self::EchostrNotSigned => "echostr_not_signed",
            Self::EchostrEncoded => "echostr_encoded",
            Self::PlusLost => "plus_lost",
            Self::UrlSafe => "url_safe",
        }
    }

    /// Cause and mend in Chinese, one line.
    #[must_use]
    pub const fn text_zh(self) -> &'static str {
        match self {
            Self::Order => {
                "签名前没有按字节排序（例如 PHP 的 sort() 缺少 SORT_STRING，按数字排序）：请改为按字符串排序；真实后台不会这样，请检查测试工具。"
            }
            Self::EchostrSigned => {
                "signature 里混进了 echostr：明文签名只含 token、timestamp、nonce；若是企业微信，参数名应为 msg_signature。"
            }
            Self::EchostrNotSigned => {
                "msg_signature 里没有 echostr：加密签名应含 token、timestamp、nonce 和解码后的 echostr。"
            }
            Self::EchostrEncoded => {
                "签名是对未做 URL 解码的 echostr 计算的：应先解码再计算；真实后台不会这样，请检查测试工具。"
            }
            Self::PlusLost => {
                "echostr 里的 + 在签名前变成了空格（或相反）：签名方把查询串按表单多解码了一次。"
            }
            Self::UrlSafe => {
                "echostr 里的 + 和 / 被换成了 - 和 _：途中或测试工具把它改成了 URL 安全字母表，真实后台不会这样。"
            }
        }
    }

    /// Cause and mend in English, one line.
    #[must_use]
    pub const fn text_en(self) -> &'static str {
        match self {
            Self::Order => {
                "the strings were not sorted by their bytes (PHP's sort() without SORT_STRING sorts numbers as numbers): no console does this; look at the test tool."
            }
            Self::EchostrSigned => {
                "signature has the echostr in it: a plain one is over token, timestamp and nonce; WeCom's parameter is msg_signature."
            }
            Self::EchostrNotSigned => {
                "msg_signature lacks the echostr: it is over token, timestamp, nonce and the decoded echostr."
            }
            Self::EchostrEncoded => {
                "the signature is over an echostr that is still percent-encoded: decode it first; no console does this; look at the test tool."
            }
            Self::PlusLost => {
                "a + of the echostr became a blank before it was signed, or the reverse: the signer decodes the query as a form."
            }
            Self::UrlSafe => {
                "the + and / of the echostr became - and _ on the way or in a test tool: no console uses the URL-safe alphabet."
            }
        }
    }
}

/// The mistake by which a signer who has the right `token` comes to this digest.
pub(super) fn fault(
    form: Form,
    token: &str,
    signed: &Signed<'_>,
    given: &[u8; 20],
) -> Option<Mistake> {
    let other = match form {
        Form::Plain => (Form::Encrypted, Mistake::EchostrSigned),
        Form::Encrypted => (Form::Plain, Mistake::EchostrNotSigned),
    };
    if signed.sign(other.0, token) == *given {
        return Some(other.1);
    }
    if is_otherwise_ordered(form, token, signed, given) {
        return Some(Mistake::Order);
    }
    let encoded = utf8_percent_encode(signed.echostr, NON_ALPHANUMERIC).to_string();
    let lower = encoded
        .replace("%2B", "%2b")
        .replace("%2F", "%2f")
        .replace("%3D", "%3d");
    let blanks = signed.echostr.replace('+', " ");
    let pluses = signed.echostr.replace(' ', "+");
    let standard = signed.echostr.replace('-', "+").replace('_', "/");
    let changed = [
        (encoded.as_str(), Mistake::EchostrEncoded),
        (lower.as_str(), Mistake::EchostrEncoded),
        (blanks.as_str(), Mistake::PlusLost),
        (pluses.as_str(), Mistake::PlusLost),
        (standard.as_str(), Mistake::UrlSafe),
    ];
    changed.into_iter().find_map(|(echostr, finding)| {
        let signed = Signed { echostr, ..*signed };
        (signed.sign(form, token) == *given).then_some(finding)
    })
}

/// Numbers sorted as numbers, or nothing sorted: whatever other order there is.
fn is_otherwise_ordered(form: Form, token: &str, signed: &Signed<'_>, given: &[u8; 20]) -> bool {
    let mut parts = signed.parts(form, token);
    let last = parts.len();
    orders(&mut parts, last, &mut |parts| joined(parts) == *given)
}

/// Whether one of the orders of the first `count` parts satisfies `holds` (Heap's algorithm).
fn orders(parts: &mut [&str], count: usize, holds: &mut impl FnMut(&[&str]) -> bool) -> bool {
    if count <= 1 {
        return holds(parts);
    }
    for index in 0..count {
        if orders(parts, count - 1, holds) {
            return true;
        }
        let other = if count.is_multiple_of(2) { index } else { 0 };
        parts.swap(other, count - 1);
    }
    false
}

fn joined(parts: &[&str]) -> [u8; 20] {
    let mut hasher = Sha1::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
