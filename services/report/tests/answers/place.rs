//! Where in an answer something is.

use serde_json::Value;

/// A step on the way to a place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    /// A key, or `#` and the id of an array's element.
    Key(String),
    Index(usize),
}

/// A way from the top of an answer.
pub(crate) type Place = Vec<Step>;

/// A place as the recordings write it.
pub(crate) fn parse(value: &Value) -> Place {
    let steps = value.as_array().expect("a place");
    let steps = steps.iter().map(|step| match step {
        Value::String(key) => Step::Key(key.clone()),
        index => Step::Index(index.as_u64().expect("an index") as usize),
    });
    steps.collect()
}

/// A place as it is shown to people and matched by expressions.
pub(crate) fn show(place: &[Step]) -> String {
    let mut out = "$".to_owned();
    for step in place {
        match step {
            Step::Index(i) => out += &format!("[{i}]"),
            Step::Key(key) if key.starts_with('#') => out += &format!("[id={}]", &key[1..]),
            Step::Key(key) if is_identifier(key) => out += &format!(".{key}"),
            Step::Key(key) => out += &format!("[{}]", Value::String(key.clone())),
        }
    }
    out
}

fn is_identifier(key: &str) -> bool {
    let mut chars = key.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
