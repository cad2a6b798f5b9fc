//! What looks like a verification, of a path that is no endpoint's: the URL in the console, or the one configured, is
//! miswritten. It goes the way of any other request; only, it is told.

use http::{Method, Request};
use memchr::memmem;

use super::caller::Caller;
use super::host::Host;
use crate::observe::exchange::Observer;
use crate::observe::redact::{self, Show};
use crate::wechat::Verification;

/// Longest path and host that are shown, in characters.
const LONGEST: usize = 256;

/// Whether a request has all that a verification has.
#[must_use]
pub fn is_verification<B>(request: &Request<B>) -> bool {
    let Some(query) = request.uri().query() else {
        return false;
    };
    *request.method() == Method::GET
        && memmem::find(query.as_bytes(), b"echostr=").is_some()
        && matches!(Verification::parse(query), Ok(Some(_)))
}

/// Counts it, remembers it for the status page, and logs it now and then.
pub fn tell<B>(request: &Request<B>, host: &Host, caller: &Caller, observer: &Observer) {
    let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let path = cut(&redact::target(request.uri().path(), None, Show::NamesOnly));
    let host = host.as_str().map(cut);
    observer.metrics.verification.strayed();
    observer
        .recent
        .strayed(&path, host.as_deref(), caller.address);
    if observer.stray.is_due() {
        tracing::warn!(
            path,
            host,
            client = %caller.address,
            cause = "收到像是 URL 验证的请求，但没有端点对应这个路径和域名：请核对后台填写的 URL 与 endpoints 里的 path、host。",
            cause_en = "this looks like a verification, but no endpoint has this path and host: compare the URL in the console with path and host of the endpoints.",
            runbook = "docs/runbook.zh-CN.md#stray",
            "verification of an unknown path"
        );
    }
}
