//! Shells on the host.

use std::path::Path;

use axum::extract::ws::Message;
use axum::http::StatusCode;

use crate::app::{App, Running, next, read_until};

#[tokio::test]
async fn shell_talks_through_a_pipe_until_it_ends() {
    let mut app = App::start().await;
    let probe = Running::start(app.config());
    let mut control = app.control().await;
    let answer = control.call("h;<host>", "host_exec", &[]).await;
    let id = answer["pipe"].as_str().expect("a pipe").to_owned();
    assert_eq!(
        (&answer["raw_tty"], &answer["resize_tty_control"]),
        (&true.into(), &"host_resize_exec_tty".into())
    );

    let (path, mut pipe) = next(&mut app.pipes).await;
    assert_eq!(path, id);
    pipe.send(Message::text("echo $((6*7)) $TERM\n"))
        .await
        .expect("sent");
    read_until(&mut pipe, "42 xterm").await;
    let size = [("pipeID", id.as_str()), ("height", "50"), ("width", "132")];
    assert_eq!(
        control
            .call("h;<host>", "host_resize_exec_tty", &size)
            .await,
        serde_json::json!({})
    );
    pipe.send(Message::binary("stty size\n"))
        .await
        .expect("sent");
    read_until(&mut pipe, "50 132").await;

    pipe.send(Message::text("echo by''e; exit\n"))
        .await
        .expect("sent");
    read_until(&mut pipe, "bye").await;
    // The pipe is closed once all output has been read.
    while let Some(Ok(_)) = pipe.recv().await {}
    assert_eq!(next(&mut app.deleted).await, id);
    let error = control
        .call("h;<host>", "host_resize_exec_tty", &size)
        .await;
    assert_eq!(error["error"], format!("Unknown pipeID ({id:?})"));
    probe.stop().await;
}

#[tokio::test]
async fn shell_survives_a_lost_connection() {
    let mut app = App::start().await;
    let probe = Running::start(app.config());
    app.control().await.call("h;<host>", "host_exec", &[]).await;
    let (id, mut pipe) = next(&mut app.pipes).await;
    pipe.send(Message::text("kept=yes\n")).await.expect("sent");
    read_until(&mut pipe, "kept=yes").await;
    drop(pipe);
    let (again, mut pipe) = next(&mut app.pipes).await;
    assert_eq!(again, id);
    pipe.send(Message::text("echo still-$kept\n"))
        .await
        .expect("sent");
    read_until(&mut pipe, "still-yes").await;
    probe.stop().await;
}

#[tokio::test]
async fn shutdown_ends_shells() {
    let mut app = App::start().await;
    let probe = Running::start(app.config());
    app.control().await.call("h;<host>", "host_exec", &[]).await;
    let (id, mut pipe) = next(&mut app.pipes).await;
    // The quotes tell the output from the echo of the input.
    pipe.send(Message::text("trap '' HUP TERM; echo p''id=$$ do''ne\n"))
        .await
        .expect("sent");
    let output = read_until(&mut pipe, " done").await;
    let pid = output
        .split("pid=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .expect("a pid")
        .to_owned();
    assert!(Path::new("/proc").join(&pid).exists());
    probe.stop().await;
    assert!(!Path::new("/proc").join(&pid).exists());
    assert_eq!(next(&mut app.deleted).await, id);
}

#[tokio::test]
async fn closed_pipe_ends_its_shell() {
    let mut app = App::start().await;
    *app.refuse_pipes.lock().expect("no panic") = Some(StatusCode::NOT_FOUND);
    let probe = Running::start(app.config());
    let mut control = app.control().await;
    let answer = control.call("h;<host>", "host_exec", &[]).await;
    let id = answer["pipe"].as_str().expect("a pipe").to_owned();
    let size = [("pipeID", id.as_str()), ("height", "50"), ("width", "132")];
    // The terminal is forgotten when the shell has ended.
    let ended = async {
        while control
            .call("h;<host>", "host_resize_exec_tty", &size)
            .await["error"]
            .is_null()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::app::PATIENCE, ended)
        .await
        .expect("the shell ended");
    probe.stop().await;
}

#[tokio::test]
async fn unknown_control_is_refused() {
    let mut app = App::start().await;
    let probe = Running::start(app.config());
    let mut control = app.control().await;
    let answer = control.call("h;<host>", "nonsense", &[]).await;
    assert_eq!(answer["error"], "Control \"nonsense\" not recognised");
    let answer = control
        .call("c;<container>", "docker_stop_container", &[])
        .await;
    assert_eq!(
        answer["error"],
        "Control \"docker_stop_container\" not recognised"
    );
    probe.stop().await;
}
