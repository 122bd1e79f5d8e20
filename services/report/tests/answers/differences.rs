//! Differences that are intended.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

/// What may differ where, and why.
#[derive(Debug)]
pub(crate) struct Differences {
    rules: Vec<Rule>,
    used: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Rule {
    request: Regex,
    place: Regex,
    reason: String,
}

impl Differences {
    pub(crate) fn load(path: &Path) -> Self {
        let text = std::fs::read(path).expect("the list of differences");
        let list: Vec<Value> = serde_json::from_slice(&text).expect("JSON");
        let rules = list.iter().map(|rule| {
            let text = |key: &str| rule[key].as_str().expect("a string").to_owned();
            Rule {
                request: Regex::new(&text("request")).expect("an expression"),
                place: Regex::new(&text("place")).expect("an expression"),
                reason: text("reason"),
            }
        });
        Differences {
            rules: rules.collect(),
            used: BTreeMap::new(),
        }
    }

    pub(crate) fn excuse(&mut self, request: &str, place: &str) -> bool {
        let mut rules = self.rules.iter();
        let rule = rules.find(|r| r.request.is_match(request) && r.place.is_match(place));
        if let Some(rule) = rule {
            *self.used.entry(rule.reason.clone()).or_default() += 1;
        }
        rule.is_some()
    }

    /// How often each was needed.
    pub(crate) fn used(&self) -> &BTreeMap<String, usize> {
        &self.used
    }
}
