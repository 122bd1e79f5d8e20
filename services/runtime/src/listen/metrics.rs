//! How many connections there are, and why others are not.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Why a connection was refused, or cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There are as many as there may be.
    Connections,
    /// The client has as many as it may have.
    Client,
    /// A trusted proxy did not say for whom it speaks, or not in a way that makes sense.
    ProxyHeader,
    /// The TLS handshake failed.
    Tls,
    /// What must come first took too long.
    HeaderTimeout,
    /// The client did not read its answer.
    SlowReader,
}

impl Reason {
    pub(super) fn name(self) -> &'static str {
        match self {
            Reason::Connections => "connections",
            Reason::Client => "client",
            Reason::ProxyHeader => "proxy_header",
            Reason::Tls => "tls",
            Reason::HeaderTimeout => "header_timeout",
            Reason::SlowReader => "slow_reader",
        }
    }
}

/// Counts connections by listener.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    open: IntGaugeVec,
    refused: IntCounterVec,
}

/// An open connection, counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(IntGauge);

impl Connections {
    pub(crate) fn register(registry: &Registry) -> Self {
        let open = Opts::new("weft_connections_open", "Open connections.");
        let open = IntGaugeVec::new(open, &["listener"]).expect("a valid metric");
        let refused = Opts::new(
            "weft_connections_refused_total",
            "Connections that were refused or cut off, by reason.",
        );
        let labels = ["listener", "reason"];
        let refused = IntCounterVec::new(refused, &labels).expect("a valid metric");
        let both = registry.register(Box::new(open.clone()));
        if let Err(error) = both.and_then(|()| registry.register(Box::new(refused.clone()))) {
            tracing::error!(%error, "connections are not counted");
        }
        Connections { open, refused }
    }

    pub(super) fn opened(&self, listener: &str) -> Open {
        let gauge = self.open.with_label_values(&[listener]);
        gauge.inc();
        Open(gauge)
    }

    pub(super) fn refused(&self, listener: &str, reason: Reason) {
        let labels = [listener, reason.name()];
        self.refused.with_label_values(&labels).inc();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
