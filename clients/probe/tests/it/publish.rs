//! Reports.

use std::sync::atomic::Ordering;

use probe::{Config, Error};
use tokio_util::sync::CancellationToken;

use crate::app::{App, Running, next};

#[tokio::test]
async fn full_report_is_followed_by_deltas() {
    let mut app = App::start().await;
    let probe = Running::start(Config {
        token: Some("t0ken".into()),
        controls: false,
        ..app.config()
    });
    let full = next(&mut app.reports).await;
    let header = |name: &str| full.headers[name].to_str().expect("text").to_owned();
    assert_eq!(header("authorization"), "Scope-Probe token=t0ken");
    assert_eq!(header("content-type"), "application/msgpack");
    assert_eq!(header("content-encoding"), "gzip");
    assert!(header("user-agent").starts_with("Scope_Probe/"));
    assert!(u64::from_str_radix(&header("x-scope-probe-id"), 16).is_ok());
    assert!(!header("x-scope-probe-version").is_empty());

    assert!(full.is_full());
    let own = format!("h;{}", std::process::id());
    assert_eq!(
        full.at(&["Process", "nodes", &own, "topology"]).as_str(),
        Some("process")
    );
    assert_eq!(
        full.latest("Process", &own, "host_node_id"),
        Some("h;<host>")
    );
    assert_eq!(full.latest("Host", "h;<host>", "host_name"), Some("h"));
    // Nobody may control this host.
    assert_eq!(full.latest("Host", "h;<host>", "active_controls"), None);
    assert!(full.at(&["Host", "controls"]).is_nil());

    let delta = next(&mut app.reports).await;
    assert!(!delta.is_full());
    assert!(delta.at(&["Process", "nodes", &own, "id"]).is_nil());
    assert!(
        !delta
            .at(&[
                "Process",
                "nodes",
                &own,
                "metrics",
                "process_memory_usage_bytes"
            ])
            .is_nil()
    );
    assert!(!next(&mut app.reports).await.is_full());
    assert!(next(&mut app.reports).await.is_full());
    probe.stop().await;
}

#[tokio::test]
async fn report_after_a_refused_one_is_full() {
    let mut app = App::start().await;
    let probe = Running::start(Config {
        controls: false,
        full_report_every: 1000,
        ..app.config()
    });
    assert!(next(&mut app.reports).await.is_full());
    app.status.store(503, Ordering::SeqCst);
    while next(&mut app.reports).await.is_full() {}
    // The delta was refused or is the last that was not; what comes after the first refusal is full.
    let mut report = next(&mut app.reports).await;
    if !report.is_full() {
        report = next(&mut app.reports).await;
    }
    assert!(report.is_full());
    app.status.store(200, Ordering::SeqCst);
    assert!(next(&mut app.reports).await.is_full());
    assert!(!next(&mut app.reports).await.is_full());
    probe.stop().await;
}

#[tokio::test]
async fn report_after_a_reconnection_is_full() {
    let mut app = App::start().await;
    let probe = Running::start(Config {
        full_report_every: 1000,
        ..app.config()
    });
    let control = app.control().await;
    while next(&mut app.reports).await.is_full() {}
    drop(control);
    let _again = app.control().await;
    while !next(&mut app.reports).await.is_full() {}
    probe.stop().await;
}

#[tokio::test]
async fn own_connection_is_joined_to_this_process() {
    let mut app = App::start().await;
    let probe = Running::start(app.config());
    let _control = app.control().await;
    let own = std::process::id().to_string();
    let port = app.url.rsplit(':').next().expect("a port").to_owned();
    loop {
        let report = next(&mut app.reports).await;
        let nodes = report
            .at(&["Endpoint", "nodes"])
            .as_map()
            .cloned()
            .unwrap_or_default();
        let ids: Vec<&str> = nodes.iter().filter_map(|(id, _)| id.as_str()).collect();
        let server = ids
            .iter()
            .find(|id| id.starts_with("h-") && id.ends_with(&format!(";127.0.0.1;{port}")));
        let Some(server) = server else { continue };
        assert_eq!(report.latest("Endpoint", server, "pid"), Some(own.as_str()));
        let clients = ids.iter().filter(|id| {
            let adjacency = report.at(&["Endpoint", "nodes", id, "adjacency"]);
            adjacency
                .as_array()
                .is_some_and(|targets| targets.iter().any(|target| target.as_str() == Some(server)))
        });
        assert!(
            clients
                .into_iter()
                .all(|id| report.latest("Endpoint", id, "pid") == Some(own.as_str()))
        );
        assert!(!report.at(&["DNS", "127.0.0.1"]).is_nil());
        break;
    }
    probe.stop().await;
}

#[tokio::test]
async fn probe_waits_for_an_app_and_can_be_stopped_meanwhile() {
    Running::start(Config::new("http://127.0.0.1:1"))
        .stop()
        .await;
}

#[tokio::test]
async fn configuration_that_cannot_work_is_an_error() {
    let run = |config| probe::run(config, CancellationToken::new());
    assert!(matches!(
        run(Config::new("ftp://app")).await,
        Err(Error::InvalidUrl { .. })
    ));
    let token = Some("two\nlines".into());
    assert!(matches!(
        run(Config {
            token,
            ..Config::new("http://app")
        })
        .await,
        Err(Error::InvalidToken)
    ));
    let proc_root = "/nonexistent".into();
    assert!(matches!(
        run(Config {
            proc_root,
            ..Config::new("http://app")
        })
        .await,
        Err(Error::Proc { .. })
    ));
}
