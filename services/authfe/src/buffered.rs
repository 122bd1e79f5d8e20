//! A bound on the bytes of request bodies that are in memory at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// A probe gives up after 12 s; who takes longer for a body holds memory for nothing.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Debug, Clone)]
pub(crate) struct Buffered {
    held: Arc<AtomicUsize>,
    limit: usize,
}

/// Why a body was not read to its end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body has more than the {0} bytes allowed")]
    TooLarge(usize),
    #[error("too many reports at once; try again later")]
    Busy,
    #[error("the body broke off")]
    Broken,
    #[error("the body did not arrive in time")]
    Slow,
}

/// A body in memory, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: Share,
}

#[derive(Debug)]
struct Share {
    held: Arc<AtomicUsize>,
    bytes: usize,
}

impl Buffered {
    pub(crate) fn new(limit: usize) -> Self {
        Buffered {
            held: Arc::default(),
            limit,
        }
    }

    /// Reads a body of up to `max` bytes.
    pub(crate) async fn read(&self, body: Body, max: usize) -> Result<Held, BodyError> {
        let read = tokio::time::timeout(BODY_TIMEOUT, self.collect(body, max)).await;
        read.unwrap_or(Err(BodyError::Slow))
    }

    async fn collect(&self, mut body: Body, max: usize) -> Result<Held, BodyError> {
        let mut share = Share {
            held: Arc::clone(&self.held),
            bytes: 0,
        };
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > max {
                return Err(BodyError::TooLarge(max));
            }
            if self.held.fetch_add(data.len(), Ordering::Relaxed) + data.len() > self.limit {
                share.bytes += data.len();
                return Err(BodyError::Busy);
            }
            share.bytes += data.len();
            bytes.extend_from_slice(&data);
        }
        Ok(Held {
            bytes: bytes.freeze(),
            _share: share,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test]
    async fn bodies_are_bounded_alone_and_together() {
        let buffered = Buffered::new(10);
        let body = || Body::from(vec![0; 6]);
        assert_eq!(
            buffered.read(body(), 5).await.err(),
            Some(BodyError::TooLarge(5))
        );
        let held = buffered.read(body(), 6).await.expect("fits");
        assert_eq!(buffered.read(body(), 6).await.err(), Some(BodyError::Busy));
        drop(held);
        assert!(buffered.read(body(), 6).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_trickles_in_is_given_up() {
        let buffered = Buffered::new(100);
        let trickle = futures_util::stream::repeat(()).then(|()| async {
            tokio::time::sleep(BODY_TIMEOUT / 10).await;
            Ok::<_, std::io::Error>("x")
        });
        let read = buffered.read(Body::from_stream(trickle), 100).await;
        assert_eq!(read.err(), Some(BodyError::Slow));
        assert_eq!(buffered.held.load(Ordering::Relaxed), 0, "nothing stays");
    }
}
