//! The proxy that misbehaves, seen through sockets.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, ensure};
use tests::{Fault, FaultProxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// More than two sockets' buffers hold.
const PLENTY: usize = 32 << 20;
/// Until something that would otherwise go on for ever counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that sends back what it gets.
async fn echo() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    Ok(address)
}

async fn say(stream: &mut TcpStream, word: &str) -> anyhow::Result<String> {
    stream.write_all(word.as_bytes()).await?;
    let mut heard = vec![0; word.len()];
    stream.read_exact(&mut heard).await?;
    Ok(String::from_utf8(heard)?)
}

/// What still comes until the connection ends.
async fn rest(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    // A reset is an end as well.
    let _ = ended.context("the connection did not end")?;
    Ok(rest)
}

#[tokio::test]
async fn bytes_and_ends_pass() -> anyhow::Result<()> {
    let proxy = FaultProxy::start(&echo().await?).await?;
    let mut stream = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut stream, "hello").await?, "hello");
    let sent: Vec<u8> = (0..PLENTY).map(|i| (i % 251) as u8).collect();
    let (mut from, mut to) = stream.split();
    let write = async {
        to.write_all(&sent).await?;
        to.shutdown().await
    };
    let mut heard = Vec::new();
    let (written, read) = tokio::join!(write, from.read_to_end(&mut heard));
    written?;
    read?;
    ensure!(heard == sent, "{} bytes came back", heard.len());
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_ends_the_connection() -> anyhow::Result<()> {
    let nobody = tests::Port::reserve()?;
    let proxy = FaultProxy::start(&nobody.address()).await?;
    let mut stream = TcpStream::connect(proxy.address()).await?;
    assert!(rest(&mut stream).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_delay_is_added_in_each_direction() -> anyhow::Result<()> {
    let late = Duration::from_millis(50);
    let proxy = FaultProxy::start(&echo().await?).await?;
    let mut stream = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut stream, "now").await?, "now");
    proxy.set(Fault::Delay(late)).await?;
    let started = Instant::now();
    assert_eq!(say(&mut stream, "later").await?, "later");
    // Only a lower bound: no machine is so slow that it breaks this.
    ensure!(started.elapsed() >= 2 * late, "{:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_cut_ends_connections_and_refuses_new_ones() -> anyhow::Result<()> {
    let proxy = FaultProxy::start(&echo().await?).await?;
    let mut stream = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut stream, "hello").await?, "hello");

    proxy.set(Fault::Cut).await?;
    assert!(rest(&mut stream).await?.is_empty());
    for _ in 0..3 {
        let refused = TcpStream::connect(proxy.address()).await;
        let refused = refused.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }

    proxy.set(Fault::None).await?;
    let mut stream = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut stream, "again").await?, "again");
    Ok(())
}

#[tokio::test]
async fn a_black_hole_takes_everything_and_answers_nothing() -> anyhow::Result<()> {
    let proxy = FaultProxy::start(&echo().await?).await?;
    let mut old = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut old, "hello").await?, "hello");

    proxy.set(Fault::BlackHole).await?;
    let mut new = TcpStream::connect(proxy.address()).await?;
    let sent = vec![7; PLENTY];
    for stream in [&mut old, &mut new] {
        let taken = timeout(PATIENCE, stream.write_all(&sent)).await;
        taken.context("not all of it was taken")??;
        let nothing = stream.try_read(&mut [0; 1]).expect_err("no answer");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    }

    // The connections end with the fault, and nothing came on them till then.
    proxy.set(Fault::None).await?;
    for stream in [&mut old, &mut new] {
        assert!(rest(stream).await?.is_empty());
    }
    let mut stream = TcpStream::connect(proxy.address()).await?;
    assert_eq!(say(&mut stream, "again").await?, "again");
    Ok(())
}
