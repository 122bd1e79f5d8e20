//! A stream whose first bytes were read already, and whose peer must go on reading.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Kept;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A peer that takes nothing for this long is cut off, and what waits for it is forgotten.
pub(super) const WRITE_STALL: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Guarded<S> {
    inner: S,
    /// Read from `inner`, and not by whoever reads this.
    ahead: BytesMut,
    /// While `inner` takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Dropped with the stream.
    kept: Option<Kept>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(super) fn new(inner: S) -> Self {
        Guarded {
            inner,
            ahead: BytesMut::new(),
            stalled: None,
            kept: None,
        }
    }

    /// Keeps this for as long as the stream is open.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    /// What was read ahead.
    pub(super) fn ahead(&mut self) -> &mut BytesMut {
        &mut self.ahead
    }

    /// Reads some more ahead; an error at the end of the stream.
    pub(super) async fn read_ahead(&mut self) -> io::Result<()> {
        match self.inner.read_buf(&mut self.ahead).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let new = || Box::pin(sleep_until(Instant::now() + WRITE_STALL));
        let stalled = self.stalled.get_or_insert_with(new);
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        let n = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..n]);
        self.ahead.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn what_was_read_ahead_comes_first() {
        let (mut far, near) = tokio::io::duplex(64);
        far.write_all(b"hello world").await.expect("room");
        drop(far);
        let mut near = Guarded::new(near);
        near.read_ahead().await.expect("bytes");
        near.ahead().advance(6);
        let mut text = String::new();
        near.read_to_string(&mut text).await.expect("text");
        assert_eq!(text, "world");
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_reads_nothing_is_cut_off() {
        let (_far, near) = tokio::io::duplex(64);
        let mut near = Guarded::new(near);
        let started = Instant::now();
        let written = near.write_all(&[0; 65]).await;
        assert_eq!(written.map_err(|e| e.kind()), Err(io::ErrorKind::TimedOut));
        assert!(started.elapsed() >= WRITE_STALL);
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_reads_slowly_is_not() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut near = Guarded::new(near);
        let writing = tokio::spawn(async move { near.write_all(&[0; 128]).await });
        let mut byte = [0; 1];
        for _ in 0..64 {
            tokio::time::advance(WRITE_STALL / 2).await;
            far.read_exact(&mut byte).await.expect("a byte");
        }
        writing.await.expect("no panic").expect("all is written");
    }
}
