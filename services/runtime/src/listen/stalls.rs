//! Answers that nobody reads.
//!
//! An HTTP/2 client can keep its connection busy and leave an answer where it is, by granting it no window. What waits for
//! such a reader is bounded, but it would wait for ever.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// A reader that does not come back for the rest of an answer for this long has given up, or means harm.
pub(super) const READ_STALL: Duration = Duration::from_secs(60);
/// How often they are looked for.
const LOOK: Duration = Duration::from_secs(5);

/// The answers of one connection that were begun and not asked for more since.
#[derive(Debug, Clone, Default)]
pub(super) struct Stalls(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    handed: HashMap<u64, Instant>,
}

impl Stalls {
    /// Watches the reading of an answer.
    pub(super) fn watch(&self, body: Body) -> Watched {
        let mut inner = self.inner();
        inner.next += 1;
        Watched {
            number: inner.next,
            stalls: self.clone(),
            body,
            handed: false,
        }
    }

    /// Ends when an answer was left where it is for too long.
    pub(super) async fn found(&self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let now = Instant::now();
            let late = |at: &Instant| now.duration_since(*at) >= READ_STALL;
            if self.inner().handed.values().any(late) {
                return;
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer's body.
#[derive(Debug)]
pub(super) struct Watched {
    number: u64,
    stalls: Stalls,
    body: Body,
    /// Whether its last data may still be on its way.
    handed: bool,
}

impl Watched {
    fn taken(&mut self) {
        if std::mem::take(&mut self.handed) {
            self.stalls.inner().handed.remove(&self.number);
        }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.taken();
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(data))) = &frame
            && data.is_data()
        {
            self.handed = true;
            let number = self.number;
            self.stalls.inner().handed.insert(number, Instant::now());
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

impl Drop for Watched {
    fn drop(&mut self) {
        self.taken();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;
    use tokio::time::timeout;

    use super::*;

    fn endless() -> Body {
        Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>("some")))
    }

    #[tokio::test(start_paused = true)]
    async fn answer_that_is_left_where_it_is_is_found() {
        let stalls = Stalls::default();
        let mut left = stalls.watch(endless());
        let mut read = stalls.watch(endless());
        left.frame().await.expect("some").expect("data");
        let found = stalls.found();
        tokio::pin!(found);
        for _ in 0..5 {
            read.frame().await.expect("some").expect("data");
            let early = timeout(READ_STALL / 6, &mut found).await;
            assert!(early.is_err(), "nothing was left for long enough");
        }
        timeout(READ_STALL, found).await.expect("one was left");
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_wait_for_news_are_no_matter() {
        let stalls = Stalls::default();
        let mut idle = stalls.watch(Body::from_stream(stream::pending::<
            Result<Bytes, std::io::Error>,
        >()));
        let mut dropped = stalls.watch(endless());
        dropped.frame().await.expect("some").expect("data");
        drop(dropped);
        assert!(timeout(READ_STALL, idle.frame()).await.is_err());
        assert!(timeout(3 * READ_STALL, stalls.found()).await.is_err());
    }
}
