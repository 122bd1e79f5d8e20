//! Every backend that needs a server does what the suites say, tells when its server is away, and heals by itself.

mod outages;

use client::Key;
use runtime::Runtime;
use stores::{Ends, Index, Objects, Queues, Shortcuts, conformance};
use tests::Server;
use url::Url;

/// What one process has around its stores.
fn runtime() -> Runtime {
    Runtime::new(runtime::Config::default(), Key::generate())
}

fn aws_url(server: &Server, store: &str, address: &str) -> anyhow::Result<Url> {
    let credentials = server.credentials_file()?;
    let credentials = credentials.display();
    let text = format!("{store}?endpoint=http://{address}&credentials={credentials}");
    Ok(Url::parse(&text)?)
}

/// A bucket behind this address.
async fn objects(server: &Server, address: &str, rt: &Runtime) -> anyhow::Result<Objects> {
    let url = aws_url(server, "s3://weft/reports", address)?;
    Ok(Objects::open(&url, rt).await?)
}

/// A table behind this address, which it makes.
async fn index(server: &Server, address: &str, rt: &Runtime) -> anyhow::Result<Index> {
    let mut url = aws_url(server, "dynamodb://Weft-Index", address)?;
    url.query_pairs_mut().append_pair("create", "true");
    Ok(Index::open(&url, rt).await?)
}

async fn shortcuts(address: &str, rt: &Runtime) -> anyhow::Result<Shortcuts> {
    let url = Url::parse(&format!("nats://{address}"))?;
    Ok(Shortcuts::open(&url, rt).await?)
}

async fn ends(address: &str, rt: &Runtime) -> anyhow::Result<Ends> {
    let url = Url::parse(&format!("consul://{address}/weft/test"))?;
    Ok(Ends::open(&url, rt).await?)
}

async fn objects_pass(server: &Server) -> anyhow::Result<()> {
    server.make_bucket("weft").await?;
    let store = objects(server, &server.address(), &runtime()).await?;
    conformance::objects(&store).await;
    Ok(())
}

#[tokio::test]
async fn objects_on_s3s_fs() -> anyhow::Result<()> {
    objects_pass(&Server::s3s_fs().await?).await
}

#[tokio::test]
async fn objects_on_moto() -> anyhow::Result<()> {
    objects_pass(&Server::moto().await?).await
}

async fn index_passes(server: &Server) -> anyhow::Result<()> {
    let store = index(server, &server.address(), &runtime()).await?;
    conformance::index(&store).await;
    Ok(())
}

#[tokio::test]
async fn index_on_dynoxide() -> anyhow::Result<()> {
    index_passes(&Server::dynoxide().await?).await
}

#[tokio::test]
async fn index_on_moto() -> anyhow::Result<()> {
    index_passes(&Server::moto().await?).await
}

#[tokio::test]
async fn shortcuts_on_nats() -> anyhow::Result<()> {
    let server = Server::nats().await?;
    let one = shortcuts(&server.address(), &runtime()).await?;
    let other = shortcuts(&server.address(), &runtime()).await?;
    tokio::time::timeout(std::time::Duration::from_secs(20), until_connected(&one)).await?;
    conformance::shortcuts(&one, &one).await;
    conformance::shortcuts(&one, &other).await;
    Ok(())
}

async fn queues(server: &Server, address: &str, rt: &Runtime) -> Queues {
    let url = aws_url(server, "sqs://Weft-test", address).expect("a URL");
    Queues::open(&url, rt).await.expect("opened")
}

#[tokio::test]
async fn queues_on_moto() -> anyhow::Result<()> {
    let server = Server::moto().await?;
    let one = queues(&server, &server.address(), &runtime()).await;
    let other = queues(&server, &server.address(), &runtime()).await;
    conformance::queues(&one, &one).await;
    conformance::queues(&one, &other).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_controls_on_moto() -> anyhow::Result<()> {
    let server = Server::moto().await?;
    let address = server.address();
    controls::conformance::replicas(async |rt| queues(&server, &address, rt).await).await;
    Ok(())
}

async fn until_connected(shortcuts: &Shortcuts) {
    let shortcut = stores::Shortcut {
        replica: String::new(),
        sequence: 0,
    };
    while shortcuts.publish("nobody", &shortcut).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn ends_on_consul() -> anyhow::Result<()> {
    let server = Server::consul().await?;
    let one = ends(&server.address(), &runtime()).await?;
    let other = ends(&server.address(), &runtime()).await?;
    conformance::ends(&one, &one).await;
    conformance::ends(&one, &other).await;
    Ok(())
}

#[tokio::test]
async fn two_processes_make_one_table() -> anyhow::Result<()> {
    let server = Server::dynoxide().await?;
    let (one, other) = (runtime(), runtime());
    let one = index(&server, &server.address(), &one).await?;
    let other = index(&server, &server.address(), &other).await?;
    let (made, found) = tokio::join!(one.hours(1, 1), other.hours(1, 1));
    assert!(made?.is_empty() && found?.is_empty());
    Ok(())
}
