//! Bodies that end when their caller loses what it had.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

/// Bytes of an answer that may still go out after the caller lost what it had: what was ready by then, such as the answer
/// to the very call that revoked the caller's token.
const LAST_BYTES: usize = 64 << 10;

/// The body of a gRPC response. When the token is cancelled it ends with UNAUTHENTICATED: the caller may ask again, and is
/// told what became of it.
///
/// **Invariant:** after the token was cancelled no more than [`LAST_BYTES`] go out, however busy the body is.
pub(crate) struct Revocable {
    body: tonic::body::Body,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Bytes that may still go out; none while the caller has what it had.
    left: Option<usize>,
    over: bool,
}

impl Revocable {
    pub(crate) fn new(body: tonic::body::Body, ended: CancellationToken) -> Self {
        Revocable {
            body,
            ended: Box::pin(ended.cancelled_owned()),
            left: None,
            over: false,
        }
    }

    /// Takes a frame's size from what may still go out; false if it is too large for that.
    fn afford(&mut self, frame: &Frame<Bytes>) -> bool {
        let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) else {
            return true;
        };
        // An empty one is not free, or a body of them would never end.
        let rest = left.checked_sub(data.len().max(1));
        *left = rest.unwrap_or(0);
        rest.is_some()
    }

    fn end(&mut self) -> Option<Result<Frame<Bytes>, Status>> {
        self.over = true;
        let status = Status::unauthenticated("what the caller may do has changed; call again");
        let mut trailers = http::HeaderMap::new();
        Some(match status.add_header(&mut trailers) {
            Ok(()) => Ok(Frame::trailers(trailers)),
            Err(status) => Err(status),
        })
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
        if self.left.is_none() && self.ended.as_mut().poll(cx).is_ready() {
            self.left = Some(LAST_BYTES);
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if self.afford(&frame) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Some(Ok(_))) => Poll::Ready(self.end()),
            Poll::Ready(frame) => {
                self.over = frame.is_none();
                Poll::Ready(frame)
            }
            Poll::Pending if self.left.is_some() => Poll::Ready(self.end()),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AxumBody;
    use futures_util::stream;
    use http_body_util::BodyExt;
    use tonic::Code;

    use super::*;

    fn revocable(body: AxumBody) -> (Revocable, CancellationToken) {
        let ended = CancellationToken::new();
        (
            Revocable::new(tonic::body::Body::new(body), ended.clone()),
            ended,
        )
    }

    /// Bytes until the end, and the code in the trailers.
    async fn rest(mut body: Revocable) -> (usize, Option<Code>) {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            match frame.expect("a frame").into_data() {
                Ok(data) => bytes += data.len(),
                Err(frame) => {
                    let trailers = frame.into_trailers().expect("trailers");
                    let code = Code::from_bytes(trailers[Status::GRPC_STATUS].as_bytes());
                    return (bytes, Some(code));
                }
            }
        }
        (bytes, None)
    }

    #[tokio::test]
    async fn busy_body_ends_soon_after_the_revocation() {
        for size in [0, 1, 1000, LAST_BYTES, LAST_BYTES + 1, 10 * LAST_BYTES] {
            let frame = Bytes::from(vec![0; size]);
            let frames = stream::repeat_with(move || Ok::<_, Status>(frame.clone()));
            let (mut body, ended) = revocable(AxumBody::from_stream(frames));
            for _ in 0..3 * LAST_BYTES / size.max(1) {
                let frame = body.frame().await.expect("no end").expect("a frame");
                assert!(frame.is_data(), "ended before it had to");
            }
            ended.cancel();
            let (bytes, code) = rest(body).await;
            assert_eq!(code, Some(Code::Unauthenticated), "frames of {size}");
            assert!(bytes <= LAST_BYTES, "{bytes} in frames of {size}");
        }
    }

    #[tokio::test]
    async fn idle_body_ends_at_once() {
        let (body, ended) = revocable(AxumBody::from_stream(stream::pending::<
            Result<Bytes, Status>,
        >()));
        let reading = tokio::spawn(rest(body));
        ended.cancel();
        let end = reading.await.expect("it does not panic");
        assert_eq!(end, (0, Some(Code::Unauthenticated)));
    }

    #[tokio::test]
    async fn answer_of_the_call_that_revoked_is_not_spoilt() {
        let (body, ended) = revocable(AxumBody::from(vec![0; 1000]));
        ended.cancel();
        assert_eq!(rest(body).await, (1000, None));
    }
}
