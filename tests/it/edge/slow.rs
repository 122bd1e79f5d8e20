//! Peers that take their time.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use tests::{Sandbox, Topology, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frames::{HEADERS, PREFACE, SETTINGS, frame, get};
use super::{counted, while_others_ask};

/// The edge's bound on what must come first is 10 s, on a body 15 s, on a header block of HTTP/2 30 s; a machine that is
/// busy is slower.
const AT_LAST: Duration = Duration::from_secs(60);

/// Sends this and nothing more; after how long the server ends the connection, and with what.
async fn stall(address: &str, first: &[u8]) -> anyhow::Result<(Duration, Vec<u8>)> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(first).await?;
    let mut answer = Vec::new();
    let ended = timeout(AT_LAST, stream.read_to_end(&mut answer)).await;
    // A reset is an end too.
    let _ = ended.with_context(|| format!("{} stays open", String::from_utf8_lossy(first)))?;
    Ok((started.elapsed(), answer))
}

#[tokio::test]
async fn whoever_does_not_finish_is_cut_off() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let address = &weft.address;
    let mut begun = PREFACE.to_vec();
    begun.extend(frame(SETTINGS, 0, 0, &[]));
    begun.extend(frame(HEADERS, 0, 1, &get("/", address)));
    let starts: [&[u8]; 6] = [
        b"",
        b"P",
        &PREFACE[..20],
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/report HTTP/1.1\r\n",
    ];
    let attack = async {
        let each = starts
            .iter()
            .flat_map(|first| std::iter::repeat_n(*first, 100));
        let ended = try_join_all(each.map(|first| stall(address, first)));
        let header_block = stall(address, &begun);
        let (ended, (header_block, _)) = tokio::try_join!(ended, header_block)?;
        Ok((ended, header_block))
    };
    let (ended, header_block) = while_others_ask(&weft, "600 slow headers", attack).await?;
    let longest = ended
        .iter()
        .map(|(time, _)| *time)
        .max()
        .unwrap_or_default();
    println!(
        "the last was cut off after {longest:?}, a header block of HTTP/2 after {header_block:?}"
    );
    let cut = r#"weft_connections_refused_total{listener="public",reason="header_timeout"}"#;
    let cut = counted(&weft, cut).await?;
    ensure!(cut >= 300, "counted {cut} of the 300 that never began");
    Ok(())
}

#[tokio::test]
async fn bodies_must_arrive_in_time() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let head = format!(
        "POST /api/report HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{",
        weft.address
    );
    let attack = async {
        let slow = (0..50).map(|_| async {
            let mut stream = TcpStream::connect(&weft.address).await?;
            stream.write_all(head.as_bytes()).await?;
            let mut answer = [0; 12];
            timeout(AT_LAST, stream.read_exact(&mut answer)).await??;
            ensure!(
                &answer == b"HTTP/1.1 408",
                "{}",
                String::from_utf8_lossy(&answer)
            );
            Ok(())
        });
        try_join_all(slow).await
    };
    while_others_ask(&weft, "50 slow bodies", attack).await?;
    let still = http::get(&weft.address, "/api/topology").await?;
    ensure!(still.status == 200);
    Ok(())
}
