//! What no well-formed HTTP/2 request head has, and h2 lets through; and how large one may be.

use http::header::{CONTENT_LENGTH, COOKIE};
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Uri};

use crate::config::Limits;
use crate::observe::labels::RefusalLabel;

/// What a field counts for beside its name and value, RFC 9113 section 6.5.2.
const PER_FIELD: usize = 32;
/// The names of the pseudo-fields of a request: `:method`, `:scheme`, `:authority` and `:path`.
const PSEUDO_NAMES: usize = 7 + 7 + 10 + 5;

/// Refuses a head that is malformed or too large.
///
/// # Errors
/// Why, for the counter.
pub fn check<B>(request: &Request<B>, limits: &Limits) -> Result<(), RefusalLabel> {
    let uri = request.uri();
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    if target.len() > limits.request_target {
        return Err(RefusalLabel::TargetTooLong);
    }
    let fields = Fields::of(request.headers());
    if fields.count > limits.request_fields {
        return Err(RefusalLabel::TooManyFields);
    }
    if pseudo_fields(request, target) + fields.size > limits.request_head {
        return Err(RefusalLabel::HeadTooLarge);
    }
    if !is_path(target, request.method()) || !is_http(uri) {
        return Err(RefusalLabel::RequestLine);
    }
    if fields.are_padded {
        return Err(RefusalLabel::Field);
    }
    if fields.lengths > 1 {
        return Err(RefusalLabel::ContentLength);
    }
    Ok(())
}

/// What one look at all fields finds.
#[derive(Default)]
struct Fields {
    /// Cookies count once: a client may send them in pieces (RFC 9113 section 8.2.3), and the upstream gets one field.
    count: usize,
    /// In bytes, of their names and values and [`PER_FIELD`].
    size: usize,
    /// Fields that tell the length of the body.
    lengths: usize,
    /// True if a value of any begins or ends with what it must not.
    are_padded: bool,
}

impl Fields {
    fn of(headers: &HeaderMap) -> Self {
        let mut fields = Self::default();
        let mut cookies: usize = 0;
        for (name, value) in headers {
            fields.size += name.as_str().len() + value.len() + PER_FIELD;
            fields.are_padded |= is_padded(value.as_bytes());
            fields.lengths += usize::from(*name == CONTENT_LENGTH);
            cookies += usize::from(*name == COOKIE);
        }
        fields.count = headers.len() - cookies.saturating_sub(1);
        fields
    }
}

fn pseudo_fields<B>(request: &Request<B>, target: &str) -> usize {
    let uri = request.uri();
    let values = request.method().as_str().len()
        + uri.scheme_str().map_or(0, str::len)
        + uri
            .authority()
            .map_or(0, |authority| authority.as_str().len())
        + target.len();
    values + PSEUDO_NAMES + 4 * PER_FIELD
}

/// RFC 9113 section 8.3.1: a path begins with a slash, but for OPTIONS on the whole server. A CONNECT without one is refused
/// for what it is.
fn is_path(target: &str, method: &Method) -> bool {
    target.starts_with('/')
        || target == "*" && *method == Method::OPTIONS
        || target.is_empty() && *method == Method::CONNECT
}

/// Whoever ends TLS in front of us may say either.
fn is_http(uri: &Uri) -> bool {
    let is = |known: &Scheme| uri.scheme() == Some(known);
    uri.scheme().is_none() || is(&Scheme::HTTPS) || is(&Scheme::HTTP)
}

/// RFC 9113 section 8.2.1.
fn is_padded(value: &[u8]) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    is_blank(value.first()) || is_blank(value.last())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::config::trial::settings;
    use crate::observe::labels::RefusalLabel::{
        self, ContentLength, Field, HeadTooLarge, RequestLine, TargetTooLong, TooManyFields,
    };
    use http::Request;

    type Fields = Vec<(String, String)>;

    fn field(name: &str, value: impl Into<String>) -> Fields {
        vec![(name.to_owned(), value.into())]
    }

    fn fields(count: usize, name: fn(usize) -> String) -> Fields {
        (0..count).map(|n| (name(n), "1".to_owned())).collect()
    }

    fn checked(method: &str, uri: &str, fields: &Fields) -> Result<(), RefusalLabel> {
        let limits =
            settings("limits: {request_target: 64B, request_head: 1KiB, request_fields: 8}\n")
                .live
                .limits;
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        check(&request.body(()).unwrap(), &limits)
    }

    #[test]
    fn a_head_of_the_largest_size_passes_and_no_larger_one() {
        let long = |length: usize| format!("https://a/{}", "x".repeat(length - 1));
        let name = |n| format!("x{n}");
        // 128 for four pseudo-fields, 29 for their names, 10 for GET, https, a and /.
        let left = 1024 - 128 - 29 - 10 - 32 - 1;
        for (uri, fields, wanted) in [
            (long(64), vec![], Ok(())),
            (long(65), vec![], Err(TargetTooLong)),
            (long(1), fields(8, name), Ok(())),
            (long(1), fields(9, name), Err(TooManyFields)),
            (long(1), fields(9, |_| "cookie".to_owned()), Ok(())),
            (long(1), field("x", "y".repeat(left)), Ok(())),
            (long(1), field("x", "y".repeat(left + 1)), Err(HeadTooLarge)),
        ] {
            assert_eq!(checked("GET", &uri, &fields), wanted, "{uri} {fields:?}");
        }
    }

    #[test]
    fn a_malformed_head_is_refused_for_what_it_is() {
        let length = |_| "content-length".to_owned();
        for (method, uri, fields, wanted) in [
            ("OPTIONS", "*", vec![], Ok(())),
            ("GET", "*", vec![], Err(RequestLine)),
            ("GET", "ftp://a/", vec![], Err(RequestLine)),
            ("GET", "http://a/", vec![], Ok(())),
            ("GET", "https://a/", field("x", " y"), Err(Field)),
            ("GET", "https://a/", field("x", "y\t"), Err(Field)),
            ("GET", "https://a/", field("x", "y z"), Ok(())),
            ("GET", "https://a/", field("x", ""), Ok(())),
            ("GET", "https://a/", fields(2, length), Err(ContentLength)),
        ] {
            assert_eq!(checked(method, uri, &fields), wanted, "{method} {uri}");
        }
    }
}
