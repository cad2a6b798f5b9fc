//! The XML that platforms send (`docs/protocol.md`, section "Messages"), character by character.

/// An element.
#[derive(Debug)]
pub struct Node {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub inside: Vec<Inside>,
}

/// What is in an element: other elements, and stretches of text, CDATA sections and references, each by itself.
#[derive(Debug)]
pub enum Inside {
    Node(Node),
    Text(String),
}

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The root, if the whole of `text` is such a document.
pub fn read(text: &str) -> Option<Node> {
    if text.contains('\0') {
        return None;
    }
    let rest = match text.strip_prefix("<?") {
        Some(rest) => {
            let (declaration, rest) = rest.split_once("?>")?;
            is_declaration(declaration).then_some(rest)?
        }
        None => text,
    };
    let mut reader = Reader {
        rest: rest.trim_start_matches(BLANKS),
        elements: 0,
    };
    let root = reader.node(1)?;
    reader.rest.trim_matches(BLANKS).is_empty().then_some(root)
}

/// Against all that there may be.
fn is_declaration(text: &str) -> bool {
    let words: Vec<_> = text.split(BLANKS).filter(|word| !word.is_empty()).collect();
    let quoted =
        |name: &str, value: &str| ['"', '\''].map(|quote| format!(" {name}={quote}{value}{quote}"));
    let spelling = |bits: usize| -> String {
        let letters = "utf".chars().enumerate();
        let cased = letters.map(|(at, c)| match bits >> at & 1 {
            0 => c,
            _ => c.to_ascii_uppercase(),
        });
        cased.chain("-8".chars()).collect()
    };
    let mut encodings: Vec<_> = (0..8)
        .flat_map(|bits| quoted("encoding", &spelling(bits)))
        .collect();
    encodings.push(String::new());
    let mut ends: Vec<_> = ["yes", "no"]
        .into_iter()
        .flat_map(|answer| quoted("standalone", answer))
        .collect();
    ends.push(String::new());
    let given = words.join(" ");
    quoted("version", "1.0").iter().any(|version| {
        let mut encodings = encodings.iter();
        encodings.any(|encoding| {
            let mut ends = ends.iter();
            ends.any(|end| given == format!("xml{version}{encoding}{end}"))
        })
    })
}

struct Reader<'a> {
    rest: &'a str,
    elements: usize,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, start: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(start)?;
        Some(())
    }

    fn until(&mut self, end: &str) -> Option<&'a str> {
        let (inside, rest) = self.rest.split_once(end)?;
        self.rest = rest;
        Some(inside)
    }

    /// Whether there was one.
    fn blanks(&mut self) -> bool {
        let rest = self.rest.trim_start_matches(BLANKS);
        let were_there = rest.len() < self.rest.len();
        self.rest = rest;
        were_there
    }

    fn name(&mut self) -> Option<&'a str> {
        let is_first = |c: char| c.is_alphabetic() || c == '_';
        let is_other = |c: char| c.is_alphanumeric() || "_-.".contains(c);
        let length = self.rest.find(|c| !is_other(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        name.starts_with(is_first).then_some(name)
    }

    fn node(&mut self, depth: usize) -> Option<Node> {
        self.elements += 1;
        if depth > 32 || self.elements > 16_384 {
            return None;
        }
        self.skip("<")?;
        let name = self.name()?;
        let mut node = Node {
            name: name.to_owned(),
            attributes: self.attributes()?,
            inside: Vec::new(),
        };
        if self.skip("/>").is_some() {
            return Some(node);
        }
        self.skip(">")?;
        while self.skip("</").is_none() {
            let inside = self.inside(depth)?;
            node.inside.push(inside);
        }
        self.skip(name)?;
        self.blanks();
        self.skip(">")?;
        Some(node)
    }

    fn inside(&mut self, depth: usize) -> Option<Inside> {
        if self.skip("<![CDATA[").is_some() {
            return Some(Inside::Text(lines(self.until("]]>")?)));
        }
        if self.rest.starts_with('<') {
            return self.node(depth + 1).map(Inside::Node);
        }
        if self.skip("&").is_some() {
            let name = self.until(";")?;
            return Some(Inside::Text(reference(name)?));
        }
        let length = self.rest.find(['<', '&'])?;
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        (!text.contains("]]>")).then(|| Inside::Text(lines(text)))
    }

    fn attributes(&mut self) -> Option<Vec<(String, String)>> {
        let begin = self.rest;
        let mut found: Vec<(String, String)> = Vec::new();
        // Behind the first, quick-xml does without the blank: only what is signed may have attributes at all.
        while (self.blanks() || !found.is_empty()) && !self.rest.starts_with(['>', '/']) {
            let name = self.name()?;
            self.blanks();
            self.skip("=")?;
            self.blanks();
            let quote = if self.rest.starts_with('"') {
                "\""
            } else {
                "'"
            };
            self.skip(quote)?;
            let value = value(self.until(quote)?)?;
            if found.iter().any(|(other, _)| other == name) {
                return None;
            }
            found.push((name.to_owned(), value));
        }
        let length = begin.len() - self.rest.len();
        (found.is_empty() || length <= 4096).then_some(found)
    }
}

/// An attribute's value: white space as blanks, references resolved.
fn value(raw: &str) -> Option<String> {
    let mut rest = &*lines(raw).replace(['\t', '\n'], " ");
    let mut value = String::new();
    while let Some((before, behind)) = rest.split_once('&') {
        let (name, after) = behind.split_once(';')?;
        value += before;
        value += &reference(name)?;
        rest = after;
    }
    value += rest;
    (!raw.contains('<')).then_some(value)
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

fn reference(name: &str) -> Option<String> {
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let number = name.strip_prefix('#')?;
            let (digits, radix) = match number.strip_prefix('x') {
                Some(digits) => (digits, 16),
                None => (number, 10),
            };
            let is_number = digits.chars().all(|digit| digit.is_digit(radix));
            let code = is_number.then(|| u32::from_str_radix(digits, radix).ok())??;
            char::from_u32(code).filter(|character| *character != '\0')?
        }
    };
    Some(character.into())
}
