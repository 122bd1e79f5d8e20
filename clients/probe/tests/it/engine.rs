//! A Docker engine with one container, on a socket of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// The container's id.
pub(crate) const ID: &str = "06aefb933a6d8e7cce5c76d86b8d2c3e6a9a9cf4d7fd6e0e6b9fec426764beb2";
/// Its image's.
pub(crate) const IMAGE: &str = "2bf35fd7a3c200ea32f56a1ae4fdc6f916d4f574bdc99d1f437cdb0485659834";

/// The engine.
pub(crate) struct Engine {
    pub(crate) socket: PathBuf,
    /// Requests that change something, as method and path.
    pub(crate) calls: mpsc::Receiver<String>,
    shared: Shared,
    _dir: tempfile::TempDir,
}

#[derive(Clone)]
struct Shared {
    /// What `inspect` says of the container; none when it is removed.
    container: Arc<Mutex<Option<Value>>>,
    calls: mpsc::Sender<String>,
    events: Arc<Mutex<Option<mpsc::Sender<String>>>>,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let socket = dir.path().join("docker.sock");
        let (call, calls) = mpsc::channel(16);
        let shared = Shared {
            container: Arc::new(Mutex::new(Some(container()))),
            calls: call,
            events: Arc::default(),
        };
        let api = Router::new()
            .route("/events", get(events))
            .route("/containers/json", get(list))
            .route("/containers/{id}/json", get(inspect))
            .route("/containers/{id}/stats", get(stats))
            .route("/containers/{id}/attach", post(talk))
            .route(
                "/containers/{id}/exec",
                post(async || (StatusCode::CREATED, Json(json!({"Id": "e1"})))),
            )
            .route("/containers/{id}/{action}", post(act))
            .route("/containers/{id}", delete(act))
            .route("/exec/{id}/start", post(talk))
            .route("/exec/{id}/resize", post(act))
            .route(
                "/exec/{id}/json",
                get(async || Json(json!({"ID": "e1", "Running": false, "Pid": 0}))),
            )
            .route("/images/json", get(images))
            .route("/networks", get(networks))
            .with_state(shared.clone());
        let version = get(async || Json(json!({"ApiVersion": "1.43", "Version": "24.0.7"})));
        // Engines take paths with the version of the API and without.
        let router = Router::new()
            .route("/version", version)
            .nest("/v1.43", api.clone())
            .merge(api);
        let listener = tokio::net::UnixListener::bind(&socket).expect("a socket");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            socket,
            calls,
            shared,
            _dir: dir,
        }
    }

    /// Changes the container, or removes it, and tells of it.
    pub(crate) async fn change(&self, action: &str, change: impl FnOnce(&mut Option<Value>)) {
        change(&mut self.shared.container.lock().expect("no panic"));
        let events = self
            .shared
            .events
            .lock()
            .expect("no panic")
            .clone()
            .expect("a listener");
        let event =
            json!({"Type": "container", "Action": action, "Actor": {"ID": ID, "Attributes": {}}});
        events.send(format!("{event}\n")).await.expect("a listener");
    }
}

fn container() -> Value {
    json!({
        "Id": ID,
        "Created": "2019-05-16T23:49:04.68285518Z",
        "Path": "gunicorn",
        "Args": ["-w", "3"],
        "State": {"Running": true, "Paused": false, "Pid": std::process::id(), "StartedAt": "2019-05-16T23:49:05Z"},
        "Image": format!("sha256:{IMAGE}"),
        "Name": "/shop_api_2",
        "RestartCount": 1,
        "HostConfig": {"NetworkMode": "shop_default"},
        "Config": {
            "Hostname": "06aefb933a6d",
            "Tty": false,
            "Env": ["PASSWORD=secret"],
            "Image": "shop/api:1.4.2",
            "Labels": {"com.docker.compose.project": "shop"},
        },
        "NetworkSettings": {
            "Ports": {"8000/tcp": [{"HostIp": "10.0.1.10", "HostPort": "80"}], "9000/tcp": null},
            "Networks": {"shop_default": {"IPAddress": "172.18.0.4"}},
        },
    })
}

async fn events(State(shared): State<Shared>) -> Body {
    let (events, stream) = mpsc::channel(16);
    *shared.events.lock().expect("no panic") = Some(events);
    let stream = futures_util::stream::unfold(stream, async |mut stream| {
        let event: String = stream.recv().await?;
        Some((Ok::<_, std::io::Error>(event), stream))
    });
    Body::from_stream(stream)
}

async fn list(State(shared): State<Shared>) -> Json<Value> {
    let is_there = shared.container.lock().expect("no panic").is_some();
    Json(if is_there {
        json!([{"Id": ID}])
    } else {
        json!([])
    })
}

async fn inspect(State(shared): State<Shared>) -> Response {
    match &*shared.container.lock().expect("no panic") {
        Some(container) => Json(container.clone()).into_response(),
        None => (
            StatusCode::NOT_FOUND,
            Json(json!({"message": "no such container"})),
        )
            .into_response(),
    }
}

async fn stats() -> Json<Value> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static CALLS: AtomicU64 = AtomicU64::new(1);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    Json(json!({
        "cpu_stats": {"cpu_usage": {"total_usage": calls * 10}, "system_cpu_usage": calls * 100},
        "memory_stats": {"usage": 1000, "limit": 4000},
    }))
}

async fn images() -> Json<Value> {
    Json(json!([{
        "Id": format!("sha256:{IMAGE}"), "ParentId": "", "RepoTags": ["shop/api:1.4.2"], "RepoDigests": [],
        "Created": 0, "Size": 396_000_000, "SharedSize": -1, "Labels": {"team": "shop"}, "Containers": -1,
    }]))
}

async fn networks() -> Json<Value> {
    Json(json!([{"Name": "shop_default", "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}]}}]))
}

async fn act(
    State(shared): State<Shared>,
    Path(_): Path<std::collections::HashMap<String, String>>,
    request: Request,
) -> StatusCode {
    let _ = shared
        .calls
        .send(format!("{} {}", request.method(), request.uri()))
        .await;
    StatusCode::NO_CONTENT
}

/// Takes the connection over, and answers each line with itself in capitals until `exit`.
async fn talk(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(stream) = upgrade.await else { return };
        let mut stream = TokioIo::new(stream);
        let mut buffer = [0; 256];
        while let Ok(size @ 1..) = stream.read(&mut buffer).await {
            let said = String::from_utf8_lossy(&buffer[..size]).to_uppercase();
            if stream.write_all(said.as_bytes()).await.is_err() || said.contains("EXIT") {
                break;
            }
        }
    });
    let headers = [(header::CONNECTION, "Upgrade"), (header::UPGRADE, "tcp")];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}
