//! HTTP/2 floods: memory stays bounded, the flooder is shut out, and others do not notice.

use anyhow::{Context, ensure};
use tests::{Sandbox, Topology};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, Raw, SETTINGS,
    WINDOW_UPDATE, frame, get, header,
};
use super::{PATIENCE, while_others_ask};
use crate::hostile::{MEMORY, peak_memory};

/// The code of GOAWAY that says: calm down.
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// A stream's number for the n-th request.
fn number(n: u32) -> u32 {
    2 * n + 1
}

/// Floods on a hundred connections, one after the other; of the last, how many chunks there were and the code of its end.
async fn again_and_again(
    weft: &Sandbox,
    most: u32,
    chunk: impl Fn(u32) -> Vec<u8>,
) -> anyhow::Result<(u32, Option<u32>)> {
    let mut last = (0, None);
    for _ in 0..100 {
        let raw = Raw::connect(&weft.address, &[]).await?;
        last = raw.flood(most, &chunk).await;
    }
    Ok(last)
}

async fn bounded(weft: &Sandbox, what: &str) -> anyhow::Result<()> {
    let peak = peak_memory(weft.edge_pid().context("running")?)?;
    ensure!(peak < MEMORY, "{what}: {} MiB", peak >> 20);
    println!("{what}: peak resident memory {} MiB", peak >> 20);
    Ok(())
}

#[tokio::test]
async fn rapid_resets_are_bounded() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let block = get("/api/topology/processes", &weft.address);
    let attack = again_and_again(&weft, 500_000, |n| {
        let mut both = frame(HEADERS, END_STREAM | END_HEADERS, number(n), &block);
        both.extend(frame(RST_STREAM, 0, number(n), &8u32.to_be_bytes()));
        both
    });
    let (sent, code) = while_others_ask(&weft, "rapid reset", attack).await?;
    ensure!(code == Some(ENHANCE_YOUR_CALM), "{code:?} after {sent}");
    ensure!(sent < 500_000, "never shut out");
    bounded(&weft, "rapid reset").await
}

#[tokio::test]
async fn server_that_is_made_to_reset_gives_up() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let block = get("/api/topology/processes", &weft.address);
    // A window update of nothing is an error of the stream, which the server has to reset.
    let attack = again_and_again(&weft, 100_000, |n| {
        let mut both = frame(HEADERS, END_HEADERS, number(n), &block);
        both.extend(frame(WINDOW_UPDATE, 0, number(n), &0u32.to_be_bytes()));
        both
    });
    let (sent, code) = while_others_ask(&weft, "made to reset", attack).await?;
    ensure!(code.is_some() && sent < 100_000, "{code:?} after {sent}");
    bounded(&weft, "made to reset").await
}

#[tokio::test]
async fn endless_header_blocks_are_cut_off() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    for (what, payload) in [("full", vec![0x40; 16 << 10]), ("empty", Vec::new())] {
        let block = get("/", &weft.address);
        let attack = again_and_again(&weft, 100_000, |n| match n {
            0 => frame(HEADERS, END_STREAM, 1, &block),
            _ => frame(CONTINUATION, 0, 1, &payload),
        });
        let what = format!("CONTINUATION flood of {what} frames");
        let (sent, code) = while_others_ask(&weft, &what, attack).await?;
        ensure!(sent < 100_000, "{what}: {code:?} after {sent}");
    }
    bounded(&weft, "CONTINUATION floods").await
}

#[tokio::test]
async fn pings_settings_and_empty_data_cost_no_memory() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let floods: [(&str, Vec<u8>); 3] = [
        ("pings", frame(PING, 0, 0, &[7; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("empty data", frame(DATA, 0, 1, &[])),
    ];
    for (what, one) in floods {
        let block = get("/api", &weft.address);
        let thousand = one.repeat(1000);
        let attack = async {
            let mut raw = Raw::connect(&weft.address, &[]).await?;
            // Open for as long as its body goes on.
            raw.0
                .write_all(&frame(HEADERS, END_HEADERS, 1, &block))
                .await?;
            // A million, or as many as the server takes from one that reads nothing; then it is its turn to wait.
            for _ in 0..1000 {
                let written = timeout(PATIENCE / 20, raw.0.write_all(&thousand)).await;
                if !matches!(written, Ok(Ok(()))) {
                    break;
                }
            }
            Ok(raw)
        };
        let raw = while_others_ask(&weft, what, attack).await?;
        bounded(&weft, what).await?;
        drop(raw);
    }
    Ok(())
}

#[tokio::test]
async fn readers_that_take_nothing_hold_little() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let block = get("/", &weft.address);
    let page = tests::http::get(&weft.address, "/").await?.text();
    let script = page
        .split("src=\"")
        .nth(1)
        .and_then(|s| s.split('"').next());
    let script = format!(
        "/{}",
        script.context("a script")?.trim_start_matches(['.', '/'])
    );
    let large = get(&script, &weft.address);
    let attack = async {
        let mut held = Vec::new();
        for _ in 0..20 {
            // A window of nothing for every stream.
            let mut raw = Raw::connect(&weft.address, &[(4, 0)]).await?;
            for n in 0..200 {
                let block = if n % 2 == 0 { &block } else { &large };
                let asked = frame(HEADERS, END_STREAM | END_HEADERS, number(n), block);
                raw.0.write_all(&asked).await?;
            }
            let mut begun = 0;
            while begun < 200 {
                let frame = timeout(PATIENCE, raw.next()).await?.context("it ended")?;
                ensure!(frame.kind != DATA || frame.payload.is_empty(), "no window");
                begun += u32::from(frame.kind == HEADERS && frame.stream > 0);
            }
            held.push(raw);
        }
        Ok(held)
    };
    let held = while_others_ask(&weft, "4,000 answers that nobody reads", attack).await?;
    bounded(&weft, "4,000 answers that nobody reads").await?;
    drop(held);
    Ok(())
}

#[tokio::test]
async fn oversized_headers_are_refused() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let mut block = get("/api", &weft.address);
    for n in 0..1000 {
        header(&mut block, &format!("x-header-{n}"), &"v".repeat(100));
    }
    let mut raw = Raw::connect(&weft.address, &[]).await?;
    let mut pieces = block.chunks(16 << 10).peekable();
    let mut kind = HEADERS;
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() {
            END_HEADERS
        } else {
            0
        };
        let end = if kind == HEADERS { END_STREAM } else { 0 };
        // It may have had enough.
        let _ = raw.0.write_all(&frame(kind, end | last, 1, piece)).await;
        kind = CONTINUATION;
    }
    let mut answered = false;
    while let Ok(Some(frame)) = timeout(PATIENCE / 10, raw.next()).await {
        let ok = frame.kind == HEADERS && frame.payload.first() == Some(&0x88);
        ensure!(!ok, "taken");
        answered |= frame.kind == HEADERS || frame.kind == RST_STREAM;
    }
    println!("answered on the stream: {answered}");
    // HTTP/1.1 alike: a line, a header, or all of them.
    let host = format!("Host: {}\r\n", weft.address);
    for request in [
        format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(100_000)),
        format!("GET / HTTP/1.1\r\n{host}x: {}\r\n\r\n", "a".repeat(100_000)),
        format!("GET / HTTP/1.1\r\n{host}{}\r\n", "x: a\r\n".repeat(1000)),
    ] {
        let answer = super::exchange(&weft.address, request.as_bytes()).await?;
        let status = answer.split(' ').nth(1).unwrap_or("none");
        ensure!(["400", "414", "431", "none"].contains(&status), "{answer}");
    }
    bounded(&weft, "oversized headers").await
}
