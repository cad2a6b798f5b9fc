//! An element with what is in it, and how it is written as JSON.

use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Elements that platforms repeat as members of a list: always an array, also when there is one.
/// `docs/protocol.md`, section "Messages", says which messages have them.
const LIST_MEMBERS: [&str; 11] = [
    "item",
    "Item",
    "List",
    "ApprovalNode",
    "NotifyNode",
    "Notifyer",
    "SpRecord",
    "Comments",
    "Details",
    "SelectedItem",
    "OptionId",
];

/// An element; its name stands with its parent.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// In their order, each name once.
    pub(super) attributes: Vec<(String, String)>,
    /// Its text; empty if it has children.
    pub(super) text: String,
    children: Children,
}

/// Elements by name, the names in the order of their first occurrence.
#[derive(Debug, Default)]
struct Children {
    by_name: Vec<(String, Vec<Element>)>,
    /// Where each name is, so that many names take no longer than as many repetitions of one.
    places: HashMap<String, usize>,
}

impl Element {
    pub(super) fn has_children(&self) -> bool {
        !self.children.by_name.is_empty()
    }

    pub(super) fn push(&mut self, name: String, child: Self) {
        let Children { by_name, places } = &mut self.children;
        let place = places.get(&name).and_then(|place| by_name.get_mut(*place));
        if let Some((_, same)) = place {
            same.push(child);
        } else {
            places.insert(name.clone(), by_name.len());
            by_name.push((name, vec![child]));
        }
    }

    /// Writes it as an object, whatever is in it.
    pub(super) fn as_object<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        for (name, value) in &self.attributes {
            members.serialize_entry(&format!("@{name}"), value)?;
        }
        if !self.text.is_empty() {
            members.serialize_entry("#text", &self.text)?;
        }
        for (name, same) in &self.children.by_name {
            match same.as_slice() {
                [only] if !LIST_MEMBERS.contains(&name.as_str()) => {
                    members.serialize_entry(name, only)?;
                }
                _ => members.serialize_entry(name, same)?,
            }
        }
        members.end()
    }
}

impl Serialize for Element {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.attributes.is_empty() && !self.has_children() {
            serializer.serialize_str(&self.text)
        } else {
            self.as_object(serializer)
        }
    }
}
