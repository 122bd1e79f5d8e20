//! What the probe's end writes, kept until every reader has it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::IN_FLIGHT;

/// The most that one read returns.
const CHUNK: usize = 16 << 10;

#[derive(Debug, Default)]
pub(crate) struct Output {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    /// Offset of the first byte in `bytes`, counted from the pipe's beginning.
    start: u64,
    /// Where each connected reader is.
    readers: HashMap<u64, u64>,
    next_reader: u64,
    /// How far all readers have come; with none connected, how far the last one came.
    consumed: u64,
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn settle(&mut self) {
        if let Some(&slowest) = self.readers.values().min() {
            self.consumed = slowest.max(self.consumed);
        }
        // What was consumed stays for a while: a reader that comes back may not have shown all of it.
        let keep_from = self.consumed.saturating_sub(IN_FLIGHT as u64);
        if keep_from > self.start {
            let drop = usize::try_from(keep_from - self.start).unwrap_or(0);
            self.bytes.drain(..drop.min(self.bytes.len()));
            self.start = keep_from;
        }
    }
}

/// One reader's place.
#[derive(Debug)]
pub(crate) struct Reader {
    output: Arc<Output>,
    number: u64,
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends; waits while the slowest reader, or the first one to come, has too much before it.
    pub(crate) async fn write(&self, mut data: &[u8]) {
        while !data.is_empty() {
            let changed = self.changed.notified();
            let room = {
                let mut state = self.lock();
                let ahead = usize::try_from(state.end() - state.consumed).unwrap_or(usize::MAX);
                let room = IN_FLIGHT.saturating_sub(ahead).min(data.len());
                state.bytes.extend(&data[..room]);
                room
            };
            if room > 0 {
                data = &data[room..];
                self.changed.notify_waiters();
            } else {
                changed.await;
            }
        }
    }

    /// A reader from this offset on, or from the oldest byte that is kept.
    pub(crate) fn reader(self: &Arc<Self>, from: u64) -> Reader {
        let mut state = self.lock();
        let number = state.next_reader;
        state.next_reader += 1;
        let from = from.clamp(state.start, state.end());
        state.readers.insert(number, from);
        Reader {
            output: Arc::clone(self),
            number,
        }
    }
}

impl Reader {
    /// Where the next byte will be read.
    pub(crate) fn offset(&self) -> u64 {
        let state = self.output.lock();
        state.readers.get(&self.number).copied().unwrap_or(0)
    }

    /// The next bytes and the offset of the first of them; waits for some. Nothing is lost if this is dropped midway.
    pub(crate) async fn read(&mut self) -> (u64, Bytes) {
        loop {
            let changed = self.output.changed.notified();
            let read = {
                let mut state = self.output.lock();
                let at = state.readers.get(&self.number).copied().unwrap_or(0);
                // Others may have gone on while this reader was being made; never before what is kept.
                let at = at.max(state.start);
                let skip = usize::try_from(at - state.start).unwrap_or(usize::MAX);
                let chunk: Bytes = state.bytes.range(skip..).take(CHUNK).copied().collect();
                if !chunk.is_empty() {
                    let next = at + chunk.len() as u64;
                    state.readers.insert(self.number, next);
                    state.settle();
                }
                (at, chunk)
            };
            if !read.1.is_empty() {
                self.output.changed.notify_waiters();
                return read;
            }
            changed.await;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.output.lock();
        state.settle();
        state.readers.remove(&self.number);
        state.settle();
        drop(state);
        self.output.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    async fn read_all(reader: &mut Reader) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some((_, chunk)) = reader.read().now_or_never() {
            all.extend_from_slice(&chunk);
        }
        all
    }

    #[tokio::test]
    async fn every_reader_sees_everything() {
        let output = Arc::new(Output::default());
        output.write(b"before ").await;
        let mut first = output.reader(0);
        let mut second = output.reader(0);
        output.write(b"after").await;
        assert_eq!(read_all(&mut first).await, b"before after");
        assert_eq!(read_all(&mut second).await, b"before after");
    }

    #[tokio::test]
    async fn writer_waits_for_the_slowest_reader() {
        let output = Arc::new(Output::default());
        let mut reader = output.reader(0);
        let flood = vec![7; IN_FLIGHT + 1];
        let mut write = Box::pin(output.write(&flood));
        assert!((&mut write).now_or_never().is_none());
        let (_, chunk) = reader.read().await;
        assert!((&mut write).now_or_never().is_some());
        let rest = read_all(&mut reader).await;
        assert_eq!(chunk.len() + rest.len(), flood.len());
    }

    #[tokio::test]
    async fn reader_that_comes_back_goes_on_where_it_was() {
        let output = Arc::new(Output::default());
        output.write(b"one").await;
        let mut reader = output.reader(0);
        assert_eq!(read_all(&mut reader).await, b"one");
        drop(reader);
        output.write(b"two").await;
        assert_eq!(read_all(&mut output.reader(3)).await, b"two");
        assert_eq!(read_all(&mut output.reader(0)).await, b"onetwo");
    }

    #[tokio::test]
    async fn memory_is_bounded_by_what_is_in_flight() {
        let output = Arc::new(Output::default());
        let mut reader = output.reader(0);
        for _ in 0..100 {
            output.write(&[1; 8192]).await;
            read_all(&mut reader).await;
        }
        assert!(output.lock().bytes.len() <= 2 * IN_FLIGHT);
        assert_eq!(reader.offset(), 100 * 8192);
    }
}
