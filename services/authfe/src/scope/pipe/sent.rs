//! Bytes on their way to the other end, kept until they are safe.

use std::collections::VecDeque;

use bytes::Bytes;

/// The largest piece that is sent.
const PIECE: usize = 16 << 10;

/// What one end wrote, with offsets from its beginning.
#[derive(Debug)]
pub(super) struct Sent {
    bytes: VecDeque<u8>,
    /// The offset of the first byte in `bytes`.
    start: u64,
    /// Everything before this is safe.
    safe: u64,
    /// Everything before this was sent over the stream that stands.
    sent: u64,
    /// How much of what is safe is kept all the same.
    history: usize,
}

impl Sent {
    pub(super) fn new(history: usize) -> Self {
        Sent {
            bytes: VecDeque::new(),
            start: 0,
            safe: 0,
            sent: 0,
            history,
        }
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// How much is not safe yet.
    pub(super) fn unsafe_bytes(&self) -> usize {
        usize::try_from(self.end() - self.safe).unwrap_or(usize::MAX)
    }

    /// Nothing was written so far, and what will be begins here.
    pub(super) fn begin(&mut self, offset: u64) {
        (self.start, self.safe, self.sent) = (offset, offset, offset);
    }

    /// A new stream goes on here; false if what is needed is no longer kept.
    pub(super) fn resume(&mut self, offset: u64) -> bool {
        let kept = (self.start..=self.end()).contains(&offset);
        if kept {
            self.sent = offset;
        }
        kept
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.bytes.extend(data);
    }

    /// Everything before this offset is safe.
    pub(super) fn is_safe(&mut self, offset: u64) {
        self.safe = offset.clamp(self.safe, self.end());
        let keep_from = self.safe.saturating_sub(self.history as u64);
        let drop = usize::try_from(keep_from.saturating_sub(self.start)).unwrap_or(0);
        self.bytes.drain(..drop);
        self.start += drop as u64;
        // An idle pipe shall cost little.
        if self.bytes.is_empty() {
            self.bytes.shrink_to(0);
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.end()
    }

    /// The next piece to send.
    pub(super) fn next(&mut self) -> Bytes {
        let skip = usize::try_from(self.sent.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let take = PIECE.min(self.bytes.len().saturating_sub(skip));
        let (front, back) = self.bytes.as_slices();
        let piece = match skip < front.len() {
            true => &front[skip..front.len().min(skip + take)],
            false => &back[skip - front.len()..skip - front.len() + take],
        };
        self.sent = self.sent.max(self.start) + piece.len() as u64;
        Bytes::copy_from_slice(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(sent: &mut Sent) -> Vec<u8> {
        let mut all = Vec::new();
        while sent.has_unsent() {
            all.extend_from_slice(&sent.next());
        }
        all
    }

    #[test]
    fn what_is_not_safe_is_sent_again() {
        let mut sent = Sent::new(2);
        sent.begin(100);
        sent.push(b"abcdef");
        assert_eq!(all(&mut sent), b"abcdef");
        sent.is_safe(104);
        assert_eq!(
            (sent.start(), sent.end(), sent.unsafe_bytes()),
            (102, 106, 2)
        );
        assert!(sent.resume(104));
        assert_eq!(all(&mut sent), b"ef");
        assert!(sent.resume(102));
        assert_eq!(all(&mut sent), b"cdef");
        assert!(!sent.resume(101) && !sent.resume(107));
        // What was never written cannot be safe.
        sent.is_safe(u64::MAX);
        assert_eq!(sent.unsafe_bytes(), 0);
        assert_eq!(sent.end(), 106);
    }

    #[test]
    fn pieces_are_bounded_and_in_order_round_the_ring() {
        let mut sent = Sent::new(0);
        let mut got = Vec::new();
        let written: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        for part in written.chunks(7_919) {
            sent.push(part);
            while sent.has_unsent() {
                let piece = sent.next();
                assert!((1..=PIECE).contains(&piece.len()));
                got.extend_from_slice(&piece);
            }
            sent.is_safe(got.len() as u64 - 1);
        }
        assert_eq!(got, written);
    }
}
