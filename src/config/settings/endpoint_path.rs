//! An endpoint's path, in which a segment may stand for the id that a platform puts there.

use percent_encoding::percent_decode_str;

use crate::config::fault::Wrong;
use crate::config::place::Place;

pub(super) const PATH: &str = "allowed is a path such as /wechat, in ASCII (the rest as %XX), without query, fragment, blank or \"//\"";
const PARAMETER: &str = "$APPID$ and $CORPID$ stand for a whole segment, as in /$APPID$/callback";

/// What platforms replace in the URL of a callback by the id of an account or a company.
const PARAMETERS: [&str; 2] = ["$APPID$", "$CORPID$"];
/// Longest id in bytes that such a segment may be.
const LONGEST_ID: usize = 64;

/// A path without a "/" at its end; the root is "".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointPath {
    text: String,
    is_exact: bool,
    loose: LoosePath,
}

/// What is left of a path when all is taken from it that some backend does not look at: letter case, percent-encoding,
/// empty segments, `.` and `..`, parameters behind ";", and `\` for "/".
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoosePath {
    resolved: Vec<String>,
    /// Segment by segment as they were sent, for backends whose `..` and `%2F` are part of an id.
    unresolved: Vec<String>,
}

impl EndpointPath {
    /// Of a path that begins with "/".
    #[must_use]
    pub fn new(path: &str) -> Self {
        let text = path.strip_suffix('/').unwrap_or(path);
        Self {
            text: text.to_owned(),
            is_exact: !text.split('/').any(is_parameter),
            loose: LoosePath::of(text),
        }
    }

    /// As it is configured, but for the "/" at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// For people, to whom the root is "/".
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.text.is_empty() {
            "/"
        } else {
            &self.text
        }
    }

    /// True if no segment of it stands for an id.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// Whether it is the path of a request, which is given without a "/" at its end.
    #[must_use]
    pub fn is(&self, path: &str) -> bool {
        if self.is_exact {
            return self.text == path;
        }
        let mut asked = path.split('/');
        let is_same = |wanted: &str| {
            let segment = asked.next();
            segment.is_some_and(|segment| {
                wanted == segment || (is_parameter(wanted) && is_id(segment))
            })
        };
        self.text.split('/').all(is_same) && asked.next().is_none()
    }

    /// Whether some backend may take `path` for this one. In the place of an id backends take anything.
    #[must_use]
    pub fn may_be(&self, path: &LoosePath) -> bool {
        let is_same = |(wanted, asked): (&String, &String)| {
            let is_parameter = PARAMETERS
                .iter()
                .any(|name| wanted.eq_ignore_ascii_case(name));
            wanted == asked || is_parameter
        };
        let are_same = |wanted: &[String], asked: &[String]| {
            wanted.len() == asked.len() && wanted.iter().zip(asked).all(is_same)
        };
        are_same(&self.loose.resolved, &path.resolved)
            || are_same(&self.loose.unresolved, &path.unresolved)
    }

    /// The same for paths of which one would hide the other.
    pub(super) fn shape(&self) -> String {
        let segment = |segment| {
            if is_parameter(segment) {
                PARAMETERS[0]
            } else {
                segment
            }
        };
        self.text
            .split('/')
            .map(segment)
            .collect::<Vec<_>>()
            .join("/")
    }
}

impl LoosePath {
    /// Of a request's path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let decoded = decoded(path);
        let mut resolved = Vec::new();
        for segment in decoded.split(['/', '\\']).map(without_parameters) {
            match segment {
                "" | "." => {}
                ".." => drop(resolved.pop()),
                segment => resolved.push(segment.to_owned()),
            }
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let unresolved = path.split('/').map(decoded_segment);
        Self {
            resolved,
            unresolved: unresolved.collect(),
        }
    }
}

fn decoded(text: &str) -> String {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    decoded.to_ascii_lowercase()
}

fn decoded_segment(segment: &str) -> String {
    without_parameters(&decoded(segment)).to_owned()
}

fn without_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or_default()
}

pub(super) fn read(place: &Place<'_>) -> Result<EndpointPath, Wrong> {
    let path = place.text()?;
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'?' && byte != b'#';
    let is_path = path.starts_with('/') && !path.contains("//") && path.bytes().all(is_allowed);
    let wrong = || Wrong::found(format!("found {}", place.shown()));
    if !is_path {
        return Err(wrong());
    }
    let is_part = |segment: &str| PARAMETERS.iter().any(|name| segment.contains(name));
    if path
        .split('/')
        .any(|segment| is_part(segment) && !is_parameter(segment))
    {
        return Err(wrong().but(PARAMETER));
    }
    Ok(EndpointPath::new(path))
}

fn is_parameter(segment: &str) -> bool {
    PARAMETERS.contains(&segment)
}

fn is_id(segment: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=LONGEST_ID).contains(&segment.len()) && segment.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::{EndpointPath, LoosePath};
    use crate::config::trial::{fault, settings};

    fn yaml(path: &str) -> String {
        format!(
            "endpoints: [{{name: a, platform: official_account, tokens: abc, path: \"{path}\"}}]\n"
        )
    }

    #[test]
    fn a_slash_at_the_end_of_a_path_does_not_count() {
        for (path, expected) in [
            ("/", ""),
            ("/wx", "/wx"),
            ("/wx/", "/wx"),
            ("/a/b%20/", "/a/b%20"),
        ] {
            let settings = settings(&yaml(path));
            assert_eq!(settings.live.endpoints[0].path.as_str(), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_no_request_has_is_refused() {
        for path in [
            "",
            "wx",
            "//",
            "/wx//",
            "/a//b",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\\tb",
            "/微信",
            "http://a/b",
        ] {
            let fault = fault(&yaml(path));
            assert!(
                fault.starts_with("endpoints[0].path (config.yaml): found \""),
                "{fault}"
            );
        }
    }

    #[test]
    fn a_segment_may_stand_for_an_id() {
        let path = EndpointPath::new("/open/$APPID$/callback/");
        assert!(!path.is_exact());
        for asked in [
            "/open/wx1234567890abcdef/callback",
            "/open/A/callback",
            "/open/$APPID$/callback",
        ] {
            assert!(path.is(asked), "{asked}");
        }
        for asked in [
            "",
            "/open//callback",
            "/open/wx1",
            "/open/wx1/callback/more",
            "/open/wx%31/callback",
            "/open/a.b/callback",
            "/wx1/open/callback",
            "/open/wx1/Callback",
            &format!("/open/{}/callback", "a".repeat(65)),
        ] {
            assert!(!path.is(asked), "{asked}");
        }
        let plain = EndpointPath::new("/$APPID");
        assert!(plain.is_exact() && plain.is("/$APPID") && !plain.is("/wx1"));
    }

    #[test]
    fn what_a_backend_may_take_for_a_path_is_known() {
        let path = EndpointPath::new("/open/$APPID$/callback");
        for asked in [
            "/open/wx1/callback",
            "/OPEN/wx1/Callback",
            "//open/wx1/callback/",
            "/open/wx1/%63allback",
            "/a/../open/wx1/./callback",
            "/open;v=1/wx1/callback;jsessionid=2",
            "/open\\wx1\\callback",
            "/%2e%2e/open%2fwx1/callback",
            "/open/w.x/callback",
            "/open/w%2fx/Callback",
            "/open/../callback",
            "/open/%2e%2E/callback/",
            "/open//callback",
            &format!("/open/{}/callback", "a".repeat(65)),
        ] {
            assert!(path.may_be(&LoosePath::of(asked)), "{asked}");
        }
        for asked in [
            "",
            "/",
            "/open/wx1",
            "/open/wx1/callback/a",
            "/open/w/x/callback",
            "/open/../wx1/callback",
            "/xopen/wx1/callback",
        ] {
            assert!(!path.may_be(&LoosePath::of(asked)), "{asked}");
        }
    }

    #[test]
    fn an_id_within_a_segment_and_two_paths_that_hide_each_other_are_refused() {
        let text = fault(&yaml("/a/wx$APPID$"));
        assert!(
            text.contains("found \"/a/wx$APPID$\"; $APPID$ and $CORPID$ stand for a whole segment"),
            "{text}"
        );
        let two = "endpoints:\n  - {name: a, path: /$APPID$/c, platform: official_account, tokens: abc}\n  \
                   - {name: b, path: /$CORPID$/c/, platform: official_account, tokens: abc}\n";
        assert!(fault(two).contains("the same host and path as endpoints[0].path"));
    }
}
