//! What stands for bytes in a case's text: one character is one byte, and names in double braces are filled in.
//!
//! | written | becomes |
//! |---|---|
//! | `{{T}}` | the case's id |
//! | `{{SM}}` | the path of a hidden request |
//! | `{{HOST}}` | the host that requests are for |
//! | `{{REP:c:n}}` | `c`, n times |
//! | `{{HDRS:n}}` | n field lines |
//! | `{{CHUNK:x}}` | `x` as one chunk |
//! | `{{BLEN}}` | the length of what follows the first empty line |
//! | `{{GET}}`, `{{POST}}` | a request line and a host, to be gone on with |
//! | `{{CHUNKED}}` | the same with `Transfer-Encoding: chunked`, and the empty line |
//! | `{{NEXT}}` | a whole request for another path |
//! | `{{HIDDEN}}` | the same for the hidden path |

/// The host that requests are for.
pub const HOST: &str = "wx.test";

/// Where hidden requests go: none may ever arrive.
pub const HIDDEN: &str = "/hidden/";

/// Names that stand for others.
const PIECES: [(&str, &str); 5] = [
    ("{{CHUNKED}}", "{{POST}}Transfer-Encoding: chunked\r\n\r\n"),
    ("{{GET}}", "GET /t/{{T}} HTTP/1.1\r\nHost: {{HOST}}\r\n"),
    ("{{POST}}", "POST /t/{{T}} HTTP/1.1\r\nHost: {{HOST}}\r\n"),
    (
        "{{NEXT}}",
        "GET /t/{{T}}/2 HTTP/1.1\r\nHost: {{HOST}}\r\n\r\n",
    ),
    (
        "{{HIDDEN}}",
        "GET {{SM}} HTTP/1.1\r\nHost: {{HOST}}\r\n\r\n",
    ),
];

/// Fills in every name.
pub fn expand(text: &str, id: &str) -> String {
    let whole = |text: String, (name, piece): &(&str, &str)| text.replace(name, piece);
    let text = (PIECES.iter().fold(text.to_owned(), whole))
        .replace("{{T}}", id)
        .replace("{{SM}}", &format!("{HIDDEN}{id}"))
        .replace("{{HOST}}", HOST);
    let text = fill(text, "{{REP:", |inner| {
        let (piece, count) = inner.rsplit_once(':').unwrap();
        piece.repeat(count.parse().unwrap())
    });
    let text = fill(text, "{{HDRS:", |inner| {
        let count: usize = inner.parse().unwrap();
        let line = |number| format!("X-H{number}: v\r\n");
        (0..count).map(line).collect()
    });
    // The other names are gone, so that a chunk ends at the first braces.
    let text = fill(text, "{{CHUNK:", |inner| {
        format!("{:x}\r\n{inner}\r\n", inner.chars().count())
    });
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let length = body.chars().count().to_string();
    text.replace("{{BLEN}}", &length)
}

/// One byte for each character.
pub fn bytes(text: &str) -> Vec<u8> {
    let byte = |character| u8::try_from(u32::from(character)).unwrap();
    text.chars().map(byte).collect()
}

/// One character for each byte.
pub fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Replaces everything from `start` to the next braces by what `make` makes of it.
fn fill(mut text: String, start: &str, make: impl Fn(&str) -> String) -> String {
    while let Some(at) = text.find(start) {
        let inner = at + start.len();
        let end = inner + text[inner..].find("}}").unwrap();
        let made = make(&text[inner..end]);
        text.replace_range(at..end + 2, &made);
    }
    text
}
