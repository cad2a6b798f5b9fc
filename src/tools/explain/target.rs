//! What a line of some log, a request line or a URL says was asked for.

/// The host, path and query that were asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Target {
    /// Of a URL, in lower case and without its port.
    pub(super) host: Option<String>,
    pub(super) path: String,
    pub(super) query: String,
}

impl Target {
    /// The first target in `line`: the one with a query, if several look like one.
    pub(super) fn find(line: &str) -> Option<Self> {
        // Some JSON writers escape what HTML would take for markup.
        let line = line.replace("\\u0026", "&");
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ',');
        let found: Vec<Self> = line.split(is_end).filter_map(Self::read).collect();
        let with_query = found.iter().find(|target| !target.query.is_empty());
        with_query.or(found.first()).cloned()
    }

    fn read(word: &str) -> Option<Self> {
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
        })
    }
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
            ("/wx", None, "/wx", ""),
        ];
        for (line, host, path, query) in table {
            let expected = Target {
                host: host.map(str::to_owned),
                path: path.to_owned(),
                query: query.to_owned(),
            };
            assert_eq!(Target::find(line), Some(expected), "{line}");
        }
        for line in ["", "hello", "wx?a=1", "//a/b", "a=b"] {
            assert_eq!(Target::find(line), None, "{line}");
        }
    }
}
