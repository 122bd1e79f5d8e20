//! Accepting connections.

use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use crate::Runtime;

/// A sender that takes longer for its request line and headers is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Request line and headers of HTTP/1.1; also the header list of HTTP/2.
const HEADER_BYTES: usize = 64 << 10;
/// Open connections; more wait in the kernel's queue.
const CONNECTIONS: usize = 8192;
/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 256;
/// HTTP/2 pings, so that peers which vanished are noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Serves HTTP/1.1 (with upgrades) and cleartext HTTP/2 on one port until shutdown, then lets open requests end.
pub async fn serve(listener: TcpListener, router: Router, rt: &Runtime) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = rt.shutdown.cancelled() => return,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, peer, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be freed instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let rt_of_connection = rt.clone();
        let router = router.clone();
        rt.spawn_draining("connection", async move {
            connection(stream, peer, router, &rt_of_connection).await;
            drop(slot);
        });
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots)
        .acquire_owned()
        .await
        .map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, slot))
}

async fn connection<S>(stream: S, peer: SocketAddr, router: Router, rt: &Runtime)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES as u32)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = rt.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error = %error, "connection broke");
    }
}

/// Serves one in-memory connection, for a `Channel` that speaks HTTP/2 to this process.
pub(crate) async fn serve_in_memory(stream: tokio::io::DuplexStream, router: Router, rt: &Runtime) {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    connection(stream, loopback, router, rt).await;
}
