//! Proxies between a client and a server that misbehave when told to.

mod throttle;

use std::time::Duration;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::port::Port;
pub use throttle::Throttle;

/// Pieces that are under way in one direction of a connection; more wait in the sender's socket.
const UNDER_WAY: usize = 256;

/// What a [`FaultProxy`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: bytes pass.
    None,
    /// Every byte is this late, in each direction.
    Delay(Duration),
    /// As if the server had died: connections end, and new ones are refused.
    Cut,
    /// As if the network had gone: what is sent is taken, and nothing comes back. When it is over, connections end,
    /// because what was taken is missing from them.
    BlackHole,
}

/// A TCP proxy to one server.
#[derive(Debug)]
pub struct FaultProxy {
    address: String,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Order {
    fault: Fault,
    done: oneshot::Sender<std::io::Result<()>>,
}

impl FaultProxy {
    /// Starts a proxy to this `host:port`, which need not be there yet.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str) -> anyhow::Result<FaultProxy> {
        let port = Port::reserve()?;
        let address = port.address();
        let listener = TcpListener::bind(&address).await?;
        let (orders, receiver) = mpsc::channel(1);
        let proxy = Proxy {
            port,
            upstream: upstream.to_owned(),
            fault: watch::Sender::new(Fault::None),
            connections: JoinSet::new(),
        };
        Ok(FaultProxy {
            address,
            orders,
            task: tokio::spawn(proxy.run(listener, receiver)),
        })
    }

    /// `127.0.0.1:port`; it stays the same.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Does this from now on; it has begun when this returns.
    ///
    /// # Errors
    /// When it cannot listen again after a cut.
    pub async fn set(&self, fault: Fault) -> anyhow::Result<()> {
        let (done, answer) = oneshot::channel();
        let sent = self.orders.send(Order { fault, done }).await;
        sent.ok().context("the proxy has ended")?;
        Ok(answer.await.context("the proxy has ended")??)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Proxy {
    port: Port,
    upstream: String,
    fault: watch::Sender<Fault>,
    connections: JoinSet<()>,
}

impl Proxy {
    async fn run(mut self, listener: TcpListener, mut orders: mpsc::Receiver<Order>) {
        let mut listener = Some(listener);
        loop {
            tokio::select! {
                order = orders.recv() => {
                    let Some(Order { fault, done }) = order else { return };
                    let obeyed = self.obey(fault, &mut listener).await;
                    // Whoever gave the order may have gone.
                    let _ = done.send(obeyed);
                }
                stream = accept(listener.as_ref()) => {
                    let connection = connection(stream, self.upstream.clone(), self.fault.subscribe());
                    self.connections.spawn(connection);
                }
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    async fn obey(
        &mut self,
        fault: Fault,
        listener: &mut Option<TcpListener>,
    ) -> std::io::Result<()> {
        let before = self.fault.send_replace(fault);
        if fault == Fault::Cut {
            *listener = None;
        }
        let ends = fault == Fault::Cut || (before == Fault::BlackHole && fault != before);
        if ends {
            self.connections.shutdown().await;
        }
        if fault != Fault::Cut && listener.is_none() {
            *listener = Some(TcpListener::bind(self.port.address()).await?);
        }
        Ok(())
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        // It fails for a connection that is gone again already; the next one may be fine.
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
    }
}

/// One connection, until both sides have ended it or one has broken.
async fn connection(mut client: TcpStream, upstream: String, fault: watch::Receiver<Fault>) {
    if *fault.borrow() == Fault::BlackHole {
        swallow(&mut client).await;
        return;
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    // Else a delay would be longer than what was asked for.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let up = carry(from_client, to_server, &fault);
    let down = carry(from_server, to_client, &fault);
    // That one side has broken is known to the other by then.
    let _ = tokio::try_join!(up, down);
}

/// Carries one direction, and its end.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    fault: &watch::Receiver<Fault>,
) -> std::io::Result<()> {
    let (queue, mut queued) = mpsc::channel::<(Instant, Bytes)>(UNDER_WAY);
    let read = async move {
        loop {
            let mut piece = BytesMut::with_capacity(64 << 10);
            let ended = from.read_buf(&mut piece).await? == 0;
            let due = match *fault.borrow() {
                Fault::Delay(late) => Instant::now() + late,
                _ => Instant::now(),
            };
            // An empty piece is the end. The writer drops its side only by breaking, which ends this as well.
            if queue.send((due, piece.freeze())).await.is_err() || ended {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = queued.recv().await {
            sleep_until(due).await;
            if *fault.borrow() == Fault::BlackHole {
                // Nor does an end come out of a black hole: the connection is closed when that is over.
                continue;
            }
            to.write_all(&piece).await?;
            if piece.is_empty() {
                return to.shutdown().await;
            }
        }
        std::future::pending().await
    };
    tokio::try_join!(read, write).map(|_| ())
}

async fn swallow(client: &mut TcpStream) {
    let mut piece = vec![0; 64 << 10];
    while client.read(&mut piece).await.is_ok_and(|read| read > 0) {}
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;
    use tokio::time::sleep;

    use super::*;

    // Pipes in memory, so that the clock stands still but for what is waited for.
    #[tokio::test(start_paused = true)]
    async fn every_piece_is_as_late_as_asked_for() -> anyhow::Result<()> {
        let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
        let fault = watch::Sender::new(Fault::Delay(hour));
        let (mut sender, from) = duplex(1024);
        let (to, mut receiver) = duplex(1024);
        let seen = fault.subscribe();
        let carried = tokio::spawn(async move { carry(from, to, &seen).await });
        let sent = tokio::spawn(async move {
            for piece in ["a", "b", "c"] {
                sender.write_all(piece.as_bytes()).await?;
                sleep(second).await;
            }
            sender.shutdown().await
        });
        let started = Instant::now();
        for (nth, piece) in (0..).zip(["a", "b", "c"]) {
            assert_eq!(receiver.read_u8().await?, piece.as_bytes()[0]);
            let waited = started.elapsed().as_secs();
            assert_eq!(waited, 3600 + nth, "{piece}");
        }
        assert_eq!(receiver.read(&mut [0]).await?, 0);
        assert_eq!(started.elapsed().as_secs(), 3603);
        sent.await??;
        carried.await??;
        Ok(())
    }
}
