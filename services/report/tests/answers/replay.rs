//! A recorded scenario: what was posted, what was asked, what was answered.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use report::decode::{Compression, Format, Limits};
use report::live::{Live, LiveConfig};
use report::scope_json;
use report::view::View;
use serde_json::Value;

use crate::compare::{self, Loose};
use crate::differences::Differences;
use crate::place;
use crate::request::Request;

const NOW: i64 = 1_800_000_000_000_000_000;

pub(crate) struct Scenario {
    pub(crate) name: String,
    path: PathBuf,
    live: Live,
}

/// How a scenario went.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) equal: usize,
    pub(crate) skipped: usize,
    pub(crate) failures: Vec<String>,
}

impl Scenario {
    pub(crate) fn load(path: &Path) -> Self {
        let text = std::fs::read(path.join("scenario.json")).expect("a scenario");
        let scenario: Value = serde_json::from_slice(&text).expect("JSON");
        let config = LiveConfig {
            max_nodes_per_topology: 0,
            ..LiveConfig::default()
        };
        let mut live = Live::new(Limits::default(), config);
        let posts = scenario["posts"].as_array().expect("posts");
        for (post, at) in posts.iter().zip(NOW..) {
            if post["expect_status"] != 200 {
                continue;
            }
            let header = |name: &str| post["headers"][name].as_str().unwrap_or_default();
            let body = std::fs::read(path.join(post["file"].as_str().expect("a file")));
            let format = match header("Content-Type").starts_with("application/json") {
                true => Format::ScopeJson,
                false => Format::ScopeMsgpack,
            };
            let compression = match header("Content-Encoding").contains("gzip") {
                true => Compression::Gzip,
                false => Compression::None,
            };
            let probe = header("X-Scope-Probe-Id");
            live.push(at, probe, body.expect("a body").into(), format, compression);
        }
        live.refresh(NOW + 1000);
        let name = path.file_name().expect("a name").to_string_lossy();
        Scenario {
            name: name.into_owned(),
            path: path.to_owned(),
            live,
        }
    }

    pub(crate) fn run(&mut self, differences: &mut Differences) -> Outcome {
        let file = std::fs::read(self.path.join("golden.jsonl.gz")).expect("recorded answers");
        let mut text = String::new();
        let mut gzip = flate2::read::MultiGzDecoder::new(&file[..]);
        gzip.read_to_string(&mut text).expect("text");
        let (report, symbols, _) = self.live.parts();
        let mut view = View::new(report.clone(), symbols);
        let mut outcome = Outcome::default();
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            let path = entry["path"].as_str().expect("a path");
            let request = Request::parse(path);
            if matches!(request, Request::Report) {
                outcome.skipped += 1;
                continue;
            }
            let answer = answer(&mut view, symbols, &request);
            let found = check(&entry, &request, answer.as_deref(), differences);
            if found.is_empty() {
                outcome.equal += 1;
            } else {
                let found = found.iter().take(12).map(|f| format!("\n      {f}"));
                outcome
                    .failures
                    .push(format!("  {path}{}", found.collect::<String>()));
            }
        }
        outcome
    }
}

/// `None`: 404.
fn answer(view: &mut View, symbols: &mut report::Symbols, request: &Request) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match request {
        Request::Topologies(selection) => {
            let topologies = view.topologies(symbols, selection);
            scope_json::write_topologies(&mut out, &topologies);
        }
        Request::Topology(id, selection) => {
            scope_json::write_topology(&mut out, view.topology(symbols, id, selection)?);
        }
        Request::Node(id, node, selection) => {
            let details = view.node(symbols, id, node, selection)?;
            scope_json::write_node(&mut out, id, &details);
        }
        Request::Probes => scope_json::write_probes(&mut out, &view.probes(symbols)),
        Request::Details => scope_json::write_plugins(&mut out, &view.plugins(symbols)),
        Request::HasReports => out.extend_from_slice(b"true"),
        Request::Report | Request::NotFound | Request::Malformed => return None,
    }
    Some(out)
}

fn check(
    entry: &Value,
    request: &Request,
    answer: Option<&[u8]>,
    differences: &mut Differences,
) -> Vec<String> {
    let path = entry["path"].as_str().expect("a path");
    let status = match (answer, request) {
        (Some(_), _) => 200,
        (None, Request::Malformed) => 400,
        (None, _) => 404,
    };
    if entry["status"] != status {
        return match differences.excuse(path, "$status") {
            true => Vec::new(),
            false => vec![format!(
                "status: expected {}, got {status}",
                entry["status"]
            )],
        };
    }
    let Some(answer) = answer else {
        return Vec::new();
    };
    let mut actual: Value = match serde_json::from_slice(answer) {
        Ok(actual) => actual,
        Err(error) => return vec![format!("not JSON: {error}")],
    };
    compare::normalise(&mut actual);
    let places = |key: &str| {
        let list = entry[key].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().map(place::parse).collect()
    };
    let loose = Loose {
        volatile: places("volatile"),
        unordered: places("unordered"),
        optional: places("optional"),
    };
    let expected = match request {
        Request::Details => &entry["body"]["plugins"],
        _ => &entry["body"],
    };
    if matches!(request, Request::Probes) {
        sort_probes(&mut actual);
    }
    compare::differences(expected, &actual, &loose)
        .into_iter()
        .map(|difference| (place::show(&difference.place), difference.what))
        .filter(|(place, _)| !differences.excuse(path, place))
        .map(|(place, what)| format!("{place}: {what}"))
        .collect()
}

/// As the recordings are sorted: by the text of each probe with sorted keys.
fn sort_probes(probes: &mut Value) {
    if let Value::Array(probes) = probes {
        probes.sort_by_cached_key(|probe| {
            let member = |key: &str| ascii(&probe[key].to_string());
            (
                member("hostname"),
                member("id"),
                member("lastSeen"),
                member("version"),
            )
        });
    }
}

/// With everything else escaped.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => out.push(char::from(byte)),
            None => out += &format!("\\u{unit:04x}"),
        }
    }
    out
}
