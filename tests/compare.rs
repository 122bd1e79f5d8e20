//! Compares answers with recorded ones, place by place.
//!
//! Objects are unordered and numbers compared as numbers. What Scope's app itself does in random order is normalised on
//! both sides; other differences between its own runs are marked in the recorded answers (see `corpus/README.md`).

use std::collections::{BTreeMap, HashSet};

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::recorded::Recorded;

/// One step of a place: a key, `#` and the id of an element, or an index.
type Place = Vec<String>;

/// Differences that are intended, from `compat/differences.json`.
#[derive(Debug)]
pub struct Allowed(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    request: Regex,
    place: Regex,
}

#[derive(Deserialize)]
struct Listed {
    request: String,
    place: String,
    reason: String,
}

impl Allowed {
    /// Reads the list.
    ///
    /// # Errors
    /// When it is malformed, or a difference has no reason.
    pub fn read() -> anyhow::Result<Allowed> {
        let path = crate::recorded::folder().join("../compat/differences.json");
        let listed: Vec<Listed> = serde_json::from_slice(&std::fs::read(path)?)?;
        let mut rules = Vec::new();
        for rule in listed {
            anyhow::ensure!(!rule.reason.is_empty(), "{} has no reason", rule.request);
            rules.push(Rule {
                request: Regex::new(&rule.request)?,
                place: Regex::new(&rule.place)?,
            });
        }
        Ok(Allowed(rules))
    }

    fn excuses(&self, request: &str, place: &str) -> bool {
        let excused = |rule: &Rule| rule.request.is_match(request) && rule.place.is_match(place);
        self.0.iter().any(excused)
    }
}

/// What differs from the recorded answer and is not allowed to, in words.
#[must_use]
pub fn differences(
    recorded: &Recorded,
    status: u16,
    body: &Value,
    allowed: &Allowed,
) -> Vec<String> {
    if status != recorded.status {
        if allowed.excuses(&recorded.path, "$status") {
            return Vec::new();
        }
        return vec![format!(
            "status: expected {}, got {status}",
            recorded.status
        )];
    }
    // For errors only the status counts.
    if status != 200 {
        return Vec::new();
    }
    let route = recorded.path.split('?').next().unwrap_or("");
    let body = normalise(body.clone(), route);
    let places = |list: &[Vec<Value>]| list.iter().map(|p| place(p)).collect();
    let mut differ = Differ {
        volatile: places(&recorded.volatile),
        unordered: places(&recorded.unordered),
        optional: places(&recorded.optional),
        found: Vec::new(),
    };
    // Recorded answers are normalised already, but for an order of probes that depends on how text is escaped.
    let expected = normalise(recorded.body.clone(), route);
    differ.compare(&expected, &body, &mut Vec::new());
    let found = differ.found.into_iter();
    found
        .map(|(place, what)| (show(&place), what))
        .filter(|(place, _)| !allowed.excuses(&recorded.path, place))
        .map(|(place, what)| format!("{place}: {what}"))
        .collect()
}

fn place(steps: &[Value]) -> Place {
    let step = |step: &Value| match step {
        Value::String(text) => text.clone(),
        number => number.to_string(),
    };
    steps.iter().map(step).collect()
}

fn show(place: &Place) -> String {
    let plain = |s: &str| {
        let mut chars = s.chars();
        chars
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut out = "$".to_owned();
    for step in place {
        if let Some(id) = step.strip_prefix('#') {
            out.push_str(&format!("[id={id}]"));
        } else if step.bytes().all(|b| b.is_ascii_digit()) && !step.is_empty() {
            out.push_str(&format!("[{step}]"));
        } else if plain(step) {
            out.push_str(&format!(".{step}"));
        } else {
            out.push_str(&format!("[{}]", Value::from(step.as_str())));
        }
    }
    out
}

/// Undoes what the app orders at random.
fn normalise(value: Value, route: &str) -> Value {
    match (route, value) {
        ("/api/probes", Value::Array(mut probes)) => {
            probes.sort_by_key(Value::to_string);
            Value::Array(probes)
        }
        ("/api/report", mut report) => {
            normalise_report(&mut report);
            report
        }
        (_, value) => normalise_rows(value),
    }
}

fn normalise_report(report: &mut Value) {
    let topologies = report
        .as_object_mut()
        .into_iter()
        .flat_map(|r| r.values_mut());
    for topology in topologies {
        let nodes = topology.get_mut("nodes").and_then(Value::as_object_mut);
        for node in nodes.into_iter().flat_map(|n| n.values_mut()) {
            if let Some(active) = node.pointer_mut("/latest/active_controls/value")
                && let Some(text) = active.as_str()
            {
                let mut controls: Vec<_> = text.split(';').collect();
                controls.sort_unstable();
                *active = controls.join(";").into();
            }
            if let Some(children) = node.get_mut("children").and_then(Value::as_array_mut) {
                children.sort_by_key(|c| (c["topology"].to_string(), c["id"].to_string()));
            }
        }
    }
}

fn normalise_rows(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("metadata" | "metrics", Value::Array(rows)) if are_rows(&rows) => {
                        Value::Array(sort_ties(rows))
                    }
                    ("controls", Value::Array(mut rows)) if are_rows(&rows) => {
                        rows.sort_by_key(|r| (text(&r["id"]), r["rank"].to_string()));
                        Value::Array(rows)
                    }
                    (_, value) => value,
                };
                (key, normalise_rows(value))
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(normalise_rows).collect(),
        other => other,
    }
}

fn are_rows(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item.get("id").is_some())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

/// Sorts runs of rows with the same priority by id; rows without one keep their order.
fn sort_ties(rows: Vec<Value>) -> Vec<Value> {
    let priority = |row: &Value| row.get("priority").and_then(Value::as_f64);
    let mut out: Vec<Value> = Vec::with_capacity(rows.len());
    let mut run = 0;
    for row in rows {
        let before = out.last().and_then(priority);
        if before.is_none() || before != priority(&row) {
            run = out.len();
        }
        out.push(row);
        out[run..].sort_by_key(|r| (text(&r["id"]), text(&r["label"])));
    }
    out
}

struct Differ {
    volatile: HashSet<Place>,
    unordered: HashSet<Place>,
    optional: HashSet<Place>,
    found: Vec<(Place, String)>,
}

impl Differ {
    fn add(&mut self, place: &Place, what: String) {
        self.found.push((place.clone(), what));
    }

    fn compare(&mut self, expected: &Value, actual: &Value, place: &mut Place) {
        if self.volatile.contains(place) {
            if kind(expected) != kind(actual) {
                self.add(
                    place,
                    format!("expected {}, got {}", kind(expected), kind(actual)),
                );
            }
            return;
        }
        match (expected, actual) {
            (Value::Object(a), Value::Object(b)) => {
                let a = a.iter().map(|(k, v)| (k.clone(), v)).collect();
                let b = b.iter().map(|(k, v)| (k.clone(), v)).collect();
                self.members(&a, &b, place);
            }
            (Value::Array(a), Value::Array(b)) => self.arrays(a, b, place),
            (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
            (a, b) if a == b => {}
            (a, b) => self.add(place, format!("expected {}, got {}", short(a), short(b))),
        }
    }

    fn members(
        &mut self,
        expected: &BTreeMap<String, &Value>,
        actual: &BTreeMap<String, &Value>,
        place: &mut Place,
    ) {
        for (key, value) in expected {
            place.push(key.clone());
            match actual.get(key) {
                Some(actual) => self.compare(value, actual, place),
                None if self.optional.contains(place) => {}
                None => self.add(place, format!("missing, expected {}", short(value))),
            }
            place.pop();
        }
        for (key, value) in actual {
            place.push(key.clone());
            if !expected.contains_key(key) && !self.optional.contains(place) {
                self.add(place, format!("unexpected {}", short(value)));
            }
            place.pop();
        }
    }

    fn arrays(&mut self, expected: &[Value], actual: &[Value], place: &mut Place) {
        if let (Some(a), Some(b)) = (by_id(expected), by_id(actual)) {
            let ids = |list: &[(String, usize)]| -> Vec<String> {
                list.iter().map(|(id, _)| id.clone()).collect()
            };
            let (a_ids, b_ids) = (ids(&a), ids(&b));
            let a: BTreeMap<_, _> = a.into_iter().map(|(id, i)| (id, &expected[i])).collect();
            let b: BTreeMap<_, _> = b.into_iter().map(|(id, i)| (id, &actual[i])).collect();
            self.members(&a, &b, place);
            let common_a: Vec<_> = a_ids.iter().filter(|id| b.contains_key(*id)).collect();
            let common_b: Vec<_> = b_ids.iter().filter(|id| a.contains_key(*id)).collect();
            if common_a != common_b && !self.unordered.contains(place) {
                self.add(
                    place,
                    format!("other order: {common_a:?}, got {common_b:?}"),
                );
            }
            return;
        }
        let (mut a, mut b) = (expected.to_vec(), actual.to_vec());
        if self.unordered.contains(place) {
            a.sort_by_key(Value::to_string);
            b.sort_by_key(Value::to_string);
        }
        let multiset = |list: &[Value]| {
            let mut list: Vec<_> = list.iter().map(Value::to_string).collect();
            list.sort_unstable();
            list
        };
        if a != b && multiset(&a) == multiset(&b) {
            self.add(place, format!("other order: expected {a:?}, got {b:?}"));
            return;
        }
        if a.len() != b.len() {
            self.add(
                place,
                format!("expected {} elements, got {}", a.len(), b.len()),
            );
        }
        for (i, (a, b)) in a.iter().zip(&b).enumerate() {
            place.push(i.to_string());
            self.compare(a, b, place);
            place.pop();
        }
    }
}

/// The elements' ids with their places, when all have one and no two the same.
fn by_id(items: &[Value]) -> Option<Vec<(String, usize)>> {
    let mut seen = HashSet::new();
    let ids = items.iter().enumerate().map(|(i, item)| {
        let id = item.get("id")?.as_str()?;
        seen.insert(id).then(|| (format!("#{id}"), i))
    });
    let ids: Option<Vec<_>> = ids.collect();
    ids.filter(|ids| !ids.is_empty())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(expected: Value, actual: Value, differs: &[&str]) {
        let recorded = Recorded {
            path: "/api/topology/x".to_owned(),
            status: 200,
            body: expected,
            volatile: vec![vec![json!("v")]],
            unordered: vec![],
            optional: vec![],
        };
        let found = differences(&recorded, 200, &actual, &Allowed(Vec::new()));
        let places: Vec<_> = found.iter().filter_map(|f| f.split(':').next()).collect();
        assert_eq!(places, differs);
    }

    #[test]
    fn differences_are_found_where_they_are() {
        check(json!({"a": 1, "v": 1}), json!({"a": 1.0, "v": 2}), &[]);
        check(json!({"a": 1}), json!({"a": 2}), &["$.a"]);
        check(json!({"a": 1}), json!({"b": 1}), &["$.a", "$.b"]);
        check(
            json!([{"id": "x", "n": 1}]),
            json!([{"id": "x", "n": 2}]),
            &["$[id=x].n"],
        );
        check(
            json!([{"id": "x"}, {"id": "y"}]),
            json!([{"id": "y"}, {"id": "x"}]),
            &["$"],
        );
        check(json!([1, 2]), json!([1]), &["$"]);
        check(json!({"samples": null}), json!({}), &["$.samples"]);
    }

    #[test]
    fn order_of_equal_priorities_does_not_count() {
        let row = |id: &str, priority: i32| json!({"id": id, "priority": priority});
        check(
            json!({"metadata": [row("a", 1), row("b", 1), row("c", 2)]}),
            json!({"metadata": [row("b", 1), row("a", 1), row("c", 2)]}),
            &[],
        );
        check(
            json!({"metadata": [row("a", 1), row("c", 2)]}),
            json!({"metadata": [row("c", 2), row("a", 1)]}),
            &["$.metadata"],
        );
    }
}
