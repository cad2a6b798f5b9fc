//! Words by which an answer gives its maker away.

use super::cause::Cause;
use super::causes::{body, status};

/// Any of the words, in lower case, stands for the cause.
type Rule = (&'static [&'static str], &'static Cause);

/// The first rule that fits decides.
const ERRORS: [Rule; 3] = [
    (
        &[
            "no module named 'crypto",
            "no module named crypto",
            "pycryptodome",
            "undefined function mcrypt",
            "undefined function openssl",
            "illegal key size",
            "nosuchproviderexception",
            "noclassdeffounderror: org/apache/commons/codec",
        ],
        &status::CRYPTO_MISSING,
    ),
    (
        &[
            "invalid key length",
            "incorrect aes key length",
            "invalid aes key",
            "illegal aes key",
            "invalid aeskey",
            "aes key must be",
            "encodingaeskey invalid",
            "invalid encodingaeskey",
            "not a possible value",
            "invalidlastsymbol",
            "invalid last symbol",
            "incorrect padding",
            "invalidkeyexception",
        ],
        &status::KEY_MALFORMED,
    ),
    (
        &[
            "traceback (most recent call last)",
            "fatal error",
            "parse error",
            "uncaught",
            "stack trace",
            "exception in thread",
            "nullpointerexception",
            "at java.",
            "goroutine ",
            "typeerror:",
            "referenceerror:",
            "whoops, looks like",
        ],
        &status::SCRIPT_ERROR,
    ),
];

/// What codes of Tencent's own classes stand for.
const CODES: [(&str, &Cause); 10] = [
    ("-40001", &body::SDK_SIGNATURE),
    ("-40002", &body::SDK_BODY),
    ("-40003", &body::SDK_ARGUMENTS),
    ("-40004", &body::SDK_KEY),
    ("-40005", &body::SDK_RECEIVE_ID),
    ("-40006", &body::SDK_DECRYPTION),
    ("-40007", &body::SDK_DECRYPTION),
    ("-40008", &body::SDK_DECRYPTION),
    ("-40009", &body::SDK_BASE64),
    ("-40010", &body::SDK_BASE64),
];

const CHALLENGE: [&str; 6] = [
    "cf-browser-verification",
    "challenge-platform",
    "just a moment...",
    "attention required! | cloudflare",
    "captcha",
    "人机验证",
];
const ICP: [&str; 5] = [
    "webblock",
    "未备案",
    "尚未备案",
    "备案信息",
    "non-compliance icp filing",
];
const WAF: [&str; 8] = [
    "safeline",
    "雷池",
    "web application firewall",
    "访问被拦截",
    "请求被拦截",
    "安全拦截",
    "request blocked",
    "has been blocked",
];
const CSRF: [&str; 3] = ["csrf", "page expired", "invalid token (authenticity)"];
const APP: [&str; 6] = [
    "id=\"root\"",
    "id=\"app\"",
    "id=root>",
    "id=app>",
    "type=\"module\"",
    "enable javascript to run this app",
];
const LOGIN: [&str; 2] = ["type=\"password\"", "type='password'"];

/// What the page of an answer is known by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Page {
    /// A human is wanted.
    Challenge,
    /// The hoster's page for names without a filing.
    Icp,
    /// A firewall's.
    Waf,
    /// A framework's, for a form without its token.
    Csrf,
    /// The frame of a single-page app.
    App,
    /// With a field for a password.
    Login,
}

impl Page {
    /// Whether `lower`, a body in lower case, is such a page.
    #[must_use]
    pub fn is(self, lower: &str) -> bool {
        let words: &[&str] = match self {
            Self::Challenge => &CHALLENGE,
            Self::Icp => &ICP,
            Self::Waf => &WAF,
            Self::Csrf => &CSRF,
            Self::App => &APP,
            Self::Login => &LOGIN,
        };
        words.iter().any(|word| lower.contains(word))
    }
}

/// The error that a body, in lower case, tells of.
#[must_use]
pub fn error(lower: &str) -> Option<&'static Cause> {
    let mut rules = ERRORS.iter();
    let rule = rules.find(|(words, _)| words.iter().any(|word| lower.contains(word)));
    rule.map(|(_, cause)| *cause)
}

/// The code of Tencent's classes in a body.
#[must_use]
pub fn code(text: &str) -> Option<&'static Cause> {
    let found = CODES.iter().find(|(code, _)| {
        text.match_indices(code).any(|(at, _)| {
            let behind = text.get(at + code.len()..).unwrap_or_default();
            !behind.starts_with(|c: char| c.is_ascii_digit())
        })
    });
    found.map(|(_, cause)| *cause)
}

/// Whether a body, in lower case, is a page.
#[must_use]
pub fn is_html(lower: &str) -> bool {
    let start = lower.trim_start_matches('\u{feff}').trim_start();
    start.starts_with("<!doctype html") || lower.contains("<html") || lower.contains("<body")
}
