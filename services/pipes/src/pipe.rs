//! One pipe.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::pipes::v1::End;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::IN_FLIGHT;
use crate::output::Output;

/// The most that a single message may carry.
pub(crate) const MESSAGE_BYTES: usize = 64 << 10;
/// Pieces that may wait for the probe's end; their bytes are bounded by the piece size.
const PIECE_BYTES: usize = 4 << 10;
const PIECES: usize = IN_FLIGHT / PIECE_BYTES;
/// How long a numbered write waits for those before it.
const GAP: Duration = Duration::from_secs(5);
/// Browsers that have written; more means somebody makes them up.
const WRITERS: usize = 64;

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) output: Arc<Output>,
    /// Cancelled when the pipe is closed.
    pub(crate) closed: CancellationToken,
    input: mpsc::Sender<Bytes>,
    /// The probe's end takes it out while it is attached.
    pending: tokio::sync::Mutex<mpsc::Receiver<Bytes>>,
    ends: Mutex<Ends>,
    writers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<u64>>>>,
    written: Notify,
}

#[derive(Debug)]
struct Ends {
    user: EndState,
    probe: EndState,
    /// Cancelled when a newer probe's end takes over.
    probe_attachment: CancellationToken,
}

#[derive(Debug)]
struct EndState {
    connections: u32,
    last_used: Instant,
}

/// Why bytes could not be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the pipe was closed")]
    Closed,
    #[error("an earlier write of this writer is missing")]
    Gap,
    #[error("too many writers on one pipe")]
    Writers,
}

/// Holds one end as connected.
#[derive(Debug)]
pub(crate) struct Connected {
    pipe: Arc<Pipe>,
    end: End,
}

impl Pipe {
    pub(crate) fn new() -> Self {
        let (input, pending) = mpsc::channel(PIECES);
        let unused = || EndState {
            connections: 0,
            last_used: Instant::now(),
        };
        Pipe {
            output: Arc::default(),
            closed: CancellationToken::new(),
            input,
            pending: tokio::sync::Mutex::new(pending),
            ends: Mutex::new(Ends {
                user: unused(),
                probe: unused(),
                probe_attachment: CancellationToken::new(),
            }),
            writers: Mutex::default(),
            written: Notify::new(),
        }
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks an end as connected until the guard is dropped.
    pub(crate) fn connect(self: &Arc<Self>, end: End) -> Connected {
        self.ends().of(end).connections += 1;
        Connected {
            pipe: Arc::clone(self),
            end,
        }
    }

    /// Connections of the user's and of the probe's end.
    pub(crate) fn connections(&self) -> (u32, u32) {
        let ends = self.ends();
        (ends.user.connections, ends.probe.connections)
    }

    /// Whether an end has had no connection for this long.
    pub(crate) fn is_abandoned(&self, grace: Duration) -> bool {
        let ends = self.ends();
        let missing = |e: &EndState| e.connections == 0 && e.last_used.elapsed() >= grace;
        missing(&ends.user) || missing(&ends.probe)
    }

    /// Bytes for the probe's end; waits while too many are under way.
    pub(crate) async fn write(&self, mut data: Bytes) -> Result<(), WriteError> {
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(PIECE_BYTES));
            tokio::select! {
                () = self.closed.cancelled() => return Err(WriteError::Closed),
                sent = self.input.send(piece) => sent.map_err(|_| WriteError::Closed)?,
            }
        }
        Ok(())
    }

    /// As [`Pipe::write`], once for each number of a writer and in their order.
    pub(crate) async fn write_numbered(
        &self,
        writer: &str,
        sequence: u64,
        data: Bytes,
    ) -> Result<(), WriteError> {
        let last = self.writer(writer)?;
        let turn = async {
            loop {
                let written = self.written.notified();
                let last = last.lock().await;
                if sequence <= *last + 1 {
                    return last;
                }
                drop(last);
                written.await;
            }
        };
        let mut last = timeout(GAP, turn).await.map_err(|_| WriteError::Gap)?;
        if sequence <= *last {
            return Ok(());
        }
        // Before the bytes, so that a call which is given up midway and repeated does not repeat its beginning.
        *last = sequence;
        let result = self.write(data).await;
        drop(last);
        self.written.notify_waiters();
        result
    }

    /// The last number of a writer; locked while one of its writes is applied.
    fn writer(&self, id: &str) -> Result<Arc<tokio::sync::Mutex<u64>>, WriteError> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if writers.len() >= WRITERS && !writers.contains_key(id) {
            return Err(WriteError::Writers);
        }
        Ok(Arc::clone(writers.entry(id.to_owned()).or_default()))
    }

    /// Makes this the probe's end; an older one ends. Read with [`Pipe::next_input`] until the token is cancelled.
    pub(crate) fn take_probe_end(&self) -> CancellationToken {
        let mut ends = self.ends();
        ends.probe_attachment.cancel();
        ends.probe_attachment = CancellationToken::new();
        ends.probe_attachment.clone()
    }

    /// The next bytes for the probe's end.
    pub(crate) async fn next_input(&self) -> Option<Bytes> {
        self.pending.lock().await.recv().await
    }
}

impl Ends {
    fn of(&mut self, end: End) -> &mut EndState {
        match end {
            End::Probe => &mut self.probe,
            End::User | End::Unspecified => &mut self.user,
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut ends = self.pipe.ends();
        let end = ends.of(self.end);
        end.connections -= 1;
        end.last_used = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn numbered_writes_are_applied_once_and_in_order() {
        let pipe = Arc::new(Pipe::new());
        let early = {
            let pipe = Arc::clone(&pipe);
            tokio::spawn(async move { pipe.write_numbered("w", 2, Bytes::from("b")).await })
        };
        tokio::task::yield_now().await;
        pipe.write_numbered("w", 1, Bytes::from("a"))
            .await
            .expect("written");
        early.await.expect("ran").expect("written");
        pipe.write_numbered("w", 2, Bytes::from("b"))
            .await
            .expect("ignored");
        pipe.write_numbered("w", 3, Bytes::from("c"))
            .await
            .expect("written");
        let mut got = Vec::new();
        for _ in 0..3 {
            got.extend(pipe.next_input().await.expect("input"));
        }
        assert_eq!(got, b"abc");
        assert_eq!(
            pipe.write_numbered("w", 5, Bytes::from("e")).await,
            Err(WriteError::Gap)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn pipe_is_abandoned_when_one_end_stays_away() {
        let pipe = Arc::new(Pipe::new());
        let _user = pipe.connect(End::User);
        let probe = pipe.connect(End::Probe);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!pipe.is_abandoned(Duration::from_secs(60)));
        drop(probe);
        assert!(!pipe.is_abandoned(Duration::from_secs(60)));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(pipe.is_abandoned(Duration::from_secs(60)));
    }
}
