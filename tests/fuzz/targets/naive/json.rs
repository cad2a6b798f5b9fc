//! The one `Encrypt` of a JSON object, character by character.

/// Its text, if the whole of `text` is an object with one.
pub fn encrypt(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text };
    let members = reader.object()?;
    reader.blanks();
    if members.iter().any(|(name, _)| name.contains('\0')) {
        return None;
    }
    let mut ours = members
        .into_iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("encrypt"));
    let (name, value) = ours.next()?;
    let is_ours = name == "Encrypt" || name == "encrypt";
    (is_ours && reader.rest.is_empty() && ours.next().is_none()).then_some(value?)
}

struct Reader<'a> {
    rest: &'a str,
}

/// Names with the text of strings; whatever else there is has none.
type Members = Vec<(String, Option<String>)>;

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// `mark` with blanks in front of it.
    fn skip(&mut self, mark: &str) -> Option<()> {
        self.blanks();
        self.rest = self.rest.strip_prefix(mark)?;
        Some(())
    }

    fn object(&mut self) -> Option<Members> {
        self.skip("{")?;
        let mut members = Vec::new();
        if self.skip("}").is_some() {
            return Some(members);
        }
        loop {
            self.skip("\"")?;
            let name = self.string()?;
            self.skip(":")?;
            members.push((name, self.value()?));
            if self.skip(",").is_none() {
                self.skip("}")?;
                return Some(members);
            }
        }
    }

    fn value(&mut self) -> Option<Option<String>> {
        self.blanks();
        if self.skip("\"").is_some() {
            return self.string().map(Some);
        }
        self.other()?;
        Some(None)
    }

    /// What is no string.
    fn other(&mut self) -> Option<()> {
        if self.rest.starts_with('{') {
            return self.object().map(|_| ());
        }
        if self.skip("[").is_some() {
            if self.skip("]").is_some() {
                return Some(());
            }
            loop {
                self.value()?;
                if self.skip(",").is_none() {
                    return self.skip("]");
                }
            }
        }
        let words = ["null", "true", "false"];
        match words.iter().find(|word| self.rest.starts_with(*word)) {
            Some(word) => self.skip(word),
            None => self.number(),
        }
    }

    fn digits(&mut self) -> Option<&str> {
        let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let (digits, _) = self.rest.split_at(self.rest.len() - rest.len());
        self.rest = rest;
        (!digits.is_empty()).then_some(digits)
    }

    fn one_of(&mut self, marks: &[char]) -> bool {
        let rest = self.rest.strip_prefix(marks);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn number(&mut self) -> Option<()> {
        self.one_of(&['-']);
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        if self.one_of(&['.']) {
            self.digits()?;
        }
        if self.one_of(&['e', 'E']) {
            self.one_of(&['+', '-']);
            self.digits()?;
        }
        Some(())
    }

    /// Behind its first quote.
    fn string(&mut self) -> Option<String> {
        let mut units = Vec::new();
        loop {
            let character = self.take()?;
            match character {
                '"' => return String::from_utf16(&units).ok(),
                '\\' => units.push(self.escape()?),
                '\0'..='\u{1f}' => return None,
                other => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let first = characters.next();
        self.rest = characters.as_str();
        first
    }

    fn escape(&mut self) -> Option<u16> {
        let unit = match self.take()? {
            'b' => 8,
            't' => 9,
            'n' => 10,
            'f' => 12,
            'r' => 13,
            character @ ('"' | '\\' | '/') => character as u16,
            'u' => {
                let digits: String = (0..4).map_while(|_| self.take()).collect();
                let is_hex = digits.len() == 4 && digits.chars().all(|c| c.is_ascii_hexdigit());
                return is_hex.then(|| u16::from_str_radix(&digits, 16).ok())?;
            }
            _ => return None,
        };
        Some(unit)
    }
}
