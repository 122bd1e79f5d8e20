//! Accepting connections.
//!
//! ```text
//! accept ─▶ slots ─▶ PROXY header ─▶ TLS ─▶ first bytes ─▶ HTTP/1.1 or HTTP/2 ─▶ router, told the client's address
//! ```
//!
//! **Invariant:** whatever a peer sends, or does not, a connection has a bound on its memory and on the time for each step.

mod connection;
mod guarded;
mod metrics;
mod origin;
mod preface;
mod proxy_header;
mod slots;
mod stalls;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::Runtime;
use guarded::Guarded;
use metrics::{Open, Reason};
use origin::Origin;
use slots::{Slot, Slots};

pub(crate) use connection::serve_in_memory;
pub(crate) use metrics::Connections;
pub use origin::{Proxies, network};
pub use tls::{Tls, TlsError};

/// A sender that takes longer for a PROXY header, a TLS handshake, or request line and headers, is cut off.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What a listener allows its peers, and believes of them.
#[derive(Debug, Clone)]
pub struct Listening {
    /// What it is called in metrics.
    pub name: &'static str,
    /// Whether strangers connect: what their headers say of addresses is replaced by what is so, and a client that does
    /// not read its answers is cut off, with all its streams. Other services of ours share connections among many.
    pub public: bool,
    /// Open connections; more are closed at once. 16,384 by default.
    pub connections: usize,
    /// Open connections of one client: an IPv4 address or an IPv6 /64. No bound by default.
    pub connections_per_client: usize,
    /// Whether clients on this machine may have more than that.
    pub spare_loopback: bool,
    /// Who may say for whom it speaks. Nobody by default.
    pub proxies: Proxies,
    /// Certificate and key; without, connections are in clear text.
    pub tls: Option<Tls>,
}

impl Listening {
    /// A listener for other services of ours, with the defaults.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Listening {
            name,
            public: false,
            connections: 16_384,
            connections_per_client: usize::MAX,
            spare_loopback: true,
            proxies: Proxies::default(),
            tls: None,
        }
    }
}

/// Serves HTTP/1.1 (with upgrades) and HTTP/2 on one port until shutdown, then lets open requests end.
pub async fn serve(listener: TcpListener, router: Router, listening: Listening, rt: &Runtime) {
    let door = Door {
        slots: Slots::new(&listening),
        listening,
        router,
        rt: rt.clone(),
    };
    loop {
        let accepted = tokio::select! {
            () = rt.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be freed instead of spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Before a task is made for it: refusing must be cheaper than connecting.
        match door.slot(peer) {
            Ok(slot) => {
                let door = door.clone();
                rt.spawn_draining(
                    "connection",
                    async move { door.admit(stream, peer, slot).await },
                );
            }
            Err(reason) => door.refuse(reason, peer),
        }
    }
}

/// What a connection holds for as long as it is open, also after it became a WebSocket and is hyper's no more.
#[derive(Debug)]
struct Kept {
    slot: Slot,
    _open: Open,
    /// Shutdown waits for it.
    _drain: TaskTrackerToken,
}

/// What all connections of a listener share.
#[derive(Debug, Clone)]
struct Door {
    listening: Listening,
    slots: Slots,
    router: Router,
    rt: Runtime,
}

impl Door {
    /// Proxies have no bound of their own: behind one are many clients.
    fn slot(&self, peer: SocketAddr) -> Result<Slot, Reason> {
        let slot = self.slots.take()?;
        match self.listening.proxies.include(peer.ip()) {
            true => Ok(slot),
            false => self.slots.of_client(slot, peer.ip()),
        }
    }

    fn refuse(&self, reason: Reason, peer: SocketAddr) {
        self.rt.connections.refused(self.listening.name, reason);
        tracing::debug!(%peer, reason = reason.name(), "connection refused");
    }

    async fn admit(self, stream: TcpStream, peer: SocketAddr, slot: Slot) {
        let kept = Kept {
            slot,
            _open: self.rt.connections.opened(self.listening.name),
            _drain: self.rt.held(),
        };
        if let Err(reason) = self.talk(stream, peer, kept).await {
            self.refuse(reason, peer);
        }
    }

    async fn talk(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        mut kept: Kept,
    ) -> Result<(), Reason> {
        // Fails only if the peer has gone already, which the next read tells.
        let _ = stream.set_nodelay(true);
        let proxies = &self.listening.proxies;
        let mut stream = Guarded::new(stream);
        let mut client = peer;
        if proxies.introduce() && proxies.include(peer.ip()) {
            let header = timeout(HEADER_TIMEOUT, proxy_header::read(&mut stream)).await;
            let header = header.map_err(|_| Reason::HeaderTimeout)?;
            // None: the proxy speaks for itself, as when it asks for the health.
            if let Some(address) = header.map_err(|_| Reason::ProxyHeader)? {
                client = address;
                kept.slot = self.slots.of_client(kept.slot, client.ip())?;
            }
        }
        stream.keep(kept);
        let origin = match self.listening.public {
            true => Origin::new(peer, client, proxies.clone()),
            false => Origin::ours(peer),
        };
        match &self.listening.tls {
            None => self.http(stream, origin).await,
            Some(tls) => {
                let shaken = timeout(HEADER_TIMEOUT, tls.accept(stream)).await;
                let stream = shaken.map_err(|_| Reason::HeaderTimeout)?;
                let stream = stream.map_err(|_| Reason::Tls)?;
                self.http(Guarded::new(stream), origin.secure()).await
            }
        }
    }

    async fn http<S>(&self, mut stream: Guarded<S>, origin: Origin) -> Result<(), Reason>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let begun = timeout(HEADER_TIMEOUT, preface::wait(&mut stream)).await;
        match begun.map_err(|_| Reason::HeaderTimeout)? {
            Ok(()) => connection::serve(stream, origin, self.router.clone(), &self.rt).await,
            // The peer has gone.
            Err(_) => Ok(()),
        }
    }
}
