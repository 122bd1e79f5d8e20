//! Throttling, as DynamoDB does it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::ensure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::accept;

const REFUSAL: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."}"#;

/// An HTTP/1.1 proxy to a DynamoDB that refuses a share of the requests for want of capacity, evenly spread: which ones
/// depends on nothing but their order. At first it refuses none.
#[derive(Debug)]
pub struct Throttle {
    address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    percent: AtomicU64,
    /// Hundredths of a refusal that are due.
    due: AtomicU64,
    passed: AtomicU64,
    refused: AtomicU64,
}

impl Throttle {
    /// Starts a proxy to this `host:port`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(upstream: &str) -> anyhow::Result<Throttle> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            percent: AtomicU64::new(0),
            due: AtomicU64::new(0),
            passed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        Ok(Throttle {
            address: listener.local_addr()?.to_string(),
            task: tokio::spawn(serve(listener, Arc::clone(&shared))),
            shared,
        })
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Refuses this share of the requests from now on, in per cent.
    ///
    /// # Errors
    /// When it is more than all.
    pub fn set(&self, percent: u8) -> anyhow::Result<()> {
        ensure!(percent <= 100, "{percent} % of the requests");
        self.shared.due.store(0, Ordering::Relaxed);
        self.shared.percent.store(percent.into(), Ordering::Relaxed);
        Ok(())
    }

    /// How many requests were passed on.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::Relaxed)
    }

    /// How many requests were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = accept(Some(&listener)) => {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
                let mut http = hyper::server::conn::http1::Builder::new();
                // Requests stay on a connection that its client has half closed.
                let connection = http.half_close(true).serve_connection(TokioIo::new(stream), service);
                connections.spawn(connection);
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let percent = shared.percent.load(Ordering::Relaxed);
    let before = shared.due.fetch_add(percent, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    let answer = match body.collect().await {
        Ok(_) if (before + percent) / 100 > before / 100 => {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            refusal()
        }
        Ok(body) => {
            shared.passed.fetch_add(1, Ordering::Relaxed);
            let request = Request::from_parts(head, Full::new(body.to_bytes()));
            let passed = pass(request, &shared.upstream).await;
            passed.unwrap_or_else(|error| plain(StatusCode::BAD_GATEWAY, error.to_string()))
        }
        Err(error) => plain(StatusCode::BAD_REQUEST, error.to_string()),
    };
    Ok(answer)
}

fn refusal() -> Response<Full<Bytes>> {
    let mut answer = plain(StatusCode::BAD_REQUEST, REFUSAL);
    let headers = answer.headers_mut();
    let json = header::HeaderValue::from_static("application/x-amz-json-1.0");
    headers.insert(header::CONTENT_TYPE, json);
    let kind = header::HeaderValue::from_static("ProvisionedThroughputExceededException");
    headers.insert("x-amzn-errortype", kind);
    answer
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
}

/// Passes a request on by a connection of its own.
async fn pass(
    mut request: Request<Full<Bytes>>,
    upstream: &str,
) -> anyhow::Result<Response<Full<Bytes>>> {
    one_hop(request.headers_mut());
    let stream = TokioIo::new(TcpStream::connect(upstream).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let (mut head, body) = sender.send_request(request).await?.into_parts();
    one_hop(&mut head.headers);
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(head, Full::new(body)))
}

/// Removes what is said about one connection only.
fn one_hop(headers: &mut header::HeaderMap) {
    for name in ["connection", "keep-alive", "transfer-encoding"] {
        headers.remove(name);
    }
}
