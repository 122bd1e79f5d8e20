//! Small reports and what Scope's app was seen to make of them, or what is right where that is a defect.

#[path = "scenarios/scene.rs"]
mod scene;

use scene::Scene;

const A: &str = include_str!("../../../tests/scope-scenarios/a-kubernetes.json");
const B: &str = include_str!("../../../tests/scope-scenarios/b-overlay.json");
const C: &str = include_str!("../../../tests/scope-scenarios/c-tables.json");
const DNS_1: &str = include_str!("../../../tests/scope-scenarios/d-dns-1.json");
const DNS_2: &str = include_str!("../../../tests/scope-scenarios/d-dns-2.json");
const CLASH_1: &str = include_str!("../../../tests/scope-scenarios/e-topology-clash-1.json");
const CLASH_2: &str = include_str!("../../../tests/scope-scenarios/e-topology-clash-2.json");

#[test]
fn pods_have_their_containers_and_connections() {
    let mut scene = Scene::new(&[A]);
    let service = "service-s3.amazonaws.com";
    let pods = [
        ("out-theinternet", vec![]),
        ("p1;<pod>", vec![]),
        ("p2;<pod>", vec!["out-theinternet", "p1;<pod>", service]),
        (service, vec![]),
    ];
    scene.check("pods", "", &pods);
    scene.check("pods", "namespace=alpha,zeta", &pods);
    scene.check("pods", "namespace=alpha", &[("p1;<pod>", vec![])]);
    let nodes = scene.nodes("pods", "");
    assert_eq!(nodes["p1;<pod>"]["label"], "pod1");
    assert_eq!(nodes["p1;<pod>"]["labelMinor"], "1 container");
    assert_eq!(nodes["p2;<pod>"]["labelMinor"], "0 containers");
    assert_eq!(nodes[service]["label"], "s3.amazonaws.com");
}

#[test]
fn containers_of_cri_run() {
    let mut scene = Scene::new(&[A]);
    let both = [("c1;<container>", vec![]), ("c2;<container>", vec![])];
    scene.check("containers", "stopped=running", &both);
    scene.check("containers", "system=all&stopped=both&pseudo=show", &both);
    scene.check("containers", "stopped=stopped", &[]);
}

#[test]
fn groups_of_containers_honour_the_namespace() {
    let name = r#""docker_container_name": {"timestamp": "2026-11-22T15:00:00Z", "value": "c1"}"#;
    let hostname = name
        .replace("_name", "_hostname")
        .replace("\"c1\"", "\"web\"");
    let report = A.replace(name, &format!("{name}, {hostname}"));
    let mut scene = Scene::new(&[&report]);
    scene.check("containers-by-hostname", "namespace=zeta", &[]);
    scene.check(
        "containers-by-hostname",
        "namespace=alpha",
        &[("web", vec![])],
    );
}

#[test]
fn controllers_count_their_pods() {
    let mut scene = Scene::new(&[A]);
    let service = "service-s3.amazonaws.com";
    let unmanaged = vec!["d1;<deployment>", "out-theinternet", service];
    let controllers = [
        ("d1;<deployment>", vec![]),
        ("out-theinternet", vec![]),
        ("pseudo:unmanaged:", unmanaged),
        (service, vec![]),
    ];
    scene.check("kube-controllers", "", &controllers);
    let nodes = scene.nodes("kube-controllers", "");
    assert_eq!(
        nodes["d1;<deployment>"]["labelMinor"],
        "Deployment of 1 pod"
    );
}

#[test]
fn stacks_show_their_services() {
    let mut scene = Scene::new(&[A]);
    let service = [("s1;<swarm_service>", vec![])];
    scene.check("swarm-services", "", &service);
    scene.check("swarm-services", "namespace=shop&pseudo=show", &service);
    assert_eq!(
        scene.nodes("swarm-services", "")["s1;<swarm_service>"]["label"],
        "web"
    );
}

#[test]
fn hosts_contain_what_is_on_them() {
    let mut scene = Scene::new(&[A]);
    scene.check("hosts", "", &[("h1;<host>", vec![])]);
    let host = scene.node("hosts", "h1;<host>", "");
    let ids = |group: usize| {
        let nodes = host["children"][group]["nodes"].as_array().expect("nodes");
        let ids = nodes.iter().map(|n| n["id"].as_str().expect("an id"));
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(0), ["p1;<pod>"]);
    assert_eq!(ids(1), ["c1;<container>", "c2;<container>"]);
    assert_eq!(ids(2), ["h1;1", "h1;2"]);
}

#[test]
fn a_control_overrides_the_probe_for_itself_only() {
    let mut scene = Scene::new(&[A]);
    let controls = &scene.node("hosts", "h1;<host>", "")["controls"];
    let probe = |id: &str| {
        let controls = controls.as_array().expect("controls");
        let control = controls.iter().find(|c| c["id"] == id).expect(id);
        control["probeId"].clone()
    };
    assert_eq!(probe("host_exec"), "p1");
    assert_eq!(probe("kubernetes_cordon_node"), "kp");
}

#[test]
fn namespaces_are_options_once() {
    let mut scene = Scene::new(&[A]);
    let list = scene.list("");
    let groups = |topology: &serde_json::Value| {
        let options = topology["options"].as_array().cloned().unwrap_or_default();
        let groups = options.into_iter().filter(|g| g["id"] == "namespace");
        let groups = groups.map(|g| {
            let values = g["options"].as_array().expect("options").iter();
            let values = values.map(|o| o["value"].as_str().expect("a value").to_owned());
            (
                g["noneLabel"].as_str().expect("a label").to_owned(),
                values.collect::<Vec<_>>().join(" "),
            )
        });
        groups.collect::<Vec<_>>()
    };
    let namespaces = ("All Namespaces".to_owned(), "alpha zeta".to_owned());
    let stacks = ("All Stacks".to_owned(), "shop".to_owned());
    assert_eq!(groups(&list[0]), [namespaces.clone(), stacks.clone()]);
    assert_eq!(groups(&list[2]), std::slice::from_ref(&namespaces));
    assert_eq!(groups(&list[2]["sub_topologies"][1]), [namespaces]);
    assert_eq!(groups(&list[4]), [stacks]);
    assert!(list[1]["options"].is_null());
}

#[test]
fn weave_edges_lead_to_what_is_shown() {
    let mut scene = Scene::new(&[B]);
    let peers = [
        ("#aa", vec!["#cc", "pseudo:unmanaged:nickB"]),
        ("#cc", vec!["#aa"]),
        ("pseudo:unmanaged:nickB", vec![]),
    ];
    scene.check("weave", "", &peers);
    let nodes = scene.nodes("weave", "");
    assert_eq!(nodes["#aa"]["label"], "nickA");
    assert_eq!(nodes["#aa"]["labelMinor"], "aa");
    assert_eq!(nodes["#aa"]["parents"][0]["topologyId"], "hosts");
    assert_eq!(nodes["#cc"]["label"], "cc");
    let stats = &scene.list("")[1]["sub_topologies"][0]["stats"];
    assert_eq!(stats["node_count"], 3);
    assert_eq!(stats["nonpseudo_node_count"], 2);
    assert_eq!(stats["edge_count"], 3);
}

#[test]
fn tables_are_there_even_when_empty() {
    let mut scene = Scene::new(&[C]);
    let container = scene.node("containers", "c;<container>", "");
    let tables = container["tables"].as_array().expect("tables");
    let ids: Vec<_> = tables
        .iter()
        .map(|t| t["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids, ["docker_env_", "docker_label_", "image_table", "mc_"]);
    assert_eq!(tables[0]["truncationCount"], 7);
    assert_eq!(tables[0]["type"], "property-list");
    assert_eq!(tables[0]["rows"][0]["id"], "label_A");
    assert!(tables[0]["columns"].is_null());
    assert_eq!(tables[1]["rows"], serde_json::json!([]));
    assert_eq!(tables[2]["rows"][0]["id"], "label_ ID");
    assert_eq!(tables[3]["rows"][0]["id"], "r1");
    assert_eq!(tables[3]["rows"][1]["entries"]["c9"], "y");
    let censored = scene.node(
        "containers",
        "c;<container>",
        "hideEnvironmentVariables=true",
    );
    assert_eq!(censored["tables"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_cell_without_a_column_is_left_out() {
    let mut scene = Scene::new(&[&C.replace("mc_r2___c9", "mc_nonsense")]);
    let container = scene.node("containers", "c;<container>", "");
    let rows = container["tables"][3]["rows"].as_array().map(Vec::len);
    assert_eq!(rows, Some(1));
}

#[test]
fn no_name_of_an_address_is_lost() {
    for reports in [[DNS_1, DNS_2], [DNS_2, DNS_1]] {
        assert_eq!(Scene::new(&reports).names("1.2.3.4"), ["x", "y"]);
    }
}

#[test]
fn reports_that_clash_are_both_shown() {
    let mut scene = Scene::new(&[CLASH_1, CLASH_2]);
    scene.every_topology();
}

#[test]
fn an_empty_report_shows_nothing() {
    let mut scene = Scene::new(&["{}"]);
    scene.every_topology();
    assert_eq!(scene.list("").as_array().map(Vec::len), Some(6));
}
