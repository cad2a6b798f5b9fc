//! XML messages as JSON: the same as is made by hand of what a naive reader reads.

use serde_json::{Map, Value};
use wxgate::wechat::Rejection;
use wxgate::wechat::message::to_json;

use super::naive;
use super::naive::xml::{Inside, Node};

const LIST_MEMBERS: &str = "item Item List ApprovalNode NotifyNode Notifyer SpRecord Comments Details SelectedItem OptionId";

/// `data` is a message.
pub fn run(data: &[u8]) {
    let made =
        to_json(data).map(|json| serde_json::from_slice::<Value>(&json).expect("it is JSON"));
    assert_eq!(made, by_hand(data).ok_or(Rejection::MalformedBody));
}

fn by_hand(message: &[u8]) -> Option<Value> {
    let root = naive::xml::read(std::str::from_utf8(message).ok()?)?;
    if root.name != "xml" {
        return None;
    }
    match value(&root)? {
        Value::String(text) if is_blank(&text) => Some(Value::Object(Map::new())),
        Value::Object(mut members) => match members.remove("#text") {
            Some(text) if !is_blank(text.as_str()?) => None,
            _ => Some(Value::Object(members)),
        },
        _ => None,
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| " \t\r\n".contains(c))
}

/// `None` if there is text beside elements.
fn value(node: &Node) -> Option<Value> {
    let mut text = String::new();
    let mut children: Map<String, Value> = Map::new();
    for inside in &node.inside {
        match inside {
            Inside::Text(stretch) => text += stretch,
            Inside::Node(child) => {
                let list = children.entry(child.name.clone());
                let list = list.or_insert_with(|| Value::Array(Vec::new()));
                list.as_array_mut()?.push(value(child)?);
            }
        }
    }
    if !children.is_empty() && !is_blank(&text) {
        return None;
    }
    if children.is_empty() && node.attributes.is_empty() {
        return Some(Value::String(text));
    }
    let mut members: Map<String, Value> = children
        .into_iter()
        .map(|(name, list)| match list {
            Value::Array(mut only)
                if only.len() == 1 && !LIST_MEMBERS.split(' ').any(|member| member == name) =>
            {
                (name, only.remove(0))
            }
            list => (name, list),
        })
        .collect();
    if !text.is_empty()
        && !node
            .inside
            .iter()
            .any(|inside| matches!(inside, Inside::Node(_)))
    {
        members.insert("#text".to_owned(), text.into());
    }
    for (name, value) in &node.attributes {
        members.insert(format!("@{name}"), value.clone().into());
    }
    Some(Value::Object(members))
}
