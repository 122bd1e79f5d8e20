//! Compares answers as the corpus' own tool does.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::Value;

use crate::place::{Place, Step};

/// A difference.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) place: Place,
    pub(crate) what: String,
}

/// Places of a recorded answer that are not the same every time.
#[derive(Debug, Default)]
pub(crate) struct Loose {
    pub(crate) volatile: HashSet<Place>,
    pub(crate) unordered: HashSet<Place>,
    pub(crate) optional: HashSet<Place>,
}

/// Brings what comes in any order into one.
pub(crate) fn normalise(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), &mut *member) {
                    ("metadata" | "metrics", Value::Array(rows)) if are_rows(rows) => {
                        sort_ties(rows)
                    }
                    ("controls", Value::Array(rows)) if are_rows(rows) => {
                        rows.sort_by_key(|r| (text(&r["id"]), text(&r["rank"])));
                    }
                    _ => {}
                }
                normalise(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        _ => {}
    }
}

fn are_rows(rows: &[Value]) -> bool {
    !rows.is_empty() && rows.iter().all(|row| row.get("id").is_some())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

fn priority(row: &Value) -> f64 {
    row.get("priority").and_then(Value::as_f64).unwrap_or(0.0)
}

fn sort_ties(rows: &mut [Value]) {
    let mut start = 0;
    while start < rows.len() {
        let mut end = start + 1;
        while end < rows.len()
            && rows[start].get("priority").is_some()
            && priority(&rows[end]) == priority(&rows[start])
        {
            end += 1;
        }
        rows[start..end].sort_by_key(|r| (text(&r["id"]), text(&r["label"])));
        start = end;
    }
}

/// The ids of an array of objects, if they are unique.
fn ids(items: &[Value]) -> Option<Vec<&str>> {
    let ids: Option<Vec<&str>> = items.iter().map(|item| item.get("id")?.as_str()).collect();
    let ids = ids.filter(|ids| !ids.is_empty())?;
    let unique: HashSet<&&str> = ids.iter().collect();
    (unique.len() == ids.len()).then_some(ids)
}

/// Everything in which `actual` is not as `expected`.
pub(crate) fn differences(expected: &Value, actual: &Value, loose: &Loose) -> Vec<Difference> {
    let mut comparison = Comparison {
        loose,
        place: Place::new(),
        found: Vec::new(),
    };
    comparison.compare(expected, actual);
    comparison.found
}

struct Comparison<'l> {
    loose: &'l Loose,
    place: Place,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn found(&mut self, what: String) {
        self.found.push(Difference {
            place: self.place.clone(),
            what,
        });
    }

    fn within(&mut self, step: Step, f: impl FnOnce(&mut Self)) {
        self.place.push(step);
        f(self);
        self.place.pop();
    }

    fn compare(&mut self, expected: &Value, actual: &Value) {
        if self.loose.volatile.contains(&self.place) {
            if std::mem::discriminant(expected) != std::mem::discriminant(actual) {
                self.found("other type".to_owned());
            }
            return;
        }
        match (expected, actual) {
            (Value::Object(a), Value::Object(b)) => {
                let a = a.iter().map(|(k, v)| (k.clone(), v)).collect::<Vec<_>>();
                let b = b.iter().map(|(k, v)| (k.clone(), v)).collect::<Vec<_>>();
                self.compare_members(&a, &b);
            }
            (Value::Array(a), Value::Array(b)) => self.compare_arrays(a, b),
            (Value::Number(a), Value::Number(b)) => {
                if a.as_f64() != b.as_f64() {
                    self.found(format!("expected {a}, got {b}"));
                }
            }
            (a, b) if a == b => {}
            (a, b) => self.found(format!("expected {}, got {}", short(a), short(b))),
        }
    }

    fn compare_members(&mut self, a: &[(String, &Value)], b: &[(String, &Value)]) {
        for (key, expected) in a {
            let actual = b.iter().find(|(k, _)| k == key);
            self.within(Step::Key(key.clone()), |this| match actual {
                Some((_, actual)) => this.compare(expected, actual),
                None if this.loose.optional.contains(&this.place) => {}
                None => this.found(format!("missing, expected {}", short(expected))),
            });
        }
        for (key, actual) in b {
            if a.iter().any(|(k, _)| k == key) {
                continue;
            }
            self.within(Step::Key(key.clone()), |this| {
                if !this.loose.optional.contains(&this.place) {
                    this.found(format!("unexpected {}", short(actual)));
                }
            });
        }
    }

    fn compare_arrays(&mut self, a: &[Value], b: &[Value]) {
        let unordered = self.loose.unordered.contains(&self.place);
        if let (Some(ids_a), Some(ids_b)) = (ids(a), ids(b)) {
            let keyed = |ids: &[&str], items: &'_ [Value]| -> Vec<(String, Value)> {
                let keys = ids.iter().map(|id| format!("#{id}"));
                keys.zip(items.iter().cloned()).collect()
            };
            let (keyed_a, keyed_b) = (keyed(&ids_a, a), keyed(&ids_b, b));
            let members_a: Vec<_> = keyed_a.iter().map(|(k, v)| (k.clone(), v)).collect();
            let members_b: Vec<_> = keyed_b.iter().map(|(k, v)| (k.clone(), v)).collect();
            self.compare_members(&members_a, &members_b);
            let common_a: Vec<_> = ids_a.iter().filter(|id| ids_b.contains(id)).collect();
            let common_b: Vec<_> = ids_b.iter().filter(|id| ids_a.contains(id)).collect();
            if !unordered && common_a != common_b {
                self.found(format!(
                    "other order: expected {common_a:?}, got {common_b:?}"
                ));
            }
            return;
        }
        let sorted = |items: &[Value]| {
            let mut items = items.to_vec();
            items.sort_by(by_text);
            items
        };
        let (sorted_a, sorted_b) = (sorted(a), sorted(b));
        let (a, b) = match unordered {
            true => (&sorted_a[..], &sorted_b[..]),
            false => (a, b),
        };
        if a != b && sorted_a == sorted_b {
            self.found("other order".to_owned());
            return;
        }
        if a.len() != b.len() {
            self.found(format!("expected {} elements, got {}", a.len(), b.len()));
        }
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            self.within(Step::Index(i), |this| this.compare(a, b));
        }
    }
}

fn by_text(a: &Value, b: &Value) -> Ordering {
    a.to_string().cmp(&b.to_string())
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}
