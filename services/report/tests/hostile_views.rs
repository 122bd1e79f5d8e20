//! Reports that no probe sends: rendering them must end, soon, and without a panic.

#[allow(dead_code)]
#[path = "scenarios/scene.rs"]
mod scene;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use scene::Scene;
use serde_json::json;

/// Far more than any of these needs, even on a busy machine without optimisation.
const SOON: Duration = Duration::from_secs(60);

fn check(report: &serde_json::Value) {
    check_text(&report.to_string());
}

fn check_text(report: &str) {
    let started = Instant::now();
    Scene::new(&[report]).every_topology();
    assert!(started.elapsed() < SOON, "took {:?}", started.elapsed());
}

fn fact(value: &str) -> serde_json::Value {
    json!({"timestamp": "2026-11-22T15:00:00Z", "value": value})
}

#[test]
fn copies_of_each_other_are_followed_once() {
    let endpoint = |copy_of: &str, to: &[&str]| {
        json!({"topology": "endpoint", "adjacency": to,
               "latest": {"copy_of": fact(copy_of), "pid": fact("1"), "host_node_id": fact("h;<host>")}})
    };
    check(&json!({
        "Endpoint": {"nodes": {
            ";1.1.1.1;1": endpoint(";1.1.1.1;2", &[";1.1.1.1;1", ";1.1.1.1;2", ";1.1.1.1;3", ";gone;1"]),
            ";1.1.1.1;2": endpoint(";1.1.1.1;1", &[";1.1.1.1;1"]),
            ";1.1.1.1;3": endpoint(";1.1.1.1;3", &[";1.1.1.1;3"]),
        }},
        "Process": {"nodes": {"h;1": {"topology": "process", "adjacency": ["h;1"]}}},
        "Host": {"nodes": {"h;<host>": {"topology": "host"}}},
    }));
}

#[test]
fn nodes_can_be_their_own_parents() {
    let own = |topology: &str, id: &str| {
        let parents = [
            "host",
            "container",
            "container_image",
            "pod",
            "service",
            "deployment",
            "job",
            "ecs_task",
            "ecs_service",
            "swarm_service",
        ];
        let parents = parents.map(|p| (p.to_owned(), json!([id, ""])));
        let parents: serde_json::Map<_, _> = parents.into_iter().collect();
        json!({id: {"topology": topology, "parents": parents, "adjacency": [id, ""],
                    "latest": {"docker_container_id": fact(""), "docker_image_id": fact(""),
                               "docker_image_name": fact("::"), "name": fact("")}},
               "": {"topology": topology, "parents": parents, "adjacency": [id, ""]}})
    };
    check(&json!({
        "Process": {"nodes": own("process", "x")},
        "Container": {"nodes": own("container", "x")},
        "ContainerImage": {"nodes": own("container_image", ";<container_image>")},
        "Pod": {"nodes": own("pod", "x")},
        "Service": {"nodes": own("service", "x")},
        "Deployment": {"nodes": own("deployment", "x")},
        "Job": {"nodes": own("job", "x")},
        "ECSTask": {"nodes": own("ecs_task", "x")},
        "ECSService": {"nodes": own("ecs_service", "x")},
        "SwarmService": {"nodes": own("swarm_service", "x")},
        "Host": {"nodes": own("host", "x")},
        "Overlay": {"nodes": own("overlay", "x")},
        "Endpoint": {"nodes": own("endpoint", "x")},
    }));
}

#[test]
fn topologies_can_be_mistaken() {
    let node = |topology: &str| json!({"topology": topology, "latest": {"docker_container_id": fact("x")}});
    check(&json!({
        "Process": {"nodes": {"a": node("pseudo"), "b": node("endpoint"), "c": node("group:process:name"),
                              "d": node("group:"), "e": node("container"), "f": node("nonsense")}},
        "Container": {"nodes": {"x;<container>": node("process"), "in-theinternet": node("container"),
                                "pseudo:uncontained:": node("container")}},
        "Host": {"nodes": {"h": node("pseudo"), "service-x": node("endpoint")}},
    }));
}

#[test]
fn everything_can_connect_to_one_node() {
    let mut nodes = String::new();
    let mut targets = String::new();
    for i in 0..100_000 {
        let (a, b, c) = (i >> 16, i >> 8 & 255, i & 255);
        let _ = write!(
            nodes,
            r#","8;8.{a}.{b}.{c};1":{{"topology":"endpoint","adjacency":["8;1.1.1.1;1"]}}"#
        );
        let _ = write!(targets, r#","8;8.{a}.{b}.{c};1""#);
    }
    check_text(&format!(
        r#"{{"Endpoint":{{"nodes":{{"8;1.1.1.1;1":{{"topology":"endpoint","adjacency":["x"{targets}]}}{nodes}}}}},
            "Process":{{"nodes":{{"h;1":{{"topology":"process"}}}}}}}}"#
    ));
}

#[test]
fn one_node_can_have_very_many_parents() {
    let ids: Vec<String> = (0..20_000).map(|i| format!("{i};<x>")).collect();
    let claims: serde_json::Map<_, _> = (0..5_000)
        .map(|i| {
            (
                format!("{i};<c>"),
                json!({"topology": "persistent_volume_claim"}),
            )
        })
        .collect();
    let volumes: serde_json::Map<_, _> = (0..5_000)
        .map(|i| (format!("{i};<v>"), json!({"topology": "persistent_volume"})))
        .collect();
    check(&json!({
        "Process": {"nodes": {"h;1": {"topology": "process",
            "latest": {"docker_container_id": fact("c"), "pid": fact("1"), "host_node_id": fact("h;<host>")}}}},
        "Container": {"nodes": {"c;<container>": {"topology": "container",
            "parents": {"pod": ids, "swarm_service": ids}}}},
        "Pod": {"nodes": {"p": {"topology": "pod"}}},
        "SwarmService": {"nodes": {"p": {"topology": "swarm_service"}}},
        "Endpoint": {"nodes": {
            "h;127.0.0.1;1": {"topology": "endpoint", "adjacency": ["h;127.0.0.1;2"],
                "latest": {"pid": fact("1"), "host_node_id": fact("h;<host>")}},
            "h;127.0.0.1;2": {"topology": "endpoint",
                "latest": {"pid": fact("1"), "host_node_id": fact("h;<host>")}},
        }},
        "PersistentVolume": {"nodes": volumes},
        "PersistentVolumeClaim": {"nodes": claims},
    }));
}
