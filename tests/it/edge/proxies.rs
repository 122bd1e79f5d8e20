//! Whose address counts: the client's, as far as somebody who is trusted says it.

use anyhow::ensure;
use tests::Sandbox;

use super::{counted, exchange};

/// Ten requests at once are what a client may make.
const LIMITED: [&str; 3] = ["--demand-credentials", "--max-requests-per-client", "1"];

fn flags(more: &[&'static str]) -> Vec<&'static str> {
    LIMITED.iter().chain(more).copied().collect()
}

/// The status of a request after these bytes, with these headers.
async fn ask(weft: &Sandbox, before: &[u8], headers: &str) -> anyhow::Result<String> {
    let request = format!(
        "GET /api HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n",
        weft.address
    );
    let answer = exchange(&weft.address, &[before, request.as_bytes()].concat()).await?;
    Ok(answer.split(' ').nth(1).unwrap_or("none").to_owned())
}

/// Uses up what a client may ask; whether that was little.
async fn exhaust(weft: &Sandbox, before: &[u8], headers: &str) -> anyhow::Result<()> {
    for _ in 0..200 {
        if ask(weft, before, headers).await? == "429" {
            return Ok(());
        }
    }
    anyhow::bail!("never too many of {headers}")
}

#[tokio::test]
async fn forwarded_addresses_count_from_trusted_proxies_only() -> anyhow::Result<()> {
    let weft = Sandbox::start_with(&flags(&["--trusted-proxies", "127.0.0.1"])).await?;
    exhaust(&weft, b"", "X-Forwarded-For: 192.0.2.1\r\n").await?;
    ensure!(ask(&weft, b"", "X-Forwarded-For: 192.0.2.2\r\n").await? == "200");
    let made_up = "X-Forwarded-For: 192.0.2.3, 192.0.2.1\r\n";
    ensure!(
        ask(&weft, b"", made_up).await? == "429",
        "the last one counts"
    );

    let weft = Sandbox::start_with(&flags(&["--trusted-proxies", "10.0.0.0/8"])).await?;
    exhaust(&weft, b"", "X-Forwarded-For: 192.0.2.1\r\n").await?;
    let other = ask(&weft, b"", "X-Forwarded-For: 192.0.2.2\r\n").await?;
    ensure!(
        other == "429",
        "a stranger said whose address counts: {other}"
    );
    Ok(())
}

#[tokio::test]
async fn proxy_header_counts_from_trusted_proxies_only() -> anyhow::Result<()> {
    let one = b"PROXY TCP4 192.0.2.1 192.0.2.9 1 443\r\n";
    let two = b"PROXY TCP4 192.0.2.2 192.0.2.9 1 443\r\n";
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend([192, 0, 2, 1, 192, 0, 2, 9, 0, 1, 1, 187]);
    let trusted = ["--trusted-proxies", "127.0.0.0/8", "--proxy-protocol"];
    let weft = Sandbox::start_with(&flags(&trusted)).await?;
    exhaust(&weft, one, "").await?;
    ensure!(ask(&weft, two, "").await? == "200");
    ensure!(
        ask(&weft, &binary, "").await? == "429",
        "version 2 says the same"
    );
    let forged = ask(&weft, two, "X-Forwarded-For: 192.0.2.1\r\n").await?;
    ensure!(forged == "200", "its header counts for nothing: {forged}");
    ensure!(ask(&weft, b"", "").await? == "none", "without a header");
    let refused = r#"weft_connections_refused_total{listener="public",reason="proxy_header"}"#;
    ensure!(counted(&weft, refused).await? == 1);

    let untrusted = ["--trusted-proxies", "10.0.0.0/8", "--proxy-protocol"];
    let weft = Sandbox::start_with(&flags(&untrusted)).await?;
    let status = ask(&weft, one, "").await?;
    ensure!(
        status == "400" || status == "none",
        "a stranger's header: {status}"
    );
    ensure!(ask(&weft, b"", "").await? == "200");
    Ok(())
}

#[tokio::test]
async fn behind_a_proxy_nobody_is_believed_for_being_on_this_machine() -> anyhow::Result<()> {
    let weft = Sandbox::start_with(&["--trusted-proxies", "127.0.0.1"]).await?;
    for forwarded in [
        "",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Forwarded-For: ::1\r\n",
    ] {
        let request = format!(
            "GET /api/topology HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forwarded}\r\n"
        );
        let answer = exchange(&weft.address, request.as_bytes()).await?;
        ensure!(answer.starts_with("HTTP/1.1 401"), "{forwarded}: {answer}");
    }
    Ok(())
}
