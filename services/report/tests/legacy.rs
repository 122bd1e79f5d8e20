//! What old probes sent, and the values that Scope's codec produces.

#![allow(clippy::unwrap_used)]

use report::decode::{Format, Limits, decode};
use report::encode::{self, Censor};
use report::merge::merge;
use report::upgrade::upgrade;
use report::{Kind, Report, Symbols, Timestamp};
use serde_json::{Value, json};

/// 2001-09-09T01:46:40Z.
const NOW: i64 = 1_000_000_000_000_000_000;

fn read(json: &Value, symbols: &mut Symbols) -> Report {
    let body = json.to_string();
    let format = Format::ScopeJson;
    decode(body.as_bytes(), format, &Limits::default(), NOW, symbols).unwrap()
}

fn write(report: &Report, symbols: &Symbols) -> Value {
    let mut out = Vec::new();
    encode::json(report, symbols, Censor::default(), &mut out);
    serde_json::from_slice(&out).unwrap()
}

/// Decodes one host and gives what it has.
fn check_node(sent: Value, place: &str, expected: Value) {
    let mut symbols = Symbols::new();
    let report = read(&json!({"Host": {"nodes": {"h": sent}}}), &mut symbols);
    let written = write(&report, &symbols);
    let found = written.pointer(&format!("/Host/nodes/h/{place}"));
    assert_eq!(found.unwrap_or(&Value::Null), &expected);
}

/// Merges, upgrades, and gives what is at a place.
fn check_upgraded(sent: &[Value], place: &str, expected: Value) {
    let mut symbols = Symbols::new();
    let reports: Vec<Report> = sent.iter().map(|json| read(json, &mut symbols)).collect();
    let mut report = merge(reports.iter(), &mut symbols);
    upgrade(&mut report, &mut symbols, Timestamp::from_unix_nanos(NOW));
    let written = write(&report, &symbols);
    assert_eq!(written.pointer(place).unwrap_or(&Value::Null), &expected);
}

#[test]
fn latest_controls_become_active_controls() {
    check_node(
        json!({"latestControls": {
            "stop": {"timestamp": "2001-01-01T00:00:00Z", "value": {"dead": false}},
            "exec": {"timestamp": "2001-01-01T00:00:05Z", "value": {}},
            "gone": {"timestamp": "2001-01-01T00:00:09Z", "value": {"dead": true}},
            "null": null,
        }, "latest": {"active_controls": {"timestamp": "2001-02-01T00:00:00Z", "value": "old"}}}),
        "latest/active_controls",
        json!({"timestamp": "2001-01-01T00:00:05Z", "value": "exec;null;stop"}),
    );
    check_node(
        json!({"latestControls": {"gone": {"value": {"dead": true}}}}),
        "latest/active_controls",
        json!({"timestamp": "0001-01-01T00:00:00Z", "value": ""}),
    );
    check_node(json!({"latestControls": {}}), "latest", Value::Null);
}

#[test]
fn counters_become_facts() {
    check_node(
        json!({"counters": {"n": 3}}),
        "latest/count_n",
        json!({"timestamp": "2001-09-09T01:46:40Z", "value": "3"}),
    );
    check_node(
        json!({
            "latest": {"count_n": {"timestamp": "2001-01-01T00:00:00Z", "value": "4"}},
            "counters": {"n": 3},
        }),
        "latest/count_n/value",
        json!("7"),
    );
}

#[test]
fn absent_and_null_members_are_the_default() {
    let mut symbols = Symbols::new();
    let report = read(&json!({}), &mut symbols);
    assert_eq!(write(&report, &symbols)["Host"]["shape"], "circle");
    let report = read(&json!({"Host": null, "Pod": {"shape": null}}), &mut symbols);
    assert_eq!(write(&report, &symbols)["Host"], json!({}));
    assert_eq!(write(&report, &symbols)["Pod"]["shape"], Value::Null);
    // Merged, it is what is known of the kind again.
    let report = merge([&report].into_iter(), &mut symbols);
    assert_eq!(write(&report, &symbols)["Host"]["shape"], "circle");
}

#[test]
fn pods_of_replica_sets_become_pods_of_deployments() {
    let report = json!({
        "Pod": {"nodes": {
            "p1": {"parents": {"replica_set": ["r1", "r2", "lost"], "service": ["s"]}},
            "p2": {"parents": {"replica_set": ["lost"]}},
            "p3": {"parents": {"deployment": ["d3"]}},
        }},
        "ReplicaSet": {"nodes": {
            "r1": {"parents": {"deployment": ["d1"]}},
            "r2": {"parents": {"deployment": ["d2"]}},
        }},
    });
    let expected = json!({"deployment": ["d1", "d2"], "service": ["s"]});
    check_upgraded(
        std::slice::from_ref(&report),
        "/Pod/nodes/p1/parents",
        expected,
    );
    check_upgraded(
        std::slice::from_ref(&report),
        "/Pod/nodes/p2/parents",
        Value::Null,
    );
    check_upgraded(
        &[report],
        "/Pod/nodes/p3/parents",
        json!({"deployment": ["d3"]}),
    );
}

#[test]
fn namespaces_are_made_up_where_none_are_reported() {
    let at = "2001-01-01T00:00:00Z";
    let of = |namespace: &str, state: &str| {
        json!({"latest": {
            "kubernetes_namespace": {"timestamp": at, "value": namespace},
            "kubernetes_state": {"timestamp": at, "value": state},
        }})
    };
    let report = json!({
        "Pod": {"nodes": {"p": of("one", "Running"), "q": of("gone", "deleted")}},
        "Service": {"nodes": {"s": of("two", "")}},
        "Job": {"nodes": {"j": of("not looked at", "")}},
    });
    let node = |id: &str, name: &str| {
        json!({
            "id": id, "sets": null, "parents": null, "children": null,
            "latest": {"kubernetes_name": {"timestamp": "2001-09-09T01:46:40Z", "value": name}},
        })
    };
    let expected = json!({
        "one;<namespace>": node("one;<namespace>", "one"),
        "two;<namespace>": node("two;<namespace>", "two"),
    });
    check_upgraded(std::slice::from_ref(&report), "/Namespace/nodes", expected);
    let known = json!({"Namespace": {"nodes": {"n": {"topology": "namespace"}}}});
    check_upgraded(
        &[report, known],
        "/Namespace/nodes/one;<namespace>",
        Value::Null,
    );
}

#[test]
fn names_of_endpoints_become_names_of_addresses() {
    let report = json!({"Endpoint": {"nodes": {
        ";1.2.3.4;80": {"sets": {"snooped_dns_names": ["b", "a"]}},
        ";1.2.3.4;81": {"sets": {"reverse_dns_names": ["r"], "snooped_dns_names": ["a", "c"]}},
        "malformed;": {"sets": {"reverse_dns_names": ["x"]}},
        ";5.6.7.8;80": {"sets": {"other": ["x"]}},
    }}});
    let expected = json!({"1.2.3.4": {"forward": ["a", "b", "c"], "reverse": ["r"]}});
    check_upgraded(&[report], "/DNS", expected);
}

#[test]
fn misnamed_names_count_unless_merged_before() {
    let report = json!({"nodes": {"1.2.3.4": {"forward": ["x"]}}});
    let mut symbols = Symbols::new();
    let mut decoded = read(&report, &mut symbols);
    upgrade(&mut decoded, &mut symbols, Timestamp::default());
    let written = write(&decoded, &symbols);
    assert_eq!(written["DNS"], json!({"1.2.3.4": {"forward": ["x"]}}));
    assert_eq!(written["nodes"], Value::Null);
    check_upgraded(&[report], "/DNS", Value::Null);
}

#[test]
fn no_name_of_an_address_is_lost() {
    let names = |names: &[&str]| json!({"DNS": {"1.2.3.4": {"forward": names}}});
    let more = json!({"DNS": {"1.2.3.4": {"forward": ["x", "y"]}, "9.9.9.9": {}}});
    let expected = json!(["x", "y"]);
    let place = "/DNS/1.2.3.4/forward";
    check_upgraded(
        &[names(&["x"]), names(&["x", "y"])],
        place,
        expected.clone(),
    );
    check_upgraded(
        &[names(&["x", "y"]), names(&["x"])],
        place,
        expected.clone(),
    );
    check_upgraded(&[names(&["x"]), more], place, expected);
}

#[test]
fn a_node_of_two_topologies_is_always_the_same() {
    let host = json!({"Host": {"nodes": {"h": {"topology": "host"}}}});
    let pod = json!({"Host": {"nodes": {"h": {"topology": "pod"}}}});
    check_upgraded(
        &[host.clone(), pod.clone()],
        "/Host/nodes/h/topology",
        json!("pod"),
    );
    check_upgraded(&[pod, host], "/Host/nodes/h/topology", json!("pod"));
}

#[test]
fn children_are_read_and_written_as_scope_does() {
    let children = b"\x91\x86\xa2id\xa3a;1\xa8topology\xa7process\xa4sets\xc0\xa6latest\x81\xa1k\
        \x82\xa9timestamp\xaf\x01\x00\x00\x00\x0e\x77\x91\xfa\xe8\x00\x00\x00\x00\xff\xff\xa5value\
        \xa1A\xa7parents\xc0\xa8children\xc0";
    let head = b"\x81\xa4Host\x81\xa5nodes\x81\xa1h\x81\xa8children";
    let body = [&head[..], children].concat();
    let mut symbols = Symbols::new();
    let format = Format::ScopeMsgpack;
    let report = decode(&body, format, &Limits::default(), NOW, &mut symbols).unwrap();
    let child = &report.topology(Kind::Host).nodes[0].children[0];
    assert_eq!(symbols.bytes(child.id), b"a;1");
    assert_eq!(child.latest[0].timestamp.unix_nanos(), 1_000_000_000_000);
    let mut out = Vec::new();
    encode::msgpack(&report, &symbols, Censor::default(), &mut out);
    let found = out.windows(children.len()).any(|part| part == children);
    assert!(found, "{out:x?}");
    // 29 members, none of the optional ones.
    assert_eq!(out[..3], [0xde, 0, 29]);
}

#[test]
fn what_is_censored_is_not_written() {
    let at = "2001-01-01T00:00:00Z";
    let fact = |value: &str| json!({"timestamp": at, "value": value});
    let report = json!({"Container": {"nodes": {"c": {"latest": {
        "cmdline": fact("a -secret"),
        "docker_container_command": fact("b"),
        "docker_env_PASSWORD": fact("x"),
        "other": fact("a b"),
    }}}}});
    let mut symbols = Symbols::new();
    let report = read(&report, &mut symbols);
    let written = |command_lines, environment| {
        let censor = Censor {
            command_lines,
            environment,
        };
        let mut out = Vec::new();
        encode::json(&report, &symbols, censor, &mut out);
        let json: Value = serde_json::from_slice(&out).unwrap();
        let latest = json["Container"]["nodes"]["c"]["latest"]
            .as_object()
            .unwrap()
            .clone();
        let values: Vec<String> = latest
            .iter()
            .map(|(k, v)| format!("{k}={}", v["value"].as_str().unwrap()))
            .collect();
        values.join(" ")
    };
    assert_eq!(
        written(true, false),
        "cmdline=a docker_container_command=b docker_env_PASSWORD=x other=a b"
    );
    assert_eq!(
        written(false, true),
        "cmdline=a -secret docker_container_command=b other=a b"
    );
}
