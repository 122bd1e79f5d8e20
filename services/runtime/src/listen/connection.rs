//! One connection, whichever version of HTTP it speaks.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use super::HEADER_TIMEOUT;
use super::metrics::Reason;
use super::origin::Origin;
use super::stalls::Stalls;
use crate::Runtime;

/// Request line and headers of HTTP/1.1; also the header list of HTTP/2, however many CONTINUATION frames bring it.
const HEADER_BYTES: usize = 64 << 10;
/// Headers of a request; no client of ours sends a third of it.
const HEADERS: usize = 128;
/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 256;
/// HTTP/2 pings, so that peers which vanished are noticed, and how long an answer may take. A peer in the middle of a
/// header block may not answer, so both together bound the time of one.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Streams that a peer opened and reset before they were accepted; more end the connection (CVE-2023-44487, rapid reset).
const RESET_STREAMS: usize = 20;
/// Streams that this side had to reset because of what the peer did; more end the connection (CVE-2025-8671).
const ERROR_STREAMS: usize = 64;
/// What one stream may have waiting for its reader, in bytes.
const SEND_BYTES: usize = 64 << 10;
/// What a peer may send ahead on one stream, and on all of a connection, in bytes: a large report within a round trip.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Streams of a connection from a service of ours, which brings all its callers': the sockets of ten thousand probes, say. What
/// it opens and resets, its callers did.
const STREAMS_OF_OURS: u32 = 1 << 17;

fn builder(ours: bool) -> Builder<TokioExecutor> {
    let (streams, resets, errors) = match ours {
        true => (STREAMS_OF_OURS, STREAMS_OF_OURS as usize, None),
        false => (STREAMS, RESET_STREAMS, Some(ERROR_STREAMS)),
    };
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(streams)
        .max_pending_accept_reset_streams(resets)
        .max_local_error_reset_streams(errors)
        .max_header_list_size(HEADER_BYTES as u32)
        .max_frame_size(16 << 10)
        .max_send_buf_size(SEND_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// Serves until the connection ends, or its peer has to be cut off.
pub(super) async fn serve<S>(
    stream: S,
    origin: Origin,
    router: Router,
    rt: &Runtime,
) -> Result<(), Reason>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let client = origin.client();
    let (one_client, ours) = (origin.is_one_client(), origin.is_ours());
    let stalls = Stalls::default();
    let service = {
        let stalls = stalls.clone();
        tower::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request: Request = request.map(Body::new);
            origin.mark(&mut request);
            let (router, stalls) = (router.clone(), stalls.clone());
            async move {
                let response: Response = router.oneshot(request).await?;
                Ok::<_, Infallible>(response.map(|body| stalls.watch(body)))
            }
        })
    };
    let builder = builder(ours);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let mut stalled = std::pin::pin!(stalls.found());
    let mut draining = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = stalled.as_mut(), if one_client => return Err(Reason::SlowReader),
            () = rt.shutdown.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%client, error = %error, "connection broke");
    }
    Ok(())
}

/// Serves one in-memory connection, for a `Channel` that speaks HTTP/2 to this process.
pub(crate) async fn serve_in_memory(stream: tokio::io::DuplexStream, router: Router, rt: &Runtime) {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    // Only strangers are cut off.
    let _ = serve(stream, Origin::ours(loopback), router, rt).await;
}
