//! What a store says when its server is away, and that it is back without anybody's help.

use std::time::Duration;

use anyhow::ensure;
use proto::storage::v1::PipePlace;
use runtime::{Dependency, Runtime};
use stores::{Index, IndexEntry, Objects, PipeKey, REPLICA_LIFETIME, Shortcut, StoreError};
use tests::{Fault, FaultProxy, Server, Throttle};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use url::Url;

use super::{aws_url, ends, index, objects, runtime, shortcuts};

/// How long healing may take: it is tried every 2 s, and every 4 s by the client of NATS.
const SOON: Duration = Duration::from_secs(20);

async fn heals(dependency: &Dependency) -> anyhow::Result<()> {
    timeout(SOON, dependency.until(true)).await?;
    Ok(())
}

/// As `/readyz` tells.
async fn readyz(rt: &Runtime) -> anyhow::Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let served = rt.clone();
    tokio::spawn(async move {
        let private = runtime::Listening::new("private");
        runtime::serve(listener, runtime::admin::router(&served), private, &served).await
    });
    let answer = tests::http::get(&address, "/readyz").await?;
    ensure!(answer.status == 200, "{}", answer.status);
    Ok(answer.text())
}

fn entry() -> IndexEntry {
    IndexEntry {
        org: "org".to_owned(),
        first: 1,
        last: 1,
        name: "x".to_owned(),
        payload: "payload".into(),
    }
}

#[tokio::test]
async fn objects_come_back() -> anyhow::Result<()> {
    let mut server = Server::s3s_fs().await?;
    server.make_bucket("weft").await?;
    let rt = runtime();
    let store = objects(&server, &server.address(), &rt).await?;
    store.put("a", "kept".into()).await?;
    let dependency = rt.dependency("objects");
    assert_eq!(readyz(&rt).await?, "ok\n");

    server.kill();
    let put = store.put("b", "lost".into()).await;
    ensure!(put.as_ref().is_err_and(StoreError::is_transient), "{put:?}");
    let got = store.get("a", 0..4).await;
    ensure!(got.as_ref().is_err_and(StoreError::is_transient), "{got:?}");
    assert!(!dependency.is_up());
    let told = readyz(&rt).await?;
    ensure!(told.starts_with("degraded\nobjects: the store is unavailable: "));

    server.restart().await?;
    heals(&dependency).await?;
    assert_eq!(store.get("a", 0..4).await?, "kept");
    assert_eq!(readyz(&rt).await?, "ok\n");
    Ok(())
}

#[tokio::test]
async fn index_comes_back_even_from_memory() -> anyhow::Result<()> {
    let mut server = Server::moto().await?;
    let rt = runtime();
    let store = index(&server, &server.address(), &rt).await?;
    store.put(&[entry()]).await?;
    let dependency = rt.dependency("index");

    server.kill();
    let put = store.put(&[entry()]).await;
    ensure!(put.as_ref().is_err_and(StoreError::is_transient), "{put:?}");
    assert!(!dependency.is_up());

    // It has forgotten the table.
    server.restart().await?;
    heals(&dependency).await?;
    store.put(&[entry()]).await?;
    assert_eq!(store.query("org", 0, 9).await?, [entry()]);
    assert_eq!(store.hours(9, 9).await?, [(0, "org".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn shortcuts_come_back_with_their_listeners() -> anyhow::Result<()> {
    let mut server = Server::nats().await?;
    server.kill();
    let rt = runtime();
    let store = shortcuts(&server.address(), &rt).await?;
    let mut heard = store.subscribe("org").await?;
    let dependency = rt.dependency("shortcuts");
    timeout(SOON, dependency.until(false)).await?;
    let shortcut = |sequence| Shortcut {
        replica: "r".to_owned(),
        sequence,
    };
    for sequence in [1, 3] {
        let lost = store.publish("org", &shortcut(sequence)).await;
        ensure!(
            lost.as_ref().is_err_and(StoreError::is_transient),
            "{lost:?}"
        );
        server.restart().await?;
        heals(&dependency).await?;
        store.publish("org", &shortcut(sequence + 1)).await?;
        let next = timeout(SOON, heard.next()).await?;
        assert_eq!(next, Some(shortcut(sequence + 1)));
        server.kill();
        timeout(SOON, dependency.until(false)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn silence_is_noticed() -> anyhow::Result<()> {
    let server = Server::s3s_fs().await?;
    server.make_bucket("weft").await?;
    let proxy = FaultProxy::start(&server.address()).await?;
    let rt = runtime();
    let store = objects(&server, proxy.address(), &rt).await?;
    store.put("a", "x".into()).await?;
    proxy.set(Fault::BlackHole).await?;
    let put = timeout(SOON, store.put("a", "y".into())).await?;
    ensure!(put.as_ref().is_err_and(StoreError::is_transient), "{put:?}");
    proxy.set(Fault::None).await?;
    heals(&rt.dependency("objects")).await?;
    store.put("a", "y".into()).await?;
    Ok(())
}

#[tokio::test]
async fn throttling_is_told_and_ends() -> anyhow::Result<()> {
    let server = Server::dynoxide().await?;
    let throttle = Throttle::start(&server.address()).await?;
    let rt = runtime();
    let store = index(&server, throttle.address(), &rt).await?;
    store.put(&[entry()]).await?;

    throttle.set(100)?;
    let put = store.put(&[entry()]).await;
    ensure!(matches!(put, Err(StoreError::Throttled(_))), "{put:?}");
    let query = store.query("org", 0, 9).await;
    ensure!(matches!(query, Err(StoreError::Throttled(_))), "{query:?}");
    throttle.set(0)?;
    store.put(&[entry()]).await?;
    assert!(rt.dependency("index").is_up());

    // Reads are tried three times.
    throttle.set(50)?;
    assert_eq!(store.query("org", 0, 9).await?, [entry()]);
    Ok(())
}

#[tokio::test]
async fn refusals_say_what_to_do() -> anyhow::Result<()> {
    let s3 = Server::s3s_fs().await?;
    let rt = runtime();
    let store = objects(&s3, &s3.address(), &rt).await?;
    check_refused(store.list("", "").await, "create the bucket weft")?;
    // Which heals once somebody did.
    s3.make_bucket("weft").await?;
    heals(&rt.dependency("objects")).await?;

    let file = s3.folder().join("wrong");
    std::fs::write(
        &file,
        "[default]\naws_access_key_id = test\naws_secret_access_key = wrong-secret\n",
    )?;
    let at = format!(
        "s3://weft?endpoint={}&credentials={}",
        s3.url(),
        file.display()
    );
    let store = Objects::open(&Url::parse(&at)?, &runtime()).await?;
    check_refused(store.get("a", 0..1).await, "the credential is no good")?;
    std::fs::write(&file, "[other]\n")?;
    let store = Objects::open(&Url::parse(&at)?, &runtime()).await?;
    check_refused(store.get("a", 0..1).await, "credential")?;

    let dynamodb = Server::dynoxide().await?;
    let url = aws_url(&dynamodb, "dynamodb://none", &dynamodb.address())?;
    let store = Index::open(&url, &runtime()).await?;
    let advice = "create the table none, or add create=true";
    check_refused(store.put(&[entry()]).await, advice)?;
    check_refused(store.query("org", 0, 9).await, advice)?;
    Ok(())
}

fn check_refused<T: std::fmt::Debug>(
    result: Result<T, StoreError>,
    advice: &str,
) -> anyhow::Result<()> {
    let text = format!("{result:?}");
    ensure!(
        text.contains("Refused") && text.contains(advice) && !text.contains("wrong-secret"),
        "{text}"
    );
    Ok(())
}

fn pipe() -> (PipeKey, PipePlace) {
    let key = PipeKey {
        org: "org".to_owned(),
        id: "pipe-1".to_owned(),
    };
    let place = PipePlace {
        replica: "r".to_owned(),
        ..PipePlace::default()
    };
    (key, place)
}

#[tokio::test]
async fn ends_outlive_the_death_of_consul() -> anyhow::Result<()> {
    let mut server = Server::consul().await?;
    let rt = runtime();
    let store = ends(&server.address(), &rt).await?;
    let (key, place) = pipe();
    let member = store.join("http://r:1").await?;
    ensure!(store.put(&key, &place, 0).await?);
    let dependency = rt.dependency("ends");

    server.kill();
    let got = store.get(&key).await;
    ensure!(got.as_ref().is_err_and(StoreError::is_transient), "{got:?}");
    let renewed = store.renew(&member).await;
    ensure!(renewed.is_err(), "{renewed:?}");
    assert!(!dependency.is_up());

    server.restart().await?;
    heals(&dependency).await?;
    let found = store.get(&key).await?;
    ensure!(found.is_some_and(|found| found.place == place));
    ensure!(store.renew(&member).await?, "the session was kept");
    let address = store.address(&member.name).await?;
    assert_eq!(address.as_deref(), Some("http://r:1"));
    Ok(())
}

#[tokio::test]
async fn ends_wait_for_no_answer_for_long() -> anyhow::Result<()> {
    let server = Server::consul().await?;
    let proxy = FaultProxy::start(&server.address()).await?;
    let rt = runtime();
    let store = ends(proxy.address(), &rt).await?;
    let (key, place) = pipe();
    ensure!(store.put(&key, &place, 0).await?);
    proxy.set(Fault::BlackHole).await?;
    let got = timeout(SOON, store.get(&key)).await?;
    ensure!(got.as_ref().is_err_and(StoreError::is_transient), "{got:?}");
    proxy.set(Fault::None).await?;
    heals(&rt.dependency("ends")).await?;
    proxy.set(Fault::Delay(Duration::from_millis(100))).await?;
    ensure!(store.get(&key).await?.is_some());
    Ok(())
}

#[tokio::test]
async fn replica_that_is_not_heard_of_is_gone_in_time() -> anyhow::Result<()> {
    let server = Server::consul().await?;
    let store = ends(&server.address(), &runtime()).await?;
    let member = store.join("http://r:1").await?;
    // Consul takes up to twice as long as it is told.
    timeout(2 * REPLICA_LIFETIME + SOON, store.until_gone(&member.name)).await??;
    ensure!(!store.renew(&member).await?);
    ensure!(store.members().await?.is_empty());
    Ok(())
}
