//! What the probe's end writes, kept until every reader has it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::{HISTORY, WINDOW};

/// The most that one read returns.
const CHUNK: usize = 16 << 10;
/// The probe's end is told of progress when so much was read, or a little later.
const PROGRESS: u64 = 32 << 10;
/// How much later.
const PROGRESS_AFTER: Duration = Duration::from_millis(20);

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
    /// Whether a probe's end has said where it is. Until then offsets mean nothing.
    begun: bool,
    /// Up to where the probe's end had come when it began. It sends again what is missing here of that, which readers may
    /// have from another holder.
    came_to: u64,
    /// The probe's end will write no more.
    ended: bool,
    /// Where each connected reader is.
    readers: HashMap<u64, Position>,
    next_reader: u64,
    /// Counts attachments of the probe's end: only the newest one writes.
    attachment: u64,
    /// How far all readers have come; with none connected, how far the last one came.
    consumed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Position {
    /// The next byte that it gets.
    next: u64,
    /// Up to where it said that it has passed bytes on; `next` if it does not say.
    passed_on: u64,
    says: bool,
}

/// An attachment of the probe's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begun {
    /// The offset from which it is to send.
    pub(crate) send_from: u64,
    /// Its number.
    pub(crate) attachment: u64,
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// Where the last reader stopped; if others are reading, with the oldest byte that is kept.
    Unread,
    /// Here, or with the oldest byte that is kept.
    Offset(u64),
}

impl State {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn attach(&mut self, send_from: u64) -> Begun {
        self.attachment += 1;
        Begun {
            send_from,
            attachment: self.attachment,
        }
    }

    fn is_read(&self) -> bool {
        self.ended && self.consumed == self.end() && self.next_reader > 0
    }

    fn settle(&mut self) {
        if let Some(slowest) = self.readers.values().map(|r| r.passed_on).min() {
            self.consumed = slowest.clamp(self.consumed, self.end().max(self.consumed));
        }
        // What was consumed stays for a while: a reader that comes back may not have shown all of it.
        let keep_from = self.consumed.saturating_sub(HISTORY as u64);
        if keep_from > self.start {
            let drop = usize::try_from(keep_from - self.start).unwrap_or(0);
            self.bytes.drain(..drop.min(self.bytes.len()));
            self.start = keep_from;
        }
    }
}

/// Says how far a reader has come, beside it.
#[derive(Debug)]
pub(crate) struct Progress {
    output: Arc<Output>,
    number: u64,
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

    /// A probe's end attaches that can send these bytes again, or a new one; the offset from which it is to send. `base` is
    /// the beginning of a pipe of which nothing is known. None if bytes between what is here and what it has are missing.
    pub(crate) fn begin(&self, kept: Option<(u64, u64)>, base: u64) -> Option<Begun> {
        let mut state = self.lock();
        if state.begun {
            let end = state.end();
            if kept.is_some_and(|(from, to)| end < from || end > to) {
                return None;
            }
            return Some(state.attach(end));
        }
        let (from, to) = kept.unwrap_or((base, base));
        (state.begun, state.came_to) = (true, to);
        (state.start, state.consumed) = (from, from);
        for reader in state.readers.values_mut() {
            // It may have read what is sent again.
            reader.next = reader.next.clamp(from, to);
            reader.passed_on = reader.next;
        }
        let begun = state.attach(from);
        drop(state);
        self.changed.notify_waiters();
        Some(begun)
    }

    /// Appends; waits while the slowest reader, or the first one to come, has too much before it. Ignored from an
    /// attachment that a newer one has taken over from.
    pub(crate) async fn write(&self, attachment: u64, mut data: &[u8]) {
        while !data.is_empty() {
            let changed = self.changed.notified();
            let room = {
                let mut state = self.lock();
                if state.attachment != attachment {
                    return;
                }
                let ahead = usize::try_from(state.end() - state.consumed).unwrap_or(usize::MAX);
                // What was kept is sent again to a new holder, where nothing counts as read.
                let room = (WINDOW + HISTORY).saturating_sub(ahead).min(data.len());
                state.bytes.extend(&data[..room]);
                // Readers that were there before what is sent again may have read it.
                state.settle();
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

    /// No more will come.
    pub(crate) fn finish(&self) {
        self.lock().ended = true;
        self.changed.notify_waiters();
    }

    /// Whether no more will come.
    pub(crate) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// Waits until no more will come and somebody has read all there was.
    pub(crate) async fn read_to_its_end(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().is_read() {
                return;
            }
            changed.await;
        }
    }

    /// How far all readers have come, once that is more than `last`.
    pub(crate) async fn consumed_after(&self, last: u64) -> u64 {
        self.consumed_from(last + 1).await;
        // Not every key stroke is worth a message.
        let more = self.consumed_from(last + PROGRESS);
        let _ = timeout(PROGRESS_AFTER, more).await;
        self.lock().consumed
    }

    async fn consumed_from(&self, offset: u64) {
        loop {
            let changed = self.changed.notified();
            if self.lock().consumed >= offset {
                return;
            }
            changed.await;
        }
    }

    /// A reader from here on. One that `says` what it has passed on is kept at most a window ahead of that.
    pub(crate) fn reader(self: &Arc<Self>, from: From, says: bool) -> Reader {
        let mut state = self.lock();
        let number = state.next_reader;
        state.next_reader += 1;
        let from = match from {
            From::Offset(offset) => offset,
            From::Unread if state.readers.is_empty() => state.consumed,
            From::Unread => state.start,
        };
        let next = match state.begun {
            true => from.clamp(state.start, state.end().max(state.came_to)),
            false => from,
        };
        let position = Position {
            next,
            passed_on: next,
            says,
        };
        state.readers.insert(number, position);
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
        state.readers.get(&self.number).map_or(0, |r| r.next)
    }

    /// For whoever hears how far it has come.
    pub(crate) fn progress(&self) -> Progress {
        Progress {
            output: Arc::clone(&self.output),
            number: self.number,
        }
    }

    /// The next bytes and the offset of the first of them; waits for some. None at the end. Nothing is lost if this is
    /// dropped midway.
    pub(crate) async fn read(&mut self) -> Option<(u64, Bytes)> {
        loop {
            let changed = self.output.changed.notified();
            let read = self.try_read();
            match read {
                Read::Some(at, bytes) => {
                    self.output.changed.notify_waiters();
                    return Some((at, bytes));
                }
                Read::End => return None,
                Read::Later => changed.await,
            }
        }
    }

    fn try_read(&self) -> Read {
        let mut state = self.output.lock();
        let (start, end) = (state.start, state.end());
        let (begun, ended) = (state.begun, state.ended);
        let Some(reader) = state.readers.get_mut(&self.number) else {
            return Read::End;
        };
        // Others may have gone on while this reader was being made; never before what is kept.
        let at = reader.next.max(start);
        if ended && (!begun || at >= end) {
            return Read::End;
        }
        let window = (reader.passed_on + WINDOW as u64).saturating_sub(at);
        if !begun || at >= end || window == 0 {
            return Read::Later;
        }
        let take = CHUNK.min(usize::try_from(window).unwrap_or(CHUNK));
        let skip = usize::try_from(at - start).unwrap_or(usize::MAX);
        let chunk: Vec<u8> = state.bytes.range(skip..).take(take).copied().collect();
        let next = at + chunk.len() as u64;
        if let Some(reader) = state.readers.get_mut(&self.number) {
            reader.next = next;
            if !reader.says {
                reader.passed_on = next;
            }
        }
        state.settle();
        Read::Some(at, chunk.into())
    }
}

impl Progress {
    /// The reader has passed on what is before this offset.
    pub(crate) fn passed_on(&self, offset: u64) {
        let mut state = self.output.lock();
        if let Some(reader) = state.readers.get_mut(&self.number) {
            // Never what it has not got, nor what it has said before.
            reader.passed_on = offset.clamp(reader.passed_on, reader.next);
        }
        state.settle();
        drop(state);
        self.output.changed.notify_waiters();
    }
}

enum Read {
    Some(u64, Bytes),
    Later,
    End,
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
mod tests;
