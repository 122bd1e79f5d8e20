//! Ending while others are connected.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use tests::fake_probe;
use tests::{Sandbox, http};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::PATIENCE;

#[tokio::test]
async fn readiness_goes_first_and_sockets_are_told() -> anyhow::Result<()> {
    let weft = Sandbox::start_with(&["--drain-delay", "1s"]).await?;
    let (address, admin) = (weft.address.clone(), weft.admin.clone());
    let headers = [
        ("x-scope-probe-id", "p"),
        ("x-scope-probe-version", "1.13.2"),
    ];
    let open = fake_probe::open(&address, "/api/control/ws", &headers).await;
    let mut probe = open.ok().context("a control socket")?;
    let open = fake_probe::open(&address, "/api/topology/hosts/ws", &[]).await;
    let mut page = open.ok().context("a watch")?;
    let first = timeout(PATIENCE, page.next())
        .await?
        .context("a first answer")??;
    ensure!(first.is_text());

    let ending = tokio::spawn(weft.interrupt(PATIENCE));
    let started = Instant::now();
    while http::get(&admin, "/readyz").await?.status == 200 {
        ensure!(started.elapsed() < PATIENCE, "ready for ever");
    }
    // Load balancers have not noticed yet.
    ensure!(http::get(&address, "/api").await?.status == 200);
    for socket in [&mut probe, &mut page] {
        let close = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(frame))) => return frame,
                    Some(Ok(_)) => {}
                    _ => return None,
                }
            }
        };
        let frame = timeout(PATIENCE, close).await?.context("no close frame")?;
        ensure!(u16::from(frame.code) == 1001, "{frame:?}");
    }
    ensure!(started.elapsed() >= Duration::from_millis(500), "no delay");
    let code = ending.await??;
    ensure!(code == Some(0), "{code:?}");
    Ok(())
}
