//! Bodies that end when their caller loses what it had.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// The body of a gRPC response. When the token is cancelled it ends with UNAUTHENTICATED: the caller may ask again, and is
/// told what became of it.
pub(crate) struct Revocable {
    body: tonic::body::Body,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    over: bool,
}

impl Revocable {
    pub(crate) fn new(body: tonic::body::Body, ended: CancellationToken) -> Self {
        Revocable {
            body,
            ended: Box::pin(ended.cancelled_owned()),
            over: false,
        }
    }
}

impl Body for Revocable {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        // What is ready goes out first: an answer that is complete is not spoilt.
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.over = frame.is_none();
            return Poll::Ready(frame);
        }
        if self.ended.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.over = true;
        let status = Status::unauthenticated("what the caller may do has changed; call again");
        let mut trailers = http::HeaderMap::new();
        Poll::Ready(match status.add_header(&mut trailers) {
            Ok(()) => Some(Ok(Frame::trailers(trailers))),
            Err(status) => Some(Err(status)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
