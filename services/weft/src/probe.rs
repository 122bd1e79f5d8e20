//! `weft probe`, and the probe of `weft up`.

use std::net::SocketAddr;

use anyhow::Context;
use runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::args::Probe;
use crate::signals;

pub(crate) async fn run(args: Probe) -> anyhow::Result<()> {
    let token = args
        .token_file
        .map(|path| {
            std::fs::read_to_string(&path)
                .with_context(|| format!("cannot read the token file {}", path.display()))
        })
        .transpose()?;
    let config = probe::Config {
        token: token.map(probe::Token::from),
        controls: !args.no_controls,
        ..probe::Config::new(args.url)
    };
    let shutdown = CancellationToken::new();
    signals::cancel_on_signal(shutdown.clone())?;
    probe::run(config, shutdown).await?;
    Ok(())
}

/// Reports this machine to the edge of this process.
pub(crate) fn spawn(edge: SocketAddr, token: Option<users::Secret>, rt: &Runtime) {
    // An edge that listens on every address is reached on the loopback one.
    let mut edge = edge;
    if edge.ip().is_unspecified() {
        edge.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let config = probe::Config {
        token: token.map(|token| probe::Token::from(token.reveal())),
        ..probe::Config::new(format!("http://{edge}"))
    };
    let shutdown = rt.shutdown.clone();
    rt.spawn_draining("probe", async move {
        if let Err(error) = probe::run(config, shutdown).await {
            tracing::error!(%error, "the probe ended");
        }
    });
}

/// What this machine is called.
pub(crate) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
