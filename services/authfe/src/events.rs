//! A record of every request, for a sidecar that speaks Fluentd's forward protocol: who asked for what, from where, what the
//! answer was, how long it took and how large it was.
//!
//! **Invariant:** an event holds no query, no credential and no body, and no request waits for one to be sent.

mod forward;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use prometheus::{IntCounterVec, Opts};
use runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;

/// Events that wait to be sent: about 4 MiB. More are dropped.
const QUEUE: usize = 8192;
/// The longest text of an event, in bytes. Longer ones are cut off.
const TEXT_BYTES: usize = 256;

/// Whose request it was, as identity established it. Travels with the response.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    pub(crate) org: String,
    pub(crate) subject: String,
}

/// What is known of a request once it is answered.
#[derive(Debug, Clone)]
struct Event {
    at: SystemTime,
    method: String,
    path: String,
    client: Option<IpAddr>,
    user_agent: String,
    probe: String,
    probe_version: String,
    org: String,
    subject: String,
    status: u16,
    grpc_status: Option<String>,
    micros: u64,
    bytes: u64,
}

/// Where events go.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    queue: mpsc::Sender<Event>,
    counted: IntCounterVec,
}

impl Events {
    /// Sends events to a sidecar at `host:port`.
    pub(crate) fn start(sidecar: String, rt: &Runtime) -> Self {
        let opts = Opts::new(
            "weft_authfe_events_total",
            "Events of requests, by what became of them: sent, or dropped because the sidecar was away for too long.",
        );
        let counted = IntCounterVec::new(opts, &["outcome"]).expect("a valid metric");
        if let Err(error) = rt.registry.register(Box::new(counted.clone())) {
            tracing::error!(%error, "events are not counted");
        }
        let (queue, receiver) = mpsc::channel(QUEUE);
        let sending = forward::run(receiver, sidecar, counted.clone(), rt.shutdown.clone());
        rt.spawn_draining("events", sending);
        Events { queue, counted }
    }

    fn send(&self, event: Event) {
        if self.queue.try_send(event).is_err() {
            self.counted.with_label_values(&["dropped"]).inc();
        }
    }
}

/// Notes a request once its answer has ended, however it did.
pub(crate) async fn note(State(events): State<Events>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let headers = request.headers();
    let mut event = Event {
        at: SystemTime::now(),
        method: request.method().to_string(),
        path: cut(request.uri().path()),
        client: peer.map(|ConnectInfo(peer)| peer.ip().to_canonical()),
        user_agent: text(headers, USER_AGENT.as_str()),
        probe: text(headers, "x-scope-probe-id"),
        probe_version: text(headers, "x-scope-probe-version"),
        org: String::new(),
        subject: String::new(),
        status: 0,
        grpc_status: None,
        micros: 0,
        bytes: 0,
    };
    let mut response = next.run(request).await;
    event.status = response.status().as_u16();
    event.grpc_status = grpc_status(response.headers());
    if let Some(whose) = response.extensions_mut().remove::<Whose>() {
        (event.org, event.subject) = (whose.org, whose.subject);
    }
    response.map(|body| {
        Body::new(Noted {
            body,
            event: Some(event),
            started,
            events,
        })
    })
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| value.as_bytes());
    cut(&String::from_utf8_lossy(value.unwrap_or_default()))
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES)].to_owned()
}

fn grpc_status(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(Status::GRPC_STATUS)?.to_str().ok()?;
    Some(cut(value))
}

/// An answer on its way.
struct Noted {
    body: Body,
    /// Taken when it ends.
    event: Option<Event>,
    started: Instant,
    events: Events,
}

impl http_body::Body for Noted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(event) = &mut self.event
        {
            match (frame.data_ref(), frame.trailers_ref()) {
                (Some(data), _) => event.bytes += data.len() as u64,
                (_, Some(trailers)) => event.grpc_status = grpc_status(trailers),
                (None, None) => {}
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(mut event) = self.event.take() {
            let micros = self.started.elapsed().as_micros();
            event.micros = u64::try_from(micros).unwrap_or(u64::MAX);
            self.events.send(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "\u{fc}".repeat(TEXT_BYTES);
        assert_eq!(cut(&long).len(), TEXT_BYTES);
        assert_eq!(cut(&format!("x{long}")).len(), TEXT_BYTES - 1);
        assert_eq!(cut("short"), "short");
    }

    #[tokio::test]
    async fn full_queue_drops_and_counts() {
        let opts = Opts::new("events", "events");
        let counted = IntCounterVec::new(opts, &["outcome"]).expect("a valid metric");
        let (queue, mut receiver) = mpsc::channel(1);
        let events = Events { queue, counted };
        let event = forward::tests::event("/one");
        events.send(event.clone());
        events.send(event);
        assert_eq!(events.counted.with_label_values(&["dropped"]).get(), 1);
        assert_eq!(receiver.recv().await.expect("the first").path, "/one");
    }
}
