//! What a tenant's live state shows as posts come and go.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use report::decode::{Compression, Format, Limits};
use report::live::{Live, LiveConfig};
use report::model::Node;
use report::{Kind, Report};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_600_000_000 * SECOND;

struct Tenant {
    live: Live,
}

impl Tenant {
    fn new(config: LiveConfig) -> Self {
        Tenant {
            live: Live::new(Limits::default(), config),
        }
    }

    /// Posts JSON at a second.
    fn post(&mut self, second: i64, probe: &str, json: &str) {
        let body = json.to_owned().into_bytes().into();
        let at = START + second * SECOND;
        self.live
            .push(at, probe, body, Format::ScopeJson, Compression::None);
    }

    /// Hosts at a second: id, and `?` if only deltas mention it, `~` if it is stale.
    fn hosts(&mut self, second: i64) -> String {
        let refreshed = self.live.refresh(START + second * SECOND);
        assert_eq!(refreshed, self.live.refresh(START + second * SECOND));
        let mut hosts: Vec<String> = Vec::new();
        for host in &self.live.report().topology(Kind::Host).nodes {
            let id = self.live.symbols().str(host.id).unwrap();
            let part = if host.topology.is_empty() { "?" } else { "" };
            let stale = if host.stale { "~" } else { "" };
            hosts.push(format!("{id}{part}{stale}"));
        }
        hosts.sort();
        hosts.join(" ")
    }

    fn node(&self, id: &str) -> &Arc<Node> {
        let id = self.live.symbols().find(id).unwrap();
        self.live.report().topology(Kind::Host).node(id).unwrap()
    }
}

/// A full report of hosts.
fn full(hosts: &[&str]) -> String {
    let node = |id: &&str| format!(r#""{id}":{{"id":"{id}","topology":"host"}}"#);
    let nodes: Vec<String> = hosts.iter().map(node).collect();
    format!(
        r#"{{"Window":3,"Host":{{"shape":"circle","nodes":{{{}}}}}}}"#,
        nodes.join(",")
    )
}

/// A delta that mentions hosts.
fn delta(hosts: &[&str]) -> String {
    let node = |id: &&str| format!(r#""{id}":{{"metrics":{{"m":{{"min":0,"max":1}}}}}}"#);
    let nodes: Vec<String> = hosts.iter().map(node).collect();
    format!(
        r#"{{"Window":3,"Host":{{"nodes":{{{}}}}}}}"#,
        nodes.join(",")
    )
}

#[test]
fn anonymous_posts_expire_with_the_window() {
    let mut tenant = Tenant::new(LiveConfig::default());
    assert_eq!(tenant.hosts(0), "");
    tenant.post(0, "", &full(&["a"]));
    tenant.post(3, "", &full(&["b"]));
    assert_eq!(tenant.hosts(14), "a b");
    assert_eq!(tenant.live.next_expiry(), Some(START + 15 * SECOND));
    assert_eq!(tenant.hosts(15), "b");
    assert!(tenant.live.has_reports(START + 17 * SECOND));
    assert_eq!(tenant.hosts(18), "");
    assert!(!tenant.live.has_reports(START + 18 * SECOND));
    assert_eq!(tenant.live.next_expiry(), None);
}

#[test]
fn late_probes_are_stale_and_then_gone() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &full(&["a"]));
    tenant.post(0, "q", &full(&["b"]));
    assert_eq!(tenant.hosts(14), "a b");
    tenant.post(14, "q", &full(&["b"]));
    assert_eq!(tenant.hosts(15), "a~ b");
    assert_eq!(tenant.live.next_expiry(), Some(START + 29 * SECOND));
    assert_eq!(tenant.hosts(29), "a~ b~");
    assert_eq!(tenant.hosts(30), "b~");
    assert_eq!(tenant.hosts(44), "");
}

#[test]
fn what_comes_back_is_fresh() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &full(&["a"]));
    assert_eq!(tenant.hosts(20), "a~");
    tenant.post(21, "p", &delta(&["a"]));
    assert_eq!(tenant.hosts(21), "a");
}

#[test]
fn what_another_probe_reports_is_fresh() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &full(&["a", "b"]));
    tenant.post(10, "q", &full(&["b"]));
    assert_eq!(tenant.hosts(20), "a~ b");
}

#[test]
fn stale_probes_cover_no_time() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &full(&["a"]));
    tenant.post(9, "q", &full(&["b"]));
    tenant.hosts(10);
    assert_eq!(tenant.live.report().window, 6);
    tenant.hosts(20);
    assert_eq!(tenant.live.report().window, 3);
}

#[test]
fn deltas_are_completed_by_the_last_full_report() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &full(&["a", "b"]));
    for second in [3, 6, 9, 12, 15, 18, 21, 24, 27] {
        tenant.post(second, "p", &delta(&["a"]));
    }
    assert_eq!(tenant.hosts(14), "a b");
    assert_eq!(tenant.hosts(27), "a b");
    // Five deltas are in the window; what completes them covers no time.
    assert_eq!(tenant.live.report().window, 5 * 3);
    assert_eq!(tenant.hosts(29), "a b");
    assert_eq!(tenant.hosts(30), "a?");
}

#[test]
fn a_full_report_ends_what_was_before() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &full(&["a"]));
    tenant.post(9, "p", &full(&["b"]));
    tenant.post(18, "p", &delta(&["b"]));
    assert_eq!(tenant.hosts(14), "a b");
    assert_eq!(tenant.hosts(15), "b");
    assert_eq!(tenant.hosts(25), "b");
}

#[test]
fn deltas_without_a_full_report_are_part_merged() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &delta(&["a"]));
    assert_eq!(tenant.hosts(1), "a?");
    tenant.post(2, "p", &full(&["a"]));
    assert_eq!(tenant.hosts(2), "a");
}

#[test]
fn a_settled_moment_stays_as_it_is() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", &full(&["a"]));
    tenant.post(14, "q", &full(&["b"]));
    assert_eq!(tenant.hosts(16), "a~ b");
    let (before, expiry) = (tenant.live.heap_bytes(), tenant.live.next_expiry());
    tenant.live.settle();
    assert!(tenant.live.heap_bytes() < before);
    assert_eq!(tenant.live.next_expiry(), expiry);
    assert!(tenant.live.has_reports(START + 16 * SECOND));
    tenant.post(17, "p", &full(&["c"]));
    assert_eq!(tenant.hosts(17), "a~ b");
    assert_eq!(tenant.hosts(90), "a~ b");
}

#[test]
fn generations_follow_changes() {
    let mut tenant = Tenant::new(LiveConfig::default());
    let mut generations = Vec::new();
    tenant.post(0, "p", &full(&["a"]));
    tenant.post(1, "q", &full(&["b"]));
    for second in [1, 2, 14, 15, 16, 29, 30, 31, 32] {
        generations.push(tenant.live.refresh(START + second * SECOND).generation);
    }
    assert_eq!(generations, [1, 1, 1, 2, 3, 3, 4, 5, 5]);
}

#[test]
fn what_is_no_report_is_ignored() {
    let mut tenant = Tenant::new(LiveConfig::default());
    tenant.post(0, "p", "no JSON");
    tenant.post(0, "p", &full(&["a"]));
    tenant.post(1, "q", "{");
    assert_eq!(tenant.hosts(1), "a");
}

#[test]
fn too_many_nodes_are_thinned_the_same_everywhere() {
    let config = || LiveConfig {
        max_nodes_per_topology: 2,
        ..LiveConfig::default()
    };
    let containers = |ids: &[&str]| {
        full(ids)
            .replace("Host", "Container")
            .replace("host", "container")
    };
    let mut shown = Vec::new();
    for order in [["c", "a", "b", "d"], ["d", "b", "a", "c"]] {
        let mut tenant = Tenant::new(config());
        tenant.post(0, "p", &containers(&order));
        tenant.live.refresh(START);
        assert_eq!(tenant.live.dropped(), &[(Kind::Container, 2)]);
        let nodes = &tenant.live.report().topology(Kind::Container).nodes;
        assert!(nodes.is_sorted_by(|a, b| a.id < b.id));
        let id = |n: &Arc<Node>| tenant.live.symbols().str(n.id).unwrap().to_owned();
        let mut ids: Vec<String> = nodes.iter().map(id).collect();
        ids.sort();
        shown.push(ids);
    }
    assert_eq!(shown[0], ["a", "b"]);
    assert_eq!(shown[0], shown[1]);
    // Two hosts may have twice as many.
    let mut tenant = Tenant::new(config());
    tenant.post(0, "p", &containers(&["a", "b", "c", "d"]));
    tenant.post(0, "q", &full(&["h", "i"]));
    tenant.live.refresh(START);
    assert!(tenant.live.dropped().is_empty());
}

#[test]
fn symbols_are_renewed_and_memory_stays_flat() {
    let config = LiveConfig {
        litter_bytes: 10_000,
        ..LiveConfig::default()
    };
    let mut tenant = Tenant::new(config);
    let mut most = 0;
    for second in 0..3000 {
        let ids: Vec<String> = (0..20).map(|i| format!("host-{second}-{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        tenant.post(second, "p", &full(&ids));
        tenant.live.refresh(START + second * SECOND);
        assert_eq!(
            tenant.live.report().topology(Kind::Host).nodes.len(),
            20 * (second.min(14) as usize + 1)
        );
        if second > 100 {
            most = most.max(tenant.live.symbols().heap_bytes());
        }
    }
    assert!(most < 100_000, "{most}");
    let refreshed = tenant.live.refresh(START + 3000 * SECOND);
    assert!(
        refreshed.epoch > 10 && refreshed.epoch < 200,
        "{refreshed:?}"
    );
    assert_eq!(
        tenant.node("host-2999-0").id,
        tenant.live.symbols().find("host-2999-0").unwrap()
    );
}

#[test]
fn a_wrong_clock_does_not_win_forever() {
    let fact = |time: &str, value: &str| {
        format!(
            r#"{{"Host":{{"shape":"circle","nodes":{{"h":{{"id":"h","topology":"host","latest":{{"k":{{"timestamp":"{time}","value":"{value}"}}}}}}}}}}}}"#
        )
    };
    // START is 2020-09-13T12:26:40Z.
    let mut tenant = Tenant::new(LiveConfig::default());
    let value = |tenant: &mut Tenant, second| {
        tenant.live.refresh(START + second * SECOND);
        let symbols = tenant.live.symbols();
        let entry = *tenant
            .node("h")
            .latest_entry(symbols.find("k").unwrap())
            .unwrap();
        (
            symbols.str(entry.value).unwrap().to_owned(),
            entry.timestamp.unix_nanos(),
        )
    };
    tenant.post(0, "fast", &fact("2030-01-01T00:00:00Z", "old"));
    tenant.post(5, "right", &fact("2020-09-13T12:26:44Z", "new"));
    assert_eq!(value(&mut tenant, 5).0, "new");
    tenant.post(6, "fast", &fact("2030-01-01T00:00:06Z", "newer"));
    let (newer, shown) = value(&mut tenant, 6);
    assert_eq!(newer, "newer");
    // It is shown as it was sent.
    assert_eq!(shown, 1_893_456_006 * SECOND);
}

#[test]
fn one_post_at_a_time_comes_to_the_same_as_all_at_once() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus");
    for scenario in [
        "s02-two-hosts-docker",
        "s03-k8s-small",
        "s10-nat-and-internet",
    ] {
        let json = std::fs::read(dir.join(scenario).join("scenario.json")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let mut step = Live::new(Limits::default(), LiveConfig::default());
        let mut posts = Vec::new();
        for (i, post) in json["posts"].as_array().unwrap().iter().enumerate() {
            let file = dir.join(scenario).join(post["file"].as_str().unwrap());
            let probe = post["headers"]["X-Scope-Probe-Id"]
                .as_str()
                .unwrap()
                .to_owned();
            posts.push((
                START + i as i64 * SECOND * 2,
                probe,
                std::fs::read(file).unwrap(),
            ));
        }
        let push = |live: &mut Live, (at, probe, body): &(i64, String, Vec<u8>)| {
            let body = body.clone().into();
            live.push(*at, probe, body, Format::ScopeMsgpack, Compression::Gzip);
        };
        for now in 0..posts.len() as i64 * 2 + 35 {
            let now = START + now * SECOND;
            for post in posts.iter().filter(|p| p.0 == now) {
                push(&mut step, post);
            }
            step.refresh(now);
            let mut once = Live::new(Limits::default(), LiveConfig::default());
            for post in posts.iter().filter(|p| p.0 <= now) {
                push(&mut once, post);
            }
            once.refresh(now);
            assert!(json_of(&step) == json_of(&once), "{scenario} at {now}");
        }
    }
}

fn json_of(live: &Live) -> Vec<u8> {
    let mut out = Vec::new();
    let report: &Report = live.report();
    report::encode::json(
        report,
        live.symbols(),
        report::encode::Censor::default(),
        &mut out,
    );
    out
}

#[test]
fn wrong_clocks_do_not_make_steps_differ_from_all_at_once() {
    let fact = |id: &str, time: &str, value: &str| {
        let latest = format!(r#"{{"k":{{"timestamp":"{time}","value":"{value}"}}}}"#);
        format!(
            r#"{{"Host":{{"shape":"circle","nodes":{{"{id}":{{"topology":"host","latest":{latest}}}}}}}}}"#
        )
    };
    // START is 2020-09-13T12:26:40Z.
    let posts = [
        (0, "fast", fact("h", "2030-01-01T00:00:00Z", "fast")),
        (1, "other", fact("o", "2020-09-13T12:26:41Z", "other")),
        (2, "third", fact("t", "2020-09-13T12:26:42Z", "third")),
        (3, "right", fact("h", "2020-09-13T12:26:43Z", "right")),
        (4, "fast", fact("x", "2020-09-13T12:26:44Z", "fast")),
    ];
    let mut step = Tenant::new(LiveConfig::default());
    for i in 0..posts.len() {
        let (second, probe, json) = &posts[i];
        step.post(*second, probe, json);
        step.live.refresh(START + second * SECOND);
        let mut once = Tenant::new(LiveConfig::default());
        for (second, probe, json) in &posts[..=i] {
            once.post(*second, probe, json);
        }
        once.live.refresh(START + second * SECOND);
        assert!(json_of(&step.live) == json_of(&once.live), "{i}");
    }
}
