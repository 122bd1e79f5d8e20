//! The users' store on a real PostgreSQL.

use anyhow::ensure;
use client::Key;
use futures_util::future::try_join_all;
use runtime::Runtime;
use tests::Server;
use url::Url;
use users::{Store, conformance};

fn runtime() -> Runtime {
    Runtime::new(runtime::Config::default(), Key::generate())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_on_postgres() -> anyhow::Result<()> {
    let server = Server::postgres().await?;
    let url = Url::parse(&server.database()?)?;
    // All at once, so that they must agree on who migrates.
    let runtimes: Vec<Runtime> = (0..4).map(|_| runtime()).collect();
    let stores = try_join_all(runtimes.iter().map(|rt| Store::open(&url, rt))).await?;
    conformance::conformance(&stores[0]).await;
    conformance::races(&stores).await;
    ensure!(
        users::migrate(&url, &runtime()).await?.is_empty(),
        "migrated twice"
    );
    Ok(())
}

#[tokio::test]
async fn wrong_password_is_told_and_not_shown() -> anyhow::Result<()> {
    let server = Server::postgres().await?;
    let file = server.folder().join("wrong");
    std::fs::write(&file, "hunter2")?;
    let mut url = Url::parse(&server.database()?)?;
    url.set_query(Some(&format!("credentials={}", file.display())));
    let refused = Store::open(&url, &runtime()).await.expect_err("refused");
    let text = format!("{refused} {refused:?}");
    ensure!(text.contains("password authentication failed"), "{text}");
    ensure!(!text.contains("hunter2"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn store_that_is_away_at_the_start_comes_later() -> anyhow::Result<()> {
    let mut server = Server::postgres().await?;
    let url = Url::parse(&server.database()?)?;
    server.kill();
    let rt = runtime();
    let store = Store::open(&url, &rt).await?;
    ensure!(!conformance::is_ready(&store).await, "it is away");
    ensure!(!rt.dependency("users-store").is_up(), "and told so");
    server.restart().await?;
    let ready = async {
        // The schema comes a moment after the server.
        while !conformance::is_ready(&store).await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), ready).await?;
    conformance::conformance(&store).await;
    Ok(())
}
