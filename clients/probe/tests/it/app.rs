//! An app that hands everything a probe sends to the test.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, delete, get, post};
use probe::{Config, Error};
use rmpv::Value;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The app, and a probe that reports to it.
pub(crate) struct App {
    pub(crate) url: String,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) controls: mpsc::Receiver<WebSocket>,
    pub(crate) pipes: mpsc::Receiver<(String, WebSocket)>,
    pub(crate) deleted: mpsc::Receiver<String>,
    /// What reports are answered with.
    pub(crate) status: Arc<AtomicU16>,
    /// What pipes are answered with, unless they are let in.
    pub(crate) refuse_pipes: Arc<Mutex<Option<StatusCode>>>,
}

/// One report, decoded.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) headers: HeaderMap,
    pub(crate) value: Value,
}

#[derive(Clone)]
struct Shared {
    reports: mpsc::Sender<Report>,
    controls: mpsc::Sender<WebSocket>,
    pipes: mpsc::Sender<(String, WebSocket)>,
    deleted: mpsc::Sender<String>,
    status: Arc<AtomicU16>,
    refuse_pipes: Arc<Mutex<Option<StatusCode>>>,
}

impl App {
    pub(crate) async fn start() -> Self {
        let ((report, reports), (control, controls)) = (mpsc::channel(64), mpsc::channel(8));
        let ((pipe, pipes), (delete_pipe, deleted)) = (mpsc::channel(8), mpsc::channel(8));
        let shared = Shared {
            reports: report,
            controls: control,
            pipes: pipe,
            deleted: delete_pipe,
            status: Arc::new(AtomicU16::new(200)),
            refuse_pipes: Arc::default(),
        };
        let (status, refuse_pipes) = (Arc::clone(&shared.status), Arc::clone(&shared.refuse_pipes));
        let router = Router::new()
            .route(
                "/api",
                get(async || {
                    axum::response::Response::new(r#"{"id":"a1","version":"test"}"#.to_string())
                }),
            )
            .route("/api/report", post(submit))
            .route("/api/control/ws", any(serve_control))
            .route("/api/pipe/{id}/probe", any(serve_pipe))
            .route("/api/pipe/{id}", delete(end_pipe))
            .layer(DefaultBodyLimit::max(64 << 20))
            .with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            reports,
            controls,
            pipes,
            deleted,
            status,
            refuse_pipes,
        }
    }

    /// A configuration that reports often.
    pub(crate) fn config(&self) -> Config {
        Config {
            publish_interval: Duration::from_millis(100),
            spy_interval: Duration::from_millis(50),
            hostname: Some("h".into()),
            containers: probe::Containers::Off,
            shell: vec!["/bin/sh".into()],
            ..Config::new(&self.url)
        }
    }

    pub(crate) async fn control(&mut self) -> Control {
        Control {
            socket: next(&mut self.controls).await,
            sequence: 0,
        }
    }
}

/// The next thing from the probe.
pub(crate) async fn next<T>(receiver: &mut mpsc::Receiver<T>) -> T {
    tokio::time::timeout(PATIENCE, receiver.recv())
        .await
        .expect("something in time")
        .expect("an app")
}

/// A probe in the background.
pub(crate) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let shutdown = CancellationToken::new();
        Self {
            task: tokio::spawn(probe::run(config, shutdown.clone())),
            shutdown,
        }
    }

    /// Stops the probe, which does not take long.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(3), self.task).await;
        ended
            .expect("an end in time")
            .expect("no panic")
            .expect("no error");
    }
}

/// The app's side of a control socket.
pub(crate) struct Control {
    pub(crate) socket: WebSocket,
    sequence: u64,
}

impl Control {
    /// Asks for a control; gives the value of the answer.
    pub(crate) async fn call(
        &mut self,
        node: &str,
        control: &str,
        arguments: &[(&str, &str)],
    ) -> serde_json::Value {
        let arguments: HashMap<_, _> = arguments.iter().copied().collect();
        let seq = self.sequence;
        self.sequence += 1;
        let header = json!({"Request": {"ServiceMethod": "control.Handle", "Seq": seq}, "Response": null, "Value": null});
        let value =
            json!({"AppID": "", "NodeID": node, "Control": control, "ControlArgs": arguments});
        let body = json!({"Request": null, "Response": null, "Value": value});
        for message in [header, body] {
            self.socket
                .send(Message::text(message.to_string()))
                .await
                .expect("sent");
        }
        let header = self.message().await;
        assert_eq!(header["Response"]["ServiceMethod"], "control.Handle");
        assert_eq!(
            (&header["Response"]["Seq"], &header["Response"]["Error"]),
            (&json!(seq), &json!(""))
        );
        self.message().await["Value"].clone()
    }

    async fn message(&mut self) -> serde_json::Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.recv())
                .await
                .expect("a message in time");
            if let Message::Text(text) = message.expect("a message").expect("a frame") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }
}

/// Reads a pipe until `text` has come.
pub(crate) async fn read_until(pipe: &mut WebSocket, text: &str) -> String {
    let mut read = String::new();
    let reading = async {
        while !read.contains(text) {
            match pipe.recv().await {
                Some(Ok(Message::Binary(bytes))) => read.push_str(&String::from_utf8_lossy(&bytes)),
                Some(Ok(_)) => {}
                end => panic!("the pipe ended after {read:?} with {end:?}"),
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
    assert!(in_time, "no {text:?} in {read:?}");
    read
}

impl Report {
    /// What is at a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> &Value {
        const NIL: &Value = &Value::Nil;
        path.iter().fold(&self.value, |value, key| {
            let pairs = value.as_map().map(Vec::as_slice).unwrap_or_default();
            pairs
                .iter()
                .find(|(name, _)| name.as_str() == Some(key))
                .map_or(NIL, |(_, value)| value)
        })
    }

    pub(crate) fn latest(&self, topology: &str, node: &str, key: &str) -> Option<&str> {
        self.at(&[topology, "nodes", node, "latest", key, "value"])
            .as_str()
    }

    pub(crate) fn is_full(&self) -> bool {
        !self.at(&["Host", "metadata_templates"]).is_nil()
    }

    pub(crate) fn is_shortcut(&self) -> bool {
        self.at(&["Shortcut"]).as_bool() == Some(true)
    }
}

async fn submit(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let size = body
        .len()
        .checked_sub(4)
        .map(|at| u32::from_le_bytes(body[at..].try_into().expect("four bytes")));
    let mut bytes = vec![0; size.expect("a gzip file") as usize];
    libdeflater::Decompressor::new()
        .gzip_decompress(&body, &mut bytes)
        .expect("gzip");
    let value = rmpv::decode::read_value(&mut &bytes[..]).expect("msgpack");
    // A test that has seen enough does not take more.
    let _ = shared.reports.try_send(Report { headers, value });
    StatusCode::from_u16(shared.status.load(Ordering::SeqCst)).expect("a status")
}

async fn serve_control(
    State(shared): State<Shared>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    assert!(headers.contains_key("x-scope-probe-id"));
    upgrade.on_upgrade(async move |socket| {
        let _ = shared.controls.send(socket).await;
    })
}

async fn serve_pipe(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Some(status) = *shared.refuse_pipes.lock().expect("no panic") {
        return status.into_response();
    }
    upgrade.on_upgrade(async move |socket| {
        let _ = shared.pipes.send((id, socket)).await;
    })
}

async fn end_pipe(State(shared): State<Shared>, Path(id): Path<String>) -> StatusCode {
    let _ = shared.deleted.send(id).await;
    StatusCode::NO_CONTENT
}
