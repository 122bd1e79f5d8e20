//! The body of an RPC's answer: ends it at the deadline and notes how it ended.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tracing::Span;

use crate::rpc_metrics::RunningRpc;

pub(crate) struct RpcBody {
    inner: Body,
    rpc: RunningRpc,
    deadline: Option<Pin<Box<Sleep>>>,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    span: Span,
    ended: bool,
}

/// How long an answer may go on after shutdown began: calls that are nearly done get done, watches end.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl RpcBody {
    pub(crate) fn new(
        inner: Body,
        rpc: RunningRpc,
        deadline: Option<Instant>,
        shutdown: CancellationToken,
        span: Span,
    ) -> Self {
        let shutdown = async move {
            shutdown.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        RpcBody {
            inner,
            rpc,
            deadline: deadline.map(|d| Box::pin(sleep_until(d))),
            shutdown: Box::pin(shutdown),
            span,
            ended: false,
        }
    }

    /// Ends the answer before its time.
    fn cut(&mut self, status: &Status) -> Option<Frame<Bytes>> {
        self.end(status.code());
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).ok()?;
        Some(Frame::trailers(trailers))
    }

    fn end(&mut self, code: Code) {
        self.ended = true;
        self.rpc.ended(code);
        tracing::debug!(parent: &self.span, ?code, elapsed = ?self.rpc.elapsed(), "answered");
    }
}

/// The status code in headers or trailers.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<Code> {
    let value = headers.get(Status::GRPC_STATUS)?;
    Some(Code::from_bytes(value.as_bytes()))
}

impl http_body::Body for RpcBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            let status = Status::deadline_exceeded("the deadline has passed");
            return Poll::Ready(self.cut(&status).map(Ok));
        }
        if self.shutdown.as_mut().poll(cx).is_ready() {
            let status = Status::unavailable("the server is shutting down");
            return Poll::Ready(self.cut(&status).map(Ok));
        }
        let span = self.span.clone();
        let frame = {
            let _entered = span.enter();
            ready!(http_body::Body::poll_frame(Pin::new(&mut self.inner), cx))
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let code = code_in(trailers).unwrap_or(Code::Unknown);
                    self.end(code);
                }
            }
            Some(Err(_)) => self.end(Code::Internal),
            None => self.end(Code::Ok),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
