//! Recorded posts are accepted or refused as Scope does, and the merged report is what Scope's `/api/report` said.

#![allow(clippy::unwrap_used)]

#[path = "golden/corpus.rs"]
mod corpus;

use corpus::{Scenario, scenarios};
use report::decode::{Compression, Format, Limits, check, decode, inflate};
use report::encode::{self, Censor};
use report::live::{Live, LiveConfig};
use report::{Report, Symbols, Timestamp};
use serde_json::Value;

const NOW: i64 = 1_800_000_000_000_000_000;

/// Where we differ from Scope on purpose: scenario, end of the place, why.
const INTENDED: &[(&str, &str, &str)] = &[
    (
        "s01-single-host",
        ".reverse",
        "no name of an address is lost",
    ),
    ("s08-oddities", "70003.id", "a node's id is its key"),
    ("s08-oddities", "70007.sets.s", "sets are sorted"),
    ("s08-oddities", "docker_container_ips.0", "sets are sorted"),
    ("s08-oddities", "docker_container_ips.1", "sets are sorted"),
    (
        "s08-oddities",
        "70007.parents.container.0",
        "sets are sorted",
    ),
    (
        "s08-oddities",
        "70007.parents.container.1",
        "sets are sorted",
    ),
    ("s08-oddities", "9001.adjacency", "sets are sorted"),
    (
        "s08-oddities",
        "DNS.10.7.0.1.forward",
        "no name of an address is lost",
    ),
];

fn live(scenario: &Scenario) -> Live {
    let mut live = Live::new(Limits::default(), LiveConfig::default());
    for (i, post) in scenario
        .posts
        .iter()
        .filter(|p| p.expect_status == 200)
        .enumerate()
    {
        let (format, compression) = post.kind.unwrap();
        let body = post.body.clone().into();
        live.push(NOW + i as i64, &post.probe_id, body, format, compression);
    }
    live.refresh(NOW + 1_000_000_000);
    live
}

#[test]
fn bodies_are_accepted_as_recorded() {
    for scenario in scenarios() {
        for post in &scenario.posts {
            let Some((format, compression)) = post.kind else {
                assert_eq!(post.expect_status, 400, "{}", post.file);
                continue;
            };
            let limits = Limits::default();
            let inflated = inflate(&post.body, compression, &limits);
            let checked = inflated
                .clone()
                .and_then(|body| check(&body, format, &limits));
            let decoded =
                inflated.and_then(|body| decode(&body, format, &limits, NOW, &mut Symbols::new()));
            let place = format!("{} {}: {decoded:?}", scenario.name, post.file);
            assert_eq!(decoded.is_ok(), post.expect_status == 200, "{place}");
            assert_eq!(checked.is_ok(), decoded.is_ok(), "{place}");
        }
    }
}

#[test]
fn full_reports_are_told_from_deltas_and_shortcuts() {
    for scenario in scenarios() {
        for post in &scenario.posts {
            let named = |part: &str| post.file.contains(part);
            if !named("-full") && !named("-delta") && !named("-shortcut") {
                continue;
            }
            let (format, compression) = post.kind.unwrap();
            let limits = Limits::default();
            let body = inflate(&post.body, compression, &limits).unwrap();
            let checked = check(&body, format, &limits).unwrap();
            assert_eq!(checked.full, named("-full"), "{}", post.file);
            assert_eq!(checked.shortcut, named("-shortcut"), "{}", post.file);
        }
    }
}

#[test]
fn merged_reports_are_as_recorded() {
    for scenario in scenarios() {
        let live = live(&scenario);
        for (query, censor) in [
            ("/api/report", Censor::default()),
            (
                "/api/report?hideCommandLineArguments=true",
                Censor {
                    command_lines: true,
                    environment: false,
                },
            ),
            (
                "/api/report?hideEnvironmentVariables=true",
                Censor {
                    command_lines: false,
                    environment: true,
                },
            ),
        ] {
            let Some(golden) = scenario.golden.iter().find(|g| g["path"] == query) else {
                continue;
            };
            let mut json = Vec::new();
            encode::json(live.report(), live.symbols(), censor, &mut json);
            let ours: Value = serde_json::from_slice(&json).unwrap();
            let differences = corpus::differences(golden, ours);
            let unintended: Vec<_> = differences
                .iter()
                .filter(|d| !intended(&scenario.name, d))
                .collect();
            assert!(
                unintended.is_empty(),
                "{} {query}: {unintended:#?}",
                scenario.name
            );
        }
    }
}

fn intended(scenario: &str, difference: &str) -> bool {
    let place = difference.split(": ").next().unwrap_or_default();
    INTENDED
        .iter()
        .any(|(name, end, _)| *name == scenario && place.ends_with(end))
}

#[test]
fn what_is_encoded_decodes_to_the_same() {
    for scenario in scenarios() {
        let live = live(&scenario);
        let bytes = |report: &Report, symbols: &Symbols, write: Write| {
            let mut out = Vec::new();
            write(report, symbols, Censor::default(), &mut out);
            out
        };
        let json = bytes(live.report(), live.symbols(), encode::json);
        let msgpack = bytes(live.report(), live.symbols(), encode::msgpack);
        for (body, format) in [(&json, Format::ScopeJson), (&msgpack, Format::ScopeMsgpack)] {
            let mut symbols = Symbols::new();
            let report = decode(body, format, &Limits::default(), NOW, &mut symbols).unwrap();
            let again = bytes(&report, &symbols, encode::json);
            // JSON cannot hold strings that are not UTF-8, which are sorted elsewhere once replaced.
            let value = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap();
            assert!(
                value(&again) == value(&json),
                "{} {format:?}",
                scenario.name
            );
            if format == Format::ScopeMsgpack {
                let again = bytes(&report, &symbols, encode::msgpack);
                assert!(again == msgpack, "{}", scenario.name);
            }
        }
    }
}

type Write = fn(&Report, &Symbols, Censor, &mut Vec<u8>);

#[test]
fn upgrading_twice_changes_nothing() {
    for scenario in scenarios() {
        let mut live = live(&scenario);
        let (report, symbols, _) = live.parts();
        let (mut once, now) = (Report::clone(report), Timestamp::from_unix_nanos(NOW));
        report::upgrade::upgrade(&mut once, symbols, now);
        let mut out = [Vec::new(), Vec::new()];
        encode::json(report, symbols, Censor::default(), &mut out[0]);
        encode::json(&once, symbols, Censor::default(), &mut out[1]);
        assert!(out[0] == out[1], "{}", scenario.name);
    }
}

#[test]
fn uncompressed_bodies_are_what_they_are() {
    let limits = Limits::default();
    let body = inflate(b"\x80", Compression::None, &limits).unwrap();
    assert_eq!(&*body, b"\x80");
}
