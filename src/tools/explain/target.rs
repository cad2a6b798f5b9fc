//! What a line of some log, a request line or a URL says was asked for.

/// The host, path and query that were asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Target {
    /// Of a URL, in lower case and without its port.
    pub(super) host: Option<String>,
    pub(super) path: String,
    pub(super) query: String,
    /// Whether it was asked for by POST.
    pub(super) is_post: bool,
}

const METHODS: [&str; 7] = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"];

impl Target {
    /// The target in `line` that stands behind a method, else the first with a query, else the first.
    pub(super) fn find(line: &str) -> Option<Self> {
        // Some JSON writers escape what HTML would take for markup.
        let line = [("\\u0026", "&"), ("\\u003c", "<"), ("\\u003e", ">")]
            .into_iter()
            .fold(line.to_owned(), |line, (escaped, c)| {
                line.replace(escaped, c)
            });
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | ',');
        let words: Vec<&str> = line.split(is_end).filter(|word| !word.is_empty()).collect();
        let requested = words.windows(2).find_map(|pair| match pair {
            [method, word] if METHODS.contains(method) => Self::read(word),
            _ => None,
        });
        let mut found = requested.or_else(|| {
            let mut found: Vec<Self> = words.iter().filter_map(|word| Self::read(word)).collect();
            let with_query = found.iter().position(|target| !target.query.is_empty());
            (!found.is_empty()).then(|| found.swap_remove(with_query.unwrap_or(0)))
        })?;
        let methods = words
            .iter()
            .map(|word| word.strip_prefix("method=").unwrap_or(word));
        found.is_post = methods.into_iter().find(|word| METHODS.contains(word)) == Some("POST");
        Some(found)
    }

    fn read(word: &str) -> Option<Self> {
        let word = without_markup(word);
        // `name=` of a text log stands before it.
        let word = match word.split_once('=') {
            Some((name, rest)) if is_name(name) && is_target(rest) => rest,
            _ => word,
        };
        if !is_target(word) {
            return None;
        }
        let (host, target) = match word.split_once("://") {
            Some((_, rest)) => {
                let (authority, target) =
                    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(name_of(authority)), target)
            }
            None => (None, word),
        };
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Some(Self {
            host,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: query.to_owned(),
            is_post: false,
        })
    }
}

/// Without tags around it. What an access log does not show stands there as `<120 bytes>`, which is none.
fn without_markup(word: &str) -> &str {
    let word = word.trim_start_matches('<');
    let is_tag = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
    let mut parts = word.match_indices('<');
    let tag = parts.find(|(at, _)| is_tag(word.get(at + 1..).unwrap_or_default()));
    tag.and_then(|(at, _)| word.get(..at)).unwrap_or(word)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_target(word: &str) -> bool {
    let is_path = word.starts_with('/') && !word.starts_with("//");
    is_path || word.starts_with("http://") || word.starts_with("https://")
}

fn name_of(authority: &str) -> String {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_target_is_found_in_every_kind_of_line() {
        let nginx = r#"101.226.103.72 - - [21/Nov/2026:10:00:00 +0800] "GET /wx?signature=a&echostr=1 HTTP/1.0" 404 162 "-" "Mozilla/4.0""#;
        let table = [
            (nginx, None, "/wx", "signature=a&echostr=1"),
            ("GET /wx/?a=1 HTTP/1.1", None, "/wx/", "a=1"),
            (
                "https://WX.example.com:8443/wx?a=1#b",
                Some("wx.example.com"),
                "/wx",
                "a=1",
            ),
            (
                "http://wx.example.com?a=1",
                Some("wx.example.com"),
                "/",
                "a=1",
            ),
            (
                "INFO access client=1.2.3.4:5 target=/wx?signature=*** status=403",
                None,
                "/wx",
                "signature=***",
            ),
            (
                r#"{"path":"/x","target":"/wx?a=1\u0026b=2","ms":1}"#,
                None,
                "/wx",
                "a=1&b=2",
            ),
            (
                r#"INFO access target="/wx?<120 bytes>" status=403"#,
                None,
                "/wx",
                "<120",
            ),
            ("<td>https://a.cn/wx?a=1</td>", Some("a.cn"), "/wx", "a=1"),
            ("<https://a.cn/wx?a=1>", Some("a.cn"), "/wx", "a=1"),
            ("/wx", None, "/wx", ""),
            (
                r#""GET /wx HTTP/1.0" 200 "https://a.cn/?b=1""#,
                None,
                "/wx",
                "",
            ),
        ];
        for (line, host, path, query) in table {
            let expected = Target {
                host: host.map(str::to_owned),
                path: path.to_owned(),
                query: query.to_owned(),
                is_post: false,
            };
            assert_eq!(Target::find(line), Some(expected), "{line}");
        }
        for line in ["", "hello", "wx?a=1", "//a/b", "a=b"] {
            assert_eq!(Target::find(line), None, "{line}");
        }
    }
}
