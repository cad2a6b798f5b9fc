//! A place in the merged tree: the value, its key path and its origin. The typed reader of everything.
//!
//! Readers of one value return a [`Wrong`]; [`Section`] turns it into a fault with key, origin and what is allowed.

use std::borrow::Cow;

use figment::value::{Dict, Num, Value};

use super::defaults;
use super::fault::{Fault, Faults, Wrong};
use super::layers::Config;
use super::spelling::nearest;

/// Longer values are cut in messages.
const SHOWN_CHARACTERS: usize = 80;

/// One value and where it stands.
#[derive(Clone)]
pub(super) struct Place<'c> {
    config: &'c Config,
    value: &'c Value,
    key: String,
}

impl<'c> Place<'c> {
    /// The whole tree.
    pub(super) fn root(config: &'c Config) -> Self {
        Self {
            config,
            value: config.root(),
            key: String::new(),
        }
    }

    /// The path of this place, such as `endpoints[0].path`.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn config(&self) -> &'c Config {
        self.config
    }

    pub(super) fn value(&self) -> &'c Value {
        self.value
    }

    /// Whether nothing stands here (`key:`).
    pub(super) fn is_null(&self) -> bool {
        matches!(self.value, Value::Empty(..))
    }

    /// What is wrong here, as the operator reads it.
    pub(super) fn fault(&self, wrong: Wrong, allowed: &str) -> Fault {
        let origin = self.config.origin(self.value.tag());
        Fault::new(self.key.clone(), origin, wrong, allowed)
    }

    /// The value as messages show it. Never ask this of a place that may hold a secret.
    pub(super) fn shown(&self) -> String {
        match self.value {
            Value::String(_, text) => quoted(text),
            value => scalar(value).map_or_else(|| kind(value), Cow::into_owned),
        }
    }

    /// Text, and nothing else: an unquoted number may have lost its leading zeros.
    pub(super) fn text(&self) -> Result<&'c str, Wrong> {
        match self.value {
            Value::String(_, text) => Ok(text),
            Value::Num(..) | Value::Bool(..) => Err(Wrong::found(format!(
                "found {} {} where text belongs, put it in quotes",
                kind(self.value),
                self.shown()
            ))),
            other => Err(Wrong::found(format!("found {}", kind(other)))),
        }
    }

    /// A word, number or switch, as text. The environment gives numbers as text, YAML as numbers.
    pub(super) fn word(&self) -> Result<Cow<'c, str>, Wrong> {
        scalar(self.value).ok_or_else(|| Wrong::found(format!("found {}", kind(self.value))))
    }

    /// What `parse` makes of the word here.
    pub(super) fn parse<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Wrong> {
        parse(&self.word()?).ok_or_else(|| Wrong::found(format!("found {}", self.shown())))
    }

    /// A switch: `on`, `off`, `true` or `false`.
    pub(super) fn switch(&self) -> Result<bool, Wrong> {
        self.parse(|word| match word {
            "on" | "true" => Some(true),
            "off" | "false" => Some(false),
            _ => None,
        })
    }

    /// The places in a list.
    pub(super) fn items(&self) -> Result<Vec<Self>, Wrong> {
        let Value::Array(_, items) = self.value else {
            return Err(Wrong::found(format!("found {}", kind(self.value))));
        };
        let place = |(index, value)| Self {
            config: self.config,
            value,
            key: format!("{}[{index}]", self.key),
        };
        Ok(items.iter().enumerate().map(place).collect())
    }

    /// The names and places in a map whose keys are not ours.
    pub(super) fn entries(&self) -> Result<Vec<(&'c str, Self)>, Wrong> {
        let dict = self.dict()?;
        Ok(dict
            .iter()
            .map(|(name, value)| (name.as_str(), self.child(&shown_key(name), value)))
            .collect())
    }

    fn dict(&self) -> Result<&'c Dict, Wrong> {
        self.value
            .as_dict()
            .ok_or_else(|| Wrong::found(format!("found {}", kind(self.value))))
    }

    fn child(&self, name: &str, value: &'c Value) -> Self {
        let key = if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        };
        Self {
            config: self.config,
            value,
            key,
        }
    }
}

/// A map whose keys are ours.
pub(super) struct Section<'c> {
    place: Place<'c>,
    dict: &'c Dict,
}

impl<'c> Section<'c> {
    /// Opens the map at `place`, with a fault for each key in it that is not among `keys`.
    pub(super) fn open(place: Place<'c>, keys: &[&str], faults: &mut Faults) -> Option<Self> {
        let allowed = format!("allowed are the keys {}", keys.join(", "));
        let dict = place.dict().map_err(|wrong| place.fault(wrong, &allowed));
        let dict = faults.keep(dict)?;
        for (name, value) in dict
            .iter()
            .filter(|(name, _)| !keys.contains(&name.as_str()))
        {
            let found = match suggestion(&place, name, keys) {
                Some(meant) => format!("unknown key (did you mean {meant}?)"),
                None => "unknown key".to_owned(),
            };
            faults.push(
                place
                    .child(&shown_key(name), value)
                    .fault(Wrong::found(found), &allowed),
            );
        }
        Some(Self { place, dict })
    }

    /// The place of the map itself.
    pub(super) fn place(&self) -> &Place<'c> {
        &self.place
    }

    /// The place of a key, if it was written.
    pub(super) fn get(&self, key: &str) -> Option<Place<'c>> {
        self.dict.get(key).map(|value| self.place.child(key, value))
    }

    /// The place of a key that must be there.
    pub(super) fn required(
        &self,
        key: &str,
        allowed: &str,
        faults: &mut Faults,
    ) -> Option<Place<'c>> {
        let place = self.get(key);
        if place.is_none() {
            let key = self.place.child(key, self.place.value).key;
            let origin = self.place.config.origin(self.place.value.tag());
            faults.push(Fault::new(key, origin, Wrong::found("missing"), allowed));
        }
        place
    }

    /// What `read` makes of a key that must be there.
    pub(super) fn read<T>(
        &self,
        key: &str,
        allowed: &str,
        faults: &mut Faults,
        read: impl FnOnce(&Place<'c>) -> Result<T, Wrong>,
    ) -> Option<T> {
        let place = self.required(key, allowed, faults)?;
        faults.keep(read(&place).map_err(|wrong| place.fault(wrong, allowed)))
    }
}

/// What the value is, without the value.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::String(_, text) => format!("text of {} characters", text.chars().count()),
        Value::Char(..) => "text of 1 character".to_owned(),
        Value::Bool(..) => "the switch".to_owned(),
        Value::Num(..) => "the number".to_owned(),
        Value::Empty(..) => "nothing".to_owned(),
        Value::Dict(..) => "a map".to_owned(),
        Value::Array(_, items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(..) => "a list".to_owned(),
    }
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(_, text) => Some(Cow::Borrowed(text)),
        Value::Char(_, c) => Some(Cow::Owned(c.to_string())),
        Value::Bool(_, switch) => Some(Cow::Owned(switch.to_string())),
        Value::Num(_, number) => Some(Cow::Owned(digits(*number))),
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}

fn digits(number: Num) -> String {
    match (number.to_u128(), number.to_i128(), number.to_f64()) {
        (Some(n), _, _) => n.to_string(),
        (_, Some(n), _) => n.to_string(),
        (_, _, Some(n)) => n.to_string(),
        (None, None, None) => String::new(),
    }
}

/// Text in quotes, with control characters made visible, cut where it gets long.
fn quoted(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARACTERS {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN_CHARACTERS).collect();
    format!("{start:?}… ({} characters)", text.chars().count())
}

/// An unknown key as messages show it: a line that lost its `key:` may have made a key of anything.
fn shown_key(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if name.chars().all(is_plain) && name.len() <= SHOWN_CHARACTERS {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn suggestion(place: &Place<'_>, name: &str, keys: &[&str]) -> Option<String> {
    if let Some(near) = nearest(name, keys) {
        return Some(near.to_owned());
    }
    let levels = defaults::with_levels(name).filter(|_| place.key.is_empty())?;
    let variable = levels.replace('.', "__").to_ascii_uppercase();
    Some(format!("{levels}, as a variable WXGATE_{variable}"))
}
