//! What all WebSockets have in common: pings, deadlines, closing.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

/// As Scope's app and probes: two thirds of the deadline minus the write deadline.
const PING: Duration = Duration::from_millis(33_330);
/// A peer from which nothing came for this long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How long one message may take to be written.
const WRITE: Duration = Duration::from_secs(10);
/// No peer has reason to send larger messages.
pub(crate) const MESSAGE_BYTES: usize = 1 << 20;

/// A socket that pings, notices silence and ends with a close frame.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: WebSocket,
    ping: Interval,
    heard: Instant,
    /// That the caller may no more, and that the process shuts down.
    ends: [CancellationToken; 2],
}

impl Socket {
    pub(crate) fn new(inner: WebSocket, ends: [CancellationToken; 2]) -> Self {
        let mut ping = interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Socket {
            inner,
            ping,
            heard: Instant::now(),
            ends,
        }
    }

    /// The next text or binary message; none when the socket has ended, has gone silent, the caller may no more, or the
    /// process shuts down.
    /// Nothing is lost if this is dropped midway.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let silent = self.heard + SILENCE;
            tokio::select! {
                () = self.ends[0].cancelled() => return None,
                () = self.ends[1].cancelled() => return None,
                () = tokio::time::sleep_until(silent) => return None,
                _ = self.ping.tick() => {
                    self.send(Message::Ping(Bytes::new())).await?;
                }
                message = self.inner.recv() => {
                    self.heard = Instant::now();
                    match message?.ok()? {
                        Message::Ping(_) | Message::Pong(_) => {}
                        Message::Close(_) => return None,
                        message => return Some(message),
                    }
                }
            }
        }
    }

    /// Sends a message; none when the peer does not take it, the caller may no more, or the process shuts down. A socket that
    /// is only ever written to must end too.
    pub(crate) async fn send(&mut self, message: Message) -> Option<()> {
        if self.ends.iter().any(CancellationToken::is_cancelled) {
            self.write(self.farewell("")).await;
            return None;
        }
        self.write(message).await
    }

    /// Waits until the socket cannot be written to, the caller may no more, or the process shuts down: for whoever does not
    /// listen now. The peer's pings wait unread meanwhile, and it would take the silence for the end; so it gets pongs
    /// unasked, which count with Scope's probes as any others do.
    /// Nothing is lost if this is dropped midway.
    pub(crate) async fn over(&mut self) {
        loop {
            tokio::select! {
                () = self.ends[0].cancelled() => return,
                () = self.ends[1].cancelled() => return,
                _ = self.ping.tick() => {
                    for message in [Message::Pong(Bytes::new()), Message::Ping(Bytes::new())] {
                        if self.send(message).await.is_none() {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Nobody listened for a while, for which the peer's silence is not to blame.
    pub(crate) fn listen_again(&mut self) {
        self.heard = Instant::now();
    }

    /// Says that the stream has ended, not broken.
    pub(crate) async fn close(mut self, reason: &'static str) {
        self.write(self.farewell(reason)).await;
    }

    /// Ends the stream with this code.
    pub(crate) async fn close_with(mut self, code: u16, reason: &'static str) {
        let reason = reason.into();
        let frame = CloseFrame { code, reason };
        self.write(Message::Close(Some(frame))).await;
    }

    async fn write(&mut self, message: Message) -> Option<()> {
        timeout(WRITE, self.inner.send(message)).await.ok()?.ok()
    }

    /// A close frame with the reason: 1008 when the caller may no more, 1001 when the process goes away and the peer may
    /// connect again at once, to another or the next.
    fn farewell(&self, reason: &'static str) -> Message {
        let code = match &self.ends {
            [revoked, _] if revoked.is_cancelled() => close_code::POLICY,
            [_, shutdown] if shutdown.is_cancelled() => close_code::AWAY,
            _ => close_code::NORMAL,
        };
        Message::Close(Some(CloseFrame {
            code,
            reason: reason.into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{IntoFuture, pending};

    use axum::Router;
    use axum::extract::ws::WebSocketUpgrade;
    use axum::routing::get;
    use futures_util::StreamExt;
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::client_async;
    use tokio_tungstenite::tungstenite::Message as Heard;

    use super::*;

    /// One connection in memory, so that the clock stands still but for what is waited for.
    struct Once(Option<DuplexStream>);

    impl axum::serve::Listener for Once {
        type Io = DuplexStream;
        type Addr = ();

        async fn accept(&mut self) -> (DuplexStream, ()) {
            match self.0.take() {
                Some(io) => (io, ()),
                None => pending().await,
            }
        }

        fn local_addr(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    async fn not_read(upgrade: WebSocketUpgrade) -> axum::response::Response {
        upgrade.on_upgrade(async |socket| {
            Socket::new(socket, Default::default()).over().await;
        })
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_is_not_read_from_hears_pongs() {
        let (near, far) = duplex(1024);
        let router = Router::new().route("/", get(not_read));
        tokio::spawn(axum::serve(Once(Some(near)), router).into_future());
        let (mut peer, _) = client_async("ws://edge/", far).await.expect("upgraded");
        for _ in 0..5 {
            let pong = async {
                while peer.next().await.expect("open").expect("sound") != Heard::Pong(Bytes::new())
                {
                }
            };
            timeout(SILENCE, pong)
                .await
                .expect("before it counts as gone");
        }
    }
}
