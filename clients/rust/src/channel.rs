//! A connection to a service, in this process or behind an address.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Endpoint;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::replicas::Replicas;
use crate::wide::Wide;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Flow-control window of a connection: enough for one large report in flight.
const WINDOW_BYTES: u32 = 4 << 20;

/// The same of one of many streams: what a reader that stops leaves in the connection.
const STREAM_WINDOW_BYTES: u32 = 128 << 10;

/// A cloneable way to one service. Errors are always a [`Status`].
#[derive(Clone)]
pub struct Channel(BoxCloneSyncService<Request<Body>, Response<Body>, Status>);

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel")
    }
}

impl Channel {
    /// To a server behind an address, connected at first use and again after every break.
    #[must_use]
    pub fn connect(address: Uri) -> Self {
        let endpoint = endpoint(address);
        Channel::remote(endpoint.connect_lazy())
    }

    /// To replicas of one server, called in turn; those that cannot be connected to are left out. Must be called within a
    /// Tokio runtime.
    #[must_use]
    pub fn connect_any(addresses: Vec<Uri>) -> Self {
        Channel(BoxCloneSyncService::new(Replicas::new(
            addresses,
            Channel::connect,
        )))
    }

    /// As [`Channel::connect`], for so many streams at once that none of them can hold up the others.
    pub(crate) fn connect_lane(address: Uri, streams: usize) -> Self {
        let all = u32::try_from(streams).unwrap_or(1) * STREAM_WINDOW_BYTES;
        let endpoint = endpoint(address)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(all);
        Channel::remote(endpoint.connect_lazy())
    }

    /// As [`Channel::connect_any`], with as many connections to each replica as there are open streams for: for calls that
    /// stay open for long and are many.
    #[must_use]
    pub fn connect_wide(mut addresses: Vec<Uri>) -> Self {
        let wide = |address| Channel(BoxCloneSyncService::new(Wide::new(address)));
        match addresses.len() {
            1 => wide(addresses.remove(0)),
            _ => Channel(BoxCloneSyncService::new(Replicas::new(addresses, wide))),
        }
    }

    /// To a server in this process, called directly: no bytes are framed.
    pub fn local<S>(server: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let server = server.map_err(|never: Infallible| match never {});
        Channel(BoxCloneSyncService::new(server))
    }

    /// To a server that accepts the other halves of in-memory connections: real HTTP/2 without a socket. `connect` is
    /// called for each new connection with the half for the server.
    pub fn duplex<F>(connect: F) -> Self
    where
        F: Fn(DuplexStream) + Clone + Send + Sync + 'static,
    {
        let connector = tower::service_fn(move |_: Uri| {
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            connect(theirs);
            std::future::ready(Ok::<_, Infallible>(TokioIo::new(ours)))
        });
        let endpoint = endpoint(Uri::from_static("http://in-memory"));
        Channel::remote(endpoint.connect_with_connector_lazy(connector))
    }

    fn remote(channel: tonic::transport::Channel) -> Self {
        // A transport that cannot connect is a service that is unavailable, whatever tonic's chain of errors says.
        let service = channel.map_err(|error| {
            let timed_out = is_timeout(&error);
            let status = Status::from_error(error.into());
            match status.code() {
                tonic::Code::Unknown => Status::unavailable(status.message()),
                // tonic reports its own time-out so; callers expect one code in every topology.
                tonic::Code::Cancelled if timed_out => {
                    Status::deadline_exceeded("the deadline has passed")
                }
                tonic::Code::Cancelled => Status::unavailable("the connection broke"),
                _ => status,
            }
        });
        Channel(BoxCloneSyncService::new(service))
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .into_iter()
        .any(<dyn std::error::Error>::is::<tonic::TimeoutExpired>)
}

fn endpoint(address: Uri) -> Endpoint {
    Endpoint::from(address)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .tcp_nodelay(true)
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = <BoxCloneSyncService<Request<Body>, Response<Body>, Status> as Service<
        Request<Body>,
    >>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}
