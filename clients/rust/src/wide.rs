//! As many connections to one server as its open streams need.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::Channel;

/// Open streams of one connection: servers allow 256, and a few of them should not wait for many.
const STREAMS: usize = 128;

/// Opens another connection when all it has are busy. Idle ones beyond the first are closed.
#[derive(Clone)]
pub(crate) struct Wide {
    address: Uri,
    lanes: Arc<Mutex<Vec<Lane>>>,
}

struct Lane {
    channel: Channel,
    /// Held once by the lane, and once for each open stream.
    streams: Arc<()>,
}

impl Wide {
    pub(crate) fn new(address: Uri) -> Self {
        Wide {
            address,
            lanes: Arc::default(),
        }
    }

    fn lane(&self) -> (Channel, Arc<()>) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut first = true;
        lanes.retain(|lane| std::mem::take(&mut first) || Arc::strong_count(&lane.streams) > 1);
        let free = |lane: &&Lane| Arc::strong_count(&lane.streams) <= STREAMS;
        if let Some(lane) = lanes.iter().find(free) {
            return (lane.channel.clone(), Arc::clone(&lane.streams));
        }
        let lane = Lane {
            channel: Channel::connect_lane(self.address.clone(), STREAMS),
            streams: Arc::default(),
        };
        let taken = (lane.channel.clone(), Arc::clone(&lane.streams));
        lanes.push(lane);
        taken
    }
}

impl Service<Request<Body>> for Wide {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (channel, stream) = self.lane();
        Box::pin(async move {
            let answer = channel.oneshot(request).await?;
            Ok(answer.map(|body| {
                Body::new(Counted {
                    body,
                    _stream: stream,
                })
            }))
        })
    }
}

/// The body of an answer; its stream is open until this is dropped.
struct Counted {
    body: Body,
    _stream: Arc<()>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
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
    use super::*;

    #[tokio::test]
    async fn connections_come_and_go_with_streams() {
        let wide = Wide::new(Uri::from_static("http://127.0.0.1:1"));
        let count = || wide.lanes.lock().expect("not poisoned").len();
        let mut streams: Vec<_> = (0..STREAMS).map(|_| wide.lane().1).collect();
        assert_eq!(count(), 1);
        let other = wide.lane().1;
        assert_eq!(count(), 2);
        streams.pop();
        drop(wide.lane());
        assert_eq!(count(), 2);
        drop(other);
        drop(wide.lane());
        assert_eq!(count(), 1);
    }
}
