//! The recorded cases of `tests/corpus`, and how to compare answers with them.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use report::decode::{Compression, Format};
use serde_json::Value;

pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) posts: Vec<Post>,
    pub(crate) golden: Vec<Value>,
}

pub(crate) struct Post {
    pub(crate) file: String,
    pub(crate) probe_id: String,
    pub(crate) body: Vec<u8>,
    /// None if the headers name no format of ours.
    pub(crate) kind: Option<(Format, Compression)>,
    pub(crate) expect_status: u64,
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus");
    let mut dirs: Vec<_> = root
        .read_dir()
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    dirs.retain(|dir| dir.join("scenario.json").exists());
    dirs.sort();
    assert!(!dirs.is_empty());
    dirs.iter().map(|dir| scenario(dir)).collect()
}

fn scenario(dir: &Path) -> Scenario {
    let json: Value =
        serde_json::from_slice(&std::fs::read(dir.join("scenario.json")).unwrap()).unwrap();
    let mut golden = String::new();
    let file = std::fs::File::open(dir.join("golden.jsonl.gz")).unwrap();
    GzDecoder::new(file).read_to_string(&mut golden).unwrap();
    Scenario {
        name: json["name"].as_str().unwrap().to_owned(),
        posts: json["posts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| post(dir, p))
            .collect(),
        golden: golden
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect(),
    }
}

fn post(dir: &Path, json: &Value) -> Post {
    let header = |name: &str| {
        json["headers"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let file = json["file"].as_str().unwrap().to_owned();
    let content = header("Content-Type");
    let format = if content.starts_with("application/msgpack") {
        Some(Format::ScopeMsgpack)
    } else if content.starts_with("application/json") {
        Some(Format::ScopeJson)
    } else {
        None
    };
    let compression = match header("Content-Encoding").contains("gzip") {
        true => Compression::Gzip,
        false => Compression::None,
    };
    Post {
        body: std::fs::read(dir.join(&file)).unwrap(),
        probe_id: header("X-Scope-Probe-Id"),
        kind: format.map(|format| (format, compression)),
        expect_status: json["expect_status"].as_u64().unwrap(),
        file,
    }
}

/// Where an answer of `/api/report` differs from the recorded one, one line per place.
pub(crate) fn differences(golden: &Value, mut ours: Value) -> Vec<String> {
    normalise(&mut ours);
    let places = |name: &str| golden[name].as_array().cloned().unwrap_or_default();
    let mut differ = Differ {
        volatile: places("volatile"),
        optional: places("optional"),
        path: Vec::new(),
        found: Vec::new(),
    };
    differ.compare(&golden["body"], &ours);
    differ.found
}

/// Active controls are in no order.
fn normalise(report: &mut Value) {
    let topologies = report
        .as_object_mut()
        .into_iter()
        .flat_map(|r| r.values_mut());
    let nodes = topologies.filter_map(|t| t.get_mut("nodes")?.as_object_mut());
    for node in nodes.flat_map(|n| n.values_mut()) {
        if let Some(Value::String(ids)) = node.pointer_mut("/latest/active_controls/value") {
            let mut sorted: Vec<&str> = ids.split(';').collect();
            sorted.sort_unstable();
            *ids = sorted.join(";");
        }
    }
}

struct Differ {
    volatile: Vec<Value>,
    optional: Vec<Value>,
    path: Vec<String>,
    found: Vec<String>,
}

impl Differ {
    fn is_in(&self, places: &[Value]) -> bool {
        let same = |place: &Value| {
            let place = place.as_array().into_iter().flatten();
            place
                .map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned))
                .eq(self.path.iter().cloned())
        };
        places.iter().any(same)
    }

    fn add(&mut self, what: &str, expected: &Value, found: &Value) {
        let mut text = format!(
            "{}: {what}: expected {expected}, found {found}",
            self.path.join(".")
        );
        if text.len() > 600 {
            let end = (0..=600).rev().find(|i| text.is_char_boundary(*i)).unwrap();
            text.truncate(end);
        }
        self.found.push(text);
    }

    fn compare(&mut self, expected: &Value, found: &Value) {
        match (expected, found) {
            _ if self.is_in(&self.volatile) => {
                if std::mem::discriminant(expected) != std::mem::discriminant(found) {
                    self.add("type", expected, found);
                }
            }
            (Value::Object(a), Value::Object(b)) => {
                let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    self.path.push(key.clone());
                    match (a.get(key), b.get(key)) {
                        (Some(a), Some(b)) => self.compare(a, b),
                        _ if self.is_in(&self.optional) => {}
                        (a, b) => {
                            let null = Value::Null;
                            self.add("presence", a.unwrap_or(&null), b.unwrap_or(&null));
                        }
                    }
                    self.path.pop();
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    self.path.push(i.to_string());
                    self.compare(a, b);
                    self.path.pop();
                }
            }
            (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
            _ if expected == found => {}
            _ => self.add("value", expected, found),
        }
    }
}
