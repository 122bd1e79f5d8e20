//! Requests of RPCs that take one message: bodies that must arrive in time.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use crate::buffered::BODY_TIMEOUT;

/// The RPCs whose callers may go on sending for as long as they like, by path.
#[derive(Debug, Clone)]
pub(crate) struct Streaming(Arc<HashSet<String>>);

impl Streaming {
    /// As the contract has them.
    pub(crate) fn of_the_contract() -> Self {
        // The set is compiled in, so it decodes; without it every request would have to arrive in time.
        let set = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap_or_default();
        let mut paths = HashSet::from([
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo".to_owned(),
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo".to_owned(),
        ]);
        for file in &set.file {
            for service in &file.service {
                let streaming = service.method.iter().filter(|m| m.client_streaming());
                let path = |name: &str| format!("/{}.{}/{name}", file.package(), service.name());
                paths.extend(streaming.map(|method| path(method.name())));
            }
        }
        Streaming(Arc::new(paths))
    }

    /// The request, with a body that must arrive in time unless it is one of these RPCs. Whoever trickles a message in
    /// would hold a place among the calls that a service works on.
    pub(crate) fn bound(
        &self,
        request: http::Request<tonic::body::Body>,
    ) -> http::Request<tonic::body::Body> {
        if self.0.contains(request.uri().path()) {
            return request;
        }
        request.map(|body| {
            tonic::body::Body::new(Timed {
                body,
                deadline: Box::pin(sleep(BODY_TIMEOUT)),
            })
        })
    }
}

struct Timed {
    body: tonic::body::Body,
    deadline: Pin<Box<Sleep>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() && self.deadline.as_mut().poll(cx).is_ready() {
            let late = Status::deadline_exceeded("the request did not arrive in time");
            return Poll::Ready(Some(Err(late)));
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

#[cfg(test)]
mod tests {
    use axum::body::Body as AxumBody;
    use futures_util::stream;
    use http_body_util::BodyExt;
    use tokio::time::Instant;

    use super::*;

    fn request(path: &str) -> http::Request<tonic::body::Body> {
        let body = AxumBody::from_stream(stream::pending::<Result<Bytes, Status>>());
        let request = http::Request::post(path).body(tonic::body::Body::new(body));
        request.expect("a request")
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_must_arrive_in_time() {
        let streaming = Streaming::of_the_contract();
        let mut body = streaming
            .bound(request("/weft.query.v1.QueryService/GetNode"))
            .into_body();
        let started = Instant::now();
        let error = body.frame().await.expect("an end").expect_err("late");
        assert_eq!(error.code(), tonic::Code::DeadlineExceeded);
        assert_eq!(started.elapsed(), BODY_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_of_messages_may_pause() {
        let streaming = Streaming::of_the_contract();
        for path in [
            "/weft.controls.v1.ControlsService/Connect",
            "/weft.pipes.v1.PipesService/Attach",
        ] {
            let mut body = streaming.bound(request(path)).into_body();
            let waited = tokio::time::timeout(10 * BODY_TIMEOUT, body.frame()).await;
            assert!(waited.is_err(), "{path} ended");
        }
    }
}
