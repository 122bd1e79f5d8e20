//! What users write, until it was passed on to the probe.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::pipes::v1::WriterPosition;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::WINDOW;

/// How long a numbered write waits for those before it.
const GAP: Duration = Duration::from_secs(5);
/// Writers that are remembered; those that wrote least recently are forgotten first.
const WRITERS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Input {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Not passed on yet, in order.
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// How many of the pieces the attached probe's end has got, and how many of their bytes it has passed on.
    sent: usize,
    confirmed: u64,
    /// Counts attachments of the probe's end: only the newest one gets pieces.
    attachment: u64,
    writers: HashMap<String, Writer>,
}

/// Bytes of one writer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    pub(crate) data: Bytes,
    /// Whose they are, and how far it has come with them.
    pub(crate) written: WriterPosition,
    /// Whether positions of this writer count bytes, as a link's do, and not calls.
    counts_bytes: bool,
}

#[derive(Debug)]
struct Writer {
    /// Counts its attachments, if it is a link: only the newest one writes.
    attachment: u64,
    accepted: u64,
    passed_on: u64,
    used: Instant,
}

/// Why bytes could not be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("an earlier write of this writer is missing")]
    Gap,
    #[error("too many writers on one pipe")]
    Writers,
    #[error("what this link has sent before is no longer known; attach with a new link")]
    Unknown,
}

impl Input {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user's end attaches that can send these bytes again, or a new one; the offset from which it is to send, and the
    /// number of its attachment.
    pub(crate) fn link(
        &self,
        writer: &str,
        kept: Option<(u64, u64)>,
    ) -> Result<(u64, u64), WriteError> {
        let mut state = self.lock();
        let (from, to) = kept.unwrap_or((0, 0));
        let known = state.writers.contains_key(writer);
        let writer = state.writer(writer, from)?;
        let fits = kept.is_some() && (from..=to).contains(&writer.accepted);
        if known && !fits {
            return Err(WriteError::Unknown);
        }
        writer.attachment += 1;
        Ok((writer.accepted, writer.attachment))
    }

    /// Appends what a link wrote next; waits while too much is under way. Fails for an attachment that a newer one has
    /// taken over from.
    pub(crate) async fn push(
        &self,
        (writer, attachment): (&str, u64),
        data: Bytes,
    ) -> Result<(), WriteError> {
        self.room().await;
        let mut state = self.lock();
        let link = state.writer(writer, 0)?;
        if link.attachment != attachment {
            return Err(WriteError::Unknown);
        }
        link.accepted += data.len() as u64;
        let position = link.accepted;
        state.append(writer, position, data, true);
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Appends the write with this number, once and after those before it. `moved` tells that another replica may have
    /// taken those.
    pub(crate) async fn push_numbered(
        &self,
        writer: &str,
        sequence: u64,
        data: Bytes,
        moved: bool,
    ) -> Result<(), WriteError> {
        let before = if moved { sequence.saturating_sub(1) } else { 0 };
        let late = Instant::now() + GAP;
        self.lock().writer(writer, before)?;
        let turn = async {
            loop {
                let changed = self.changed.notified();
                let full = {
                    let mut state = self.lock();
                    let accepted = state.writer(writer, before)?.accepted;
                    if sequence <= accepted {
                        return Ok(());
                    }
                    let next = sequence == accepted + 1;
                    if next && state.bytes < WINDOW {
                        state.writer(writer, before)?.accepted = sequence;
                        state.append(writer, sequence, data, false);
                        drop(state);
                        self.changed.notify_waiters();
                        return Ok(());
                    }
                    next
                };
                match full {
                    true => changed.await,
                    // Only those before it are waited for by the clock.
                    false => timeout_at(late, changed)
                        .await
                        .map_err(|_| WriteError::Gap)?,
                }
            }
        };
        turn.await
    }

    async fn room(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().bytes < WINDOW {
                return;
            }
            changed.await;
        }
    }

    /// How far a writer's bytes were passed on to the probe, once that is more than `last`.
    pub(crate) async fn passed_on_after(&self, writer: &str, last: u64) -> u64 {
        loop {
            let changed = self.changed.notified();
            let passed_on = self.lock().writers.get(writer).map_or(0, |w| w.passed_on);
            if passed_on > last {
                return passed_on;
            }
            changed.await;
        }
    }

    /// A probe's end attaches that has passed this on already; the number of its attachment.
    pub(crate) fn attach(&self, passed_on: &[WriterPosition]) -> u64 {
        let mut state = self.lock();
        for WriterPosition {
            writer_id,
            position,
        } in passed_on.iter().take(WRITERS)
        {
            // There is room unless it makes writers up, which it may do with its own pipe.
            if let Ok(writer) = state.writer(writer_id, *position) {
                writer.passed_on = writer.passed_on.max(*position);
                writer.accepted = writer.accepted.max(*position);
            }
        }
        state.drop_passed_on();
        (state.sent, state.confirmed) = (0, 0);
        state.attachment += 1;
        let attachment = state.attachment;
        drop(state);
        self.changed.notify_waiters();
        attachment
    }

    /// The next piece for this attachment; waits for one. None when a newer one took over. If it `says` nothing about what
    /// it has passed on, the piece counts as passed on.
    pub(crate) async fn next(&self, attachment: u64, says: bool) -> Option<Piece> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if state.attachment != attachment {
                    return None;
                }
                if let Some(piece) = state.pieces.get(state.sent).cloned() {
                    state.sent += 1;
                    if !says {
                        state.pass_on();
                        drop(state);
                        self.changed.notify_waiters();
                    }
                    return Some(piece);
                }
            }
            changed.await;
        }
    }

    /// This attachment has passed on so many bytes in all.
    pub(crate) fn confirm(&self, attachment: u64, bytes: u64) {
        let mut state = self.lock();
        if state.attachment != attachment {
            return;
        }
        while state.sent > 0
            && let Some(piece) = state.pieces.front()
            && state.confirmed + piece.data.len() as u64 <= bytes
        {
            state.confirmed += piece.data.len() as u64;
            state.pass_on();
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

impl State {
    /// The writer of this name, which has come this far if it is new.
    fn writer(&mut self, id: &str, position: u64) -> Result<&mut Writer, WriteError> {
        if !self.writers.contains_key(id) {
            if self.writers.len() >= WRITERS {
                self.forget_a_writer()?;
            }
            let writer = Writer {
                attachment: 0,
                accepted: position,
                passed_on: position,
                used: Instant::now(),
            };
            self.writers.insert(id.to_owned(), writer);
        }
        let writer = self.writers.get_mut(id).ok_or(WriteError::Writers)?;
        writer.used = Instant::now();
        Ok(writer)
    }

    fn forget_a_writer(&mut self) -> Result<(), WriteError> {
        let done = self
            .writers
            .iter()
            .filter(|(_, w)| w.accepted == w.passed_on);
        let oldest = done.min_by_key(|(_, w)| w.used).map(|(id, _)| id.clone());
        self.writers.remove(&oldest.ok_or(WriteError::Writers)?);
        Ok(())
    }

    fn append(&mut self, writer: &str, position: u64, data: Bytes, counts_bytes: bool) {
        self.bytes += data.len();
        let writer_id = writer.to_owned();
        self.pieces.push_back(Piece {
            data,
            written: WriterPosition {
                writer_id,
                position,
            },
            counts_bytes,
        });
    }

    /// The first piece was passed on.
    fn pass_on(&mut self) {
        let Some(piece) = self.pieces.pop_front() else {
            return;
        };
        self.sent = self.sent.saturating_sub(1);
        self.bytes -= piece.data.len();
        if let Some(writer) = self.writers.get_mut(&piece.written.writer_id) {
            writer.passed_on = writer.passed_on.max(piece.written.position);
        }
    }

    /// Takes out what the probe's end had from another replica, which may have cut it otherwise.
    fn drop_passed_on(&mut self) {
        let writers = &self.writers;
        self.pieces.retain_mut(|piece| {
            let WriterPosition {
                writer_id,
                position,
            } = &piece.written;
            let passed_on = writers.get(writer_id).map_or(0, |w| w.passed_on);
            let left = usize::try_from(position.saturating_sub(passed_on)).unwrap_or(usize::MAX);
            if piece.counts_bytes && left < piece.data.len() {
                piece.data = piece.data.split_off(piece.data.len() - left);
            }
            left > 0
        });
        self.bytes = self.pieces.iter().map(|piece| piece.data.len()).sum();
    }
}

#[cfg(test)]
mod tests;
