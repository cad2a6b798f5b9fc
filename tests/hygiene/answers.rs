//! What came back to the client, read as far as the judge needs it.

/// A final response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// False while its body has not come to its end.
    pub is_whole: bool,
}

/// The final responses in `bytes`, interim ones left out; `is_closed` is true if no more bytes will come.
pub fn read(bytes: &[u8], is_closed: bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut rest = bytes;
    while let Some(head) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
        let lines = String::from_utf8_lossy(&rest[..head]).to_ascii_lowercase();
        rest = &rest[head + 4..];
        let Some(status) = status(&lines) else {
            break;
        };
        if (100..200).contains(&status) {
            continue;
        }
        let body = length(&lines, rest);
        let is_whole = body.is_some_and(|length| length <= rest.len()) || is_closed;
        answers.push(Answer { status, is_whole });
        if !is_whole {
            break;
        }
        rest = &rest[body.unwrap_or(rest.len()).min(rest.len())..];
    }
    answers
}

fn status(head: &str) -> Option<u16> {
    let line = head.lines().next()?.strip_prefix("http/1.")?;
    line.split(' ').nth(1)?.parse().ok()
}

/// The length of a body with its framing; `None` if only the end of the connection ends it, or if it has not all come.
fn length(head: &str, rest: &[u8]) -> Option<usize> {
    let field = |name| {
        let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find_map(|(field, value)| (field == name).then(|| value.trim()))
    };
    if field("transfer-encoding").is_some() {
        let end = rest.windows(5).position(|window| window == b"0\r\n\r\n");
        return end.map(|at| at + 5);
    }
    field("content-length")?.parse().ok()
}
