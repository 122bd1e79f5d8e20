//! Containers.

use axum::extract::ws::Message;
use probe::{Config, Containers};
use serde_json::json;

use crate::app::{App, Report, Running, next, read_until};
use crate::engine::{Engine, ID, IMAGE};

fn node() -> String {
    format!("{ID};<container>")
}

async fn start() -> (App, Engine, Running) {
    let (app, engine) = (App::start().await, Engine::start().await);
    let containers = Containers::Docker(engine.socket.clone());
    let probe = Running::start(Config {
        containers,
        full_report_every: 1,
        ..app.config()
    });
    (app, engine, probe)
}

/// The next regular report that a condition holds for.
async fn report_where(app: &mut App, holds: impl Fn(&Report) -> bool) -> Report {
    loop {
        let report = next(&mut app.reports).await;
        if holds(&report) {
            return report;
        }
    }
}

fn set(report: &Report, key: &str) -> Vec<String> {
    let set = report
        .at(&["Container", "nodes", &node(), "sets", key])
        .as_array()
        .cloned()
        .unwrap_or_default();
    set.iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn container_is_reported_with_its_image_processes_and_usage() {
    let (mut app, _engine, probe) = start().await;
    let cpu = [
        "Container",
        "nodes",
        &node(),
        "metrics",
        "docker_cpu_total_usage",
        "max",
    ];
    let report = report_where(&mut app, |report| !report.at(&cpu).is_nil()).await;
    assert_eq!(report.at(&cpu).as_f64(), Some(100.0));
    let latest = |key| report.latest("Container", &node(), key);
    assert_eq!(latest("docker_container_name"), Some("shop_api_2"));
    assert_eq!(latest("docker_container_command"), Some("gunicorn -w 3"));
    assert_eq!(latest("docker_container_state"), Some("running"));
    assert_eq!(latest("docker_container_restart_count"), Some("1"));
    assert_eq!(
        latest("docker_container_created"),
        Some("2019-05-16T23:49:04.68285518Z")
    );
    assert_eq!(
        latest("docker_label_com.docker.compose.project"),
        Some("shop")
    );
    assert_eq!(latest("docker_image_id"), Some(IMAGE));
    assert_eq!(latest("docker_env_PASSWORD"), None);
    assert!(
        latest("active_controls")
            .is_some_and(|controls| controls.contains("docker_exec_container"))
    );
    assert_eq!(set(&report, "docker_container_ips"), ["172.18.0.4"]);
    assert_eq!(
        set(&report, "docker_container_ips_with_scopes"),
        [";172.18.0.4"]
    );
    assert_eq!(
        set(&report, "docker_container_ports"),
        ["10.0.1.10:80->8000/tcp", "9000/tcp"]
    );
    assert_eq!(set(&report, "docker_container_networks"), ["shop_default"]);

    let image = format!("{IMAGE};<container_image>");
    assert_eq!(
        report.latest("ContainerImage", &image, "docker_image_name"),
        Some("shop/api")
    );
    assert_eq!(
        report.latest("ContainerImage", &image, "docker_image_tag"),
        Some("1.4.2")
    );
    assert_eq!(
        report.latest("ContainerImage", &image, "docker_image_size"),
        Some("396 MB")
    );
    assert_eq!(
        report.latest("ContainerImage", &image, "docker_image_label_team"),
        Some("shop")
    );
    let networks = report.at(&[
        "Overlay",
        "nodes",
        "#docker_peer_h",
        "sets",
        "local_networks",
    ]);
    assert_eq!(
        networks.as_array().map(|list| list[0].as_str()),
        Some(Some("172.18.0.0/16"))
    );

    let process = format!("h;{}", std::process::id());
    assert_eq!(
        report.latest("Process", &process, "docker_container_id"),
        Some(ID)
    );
    let parents = |topology| {
        report
            .at(&["Process", "nodes", &process, "parents", topology])
            .to_string()
    };
    assert_eq!(parents("container"), format!("[\"{}\"]", node()));
    assert_eq!(
        parents("container_image"),
        "[\"shop/api;<container_image>\"]"
    );
    probe.stop().await;
}

#[tokio::test]
async fn changes_are_reported_at_once() {
    let (mut app, engine, probe) = start().await;
    report_where(&mut app, |report| {
        report
            .latest("Container", &node(), "docker_container_state")
            .is_some()
    })
    .await;
    let pause = |container: &mut Option<serde_json::Value>| {
        container.as_mut().expect("a container")["State"]["Paused"] = true.into();
    };
    engine.change("pause", pause).await;
    let report = report_where(&mut app, Report::is_shortcut).await;
    assert_eq!(
        report.latest("Container", &node(), "docker_container_state"),
        Some("paused")
    );
    assert_eq!(
        report.latest("Container", &node(), "active_controls"),
        Some("docker_unpause_container")
    );
    engine
        .change("destroy", |container| *container = None)
        .await;
    let report = report_where(&mut app, Report::is_shortcut).await;
    assert_eq!(
        report.latest("Container", &node(), "docker_container_state"),
        Some("deleted")
    );
    probe.stop().await;
}

#[tokio::test]
async fn controls_are_passed_to_the_engine() {
    let (mut app, mut engine, probe) = start().await;
    let mut control = app.control().await;
    report_where(&mut app, |report| {
        report
            .latest("Container", &node(), "docker_container_state")
            .is_some()
    })
    .await;
    for (name, path) in [
        ("stop", "stop?t=10"),
        ("restart", "restart?t=10"),
        ("start", "start"),
        ("pause", "pause"),
        ("unpause", "unpause"),
    ] {
        assert_eq!(
            control
                .call(&node(), &format!("docker_{name}_container"), &[])
                .await,
            json!({})
        );
        let call = next(&mut engine.calls).await;
        let (call, query) = call
            .split_once('?')
            .map_or((call.as_str(), ""), |(call, query)| (call, query));
        let (path, argument) = path.split_once('?').unwrap_or((path, ""));
        assert!(
            call.starts_with("POST ") && call.ends_with(&format!("/{path}")),
            "{call}"
        );
        assert!(query.contains(argument), "{query}");
    }
    let answer = control.call(&node(), "docker_remove_container", &[]).await;
    assert_eq!(answer, json!({"removedNode": node()}));
    assert!(next(&mut engine.calls).await.starts_with("DELETE "));
    let answer = control
        .call("../../x;<container>", "docker_stop_container", &[])
        .await;
    assert_eq!(answer["error"], "Container \"../../x\" not found");
    probe.stop().await;
}

#[tokio::test]
async fn shell_in_a_container_talks_through_a_pipe() {
    let (mut app, mut engine, probe) = start().await;
    let mut control = app.control().await;
    report_where(&mut app, |report| {
        report
            .latest("Container", &node(), "docker_container_state")
            .is_some()
    })
    .await;
    for name in ["docker_exec_container", "docker_attach_container"] {
        let answer = control.call(&node(), name, &[]).await;
        let id = answer["pipe"].as_str().expect("a pipe").to_owned();
        let is_exec = name == "docker_exec_container";
        assert_eq!(answer.get("raw_tty").is_some(), is_exec);
        let (path, mut pipe) = next(&mut app.pipes).await;
        assert_eq!(path, id);
        if is_exec {
            let size = [("pipeID", id.as_str()), ("height", "50"), ("width", "132")];
            assert_eq!(
                control.call(&node(), "docker_resize_exec_tty", &size).await,
                json!({})
            );
            let call = next(&mut engine.calls).await;
            assert!(
                call.contains("/exec/e1/resize?")
                    && call.contains("h=50")
                    && call.contains("w=132"),
                "{call}"
            );
            pipe.send(Message::text("hello\n")).await.expect("sent");
            read_until(&mut pipe, "HELLO").await;
        }
        pipe.send(Message::text("exit\n")).await.expect("sent");
        while let Some(Ok(_)) = pipe.recv().await {}
        assert_eq!(next(&mut app.deleted).await, id);
    }
    probe.stop().await;
}
