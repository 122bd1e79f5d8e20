//! Requests whose end two servers could see in two places.

use anyhow::ensure;
use tests::{Sandbox, Topology};

use super::exchange;

/// What must not be taken for a request of its own.
const SMUGGLED: &str = "GET /api/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// How many answers there are.
fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[tokio::test]
async fn ambiguous_requests_are_refused_or_end_the_connection() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let chunked = "Transfer-Encoding: chunked\r\n";
    let length = "Content-Length: 5\r\n";
    let zero = "0\r\n\r\n";
    // Headers, body, and whether it may be understood at all.
    let cases: [(&str, String, &str, bool); 19] = [
        ("both", format!("{length}{chunked}"), zero, true),
        (
            "both, the other way",
            format!("{chunked}{length}"),
            zero,
            true,
        ),
        (
            "two lengths",
            format!("{length}Content-Length: 6\r\n"),
            "hello",
            false,
        ),
        (
            "list of lengths",
            "Content-Length: 5, 6\r\n".to_owned(),
            "hello",
            false,
        ),
        (
            "signed length",
            "Content-Length: +5\r\n".to_owned(),
            "hello",
            false,
        ),
        (
            "negative length",
            "Content-Length: -5\r\n".to_owned(),
            "hello",
            false,
        ),
        (
            "length in hex",
            "Content-Length: 0x5\r\n".to_owned(),
            "hello",
            false,
        ),
        (
            "vast length",
            format!("Content-Length: {}\r\n", "9".repeat(30)),
            "hello",
            false,
        ),
        (
            "blank before colon",
            "Transfer-Encoding : chunked\r\n".to_owned(),
            zero,
            false,
        ),
        (
            "unknown coding",
            "Transfer-Encoding: xchunked\r\n".to_owned(),
            zero,
            false,
        ),
        (
            "chunked not last",
            "Transfer-Encoding: chunked, identity\r\n".to_owned(),
            zero,
            false,
        ),
        (
            "folded",
            "Transfer-Encoding:\r\n chunked\r\n".to_owned(),
            zero,
            false,
        ),
        (
            "folded length",
            "X: y\r\n Content-Length: 5\r\n".to_owned(),
            "hello",
            false,
        ),
        (
            "vertical tab",
            "Transfer-Encoding: \x0bchunked\r\n".to_owned(),
            zero,
            false,
        ),
        (
            "NUL in a name",
            "Transfer\0-Encoding: chunked\r\n".to_owned(),
            zero,
            false,
        ),
        (
            "bare CR",
            "X: y\rContent-Length: 5\r\n".to_owned(),
            "hello",
            false,
        ),
        (
            "chunk size with a sign",
            chunked.to_owned(),
            "+0\r\n\r\n",
            false,
        ),
        (
            "chunk size in blanks",
            chunked.to_owned(),
            "0 0\r\n\r\n",
            false,
        ),
        (
            "vast chunk size",
            chunked.to_owned(),
            "fffffffffffffffff\r\n\r\n",
            false,
        ),
    ];
    for (what, headers, body, may_be_understood) in cases {
        let request = format!(
            "POST /api/report HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{headers}\r\n{body}{SMUGGLED}",
            weft.address
        );
        let answer = exchange(&weft.address, request.as_bytes()).await?;
        ensure!(answers(&answer) <= 1, "{what}: {answer}");
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400");
        ensure!(refused || may_be_understood, "{what}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn request_lines_are_taken_as_they_are_or_not_at_all() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    for line in [
        "GET /api/topology\0 HTTP/1.1",
        "GET /api/\x01topology HTTP/1.1",
        "GET  /api/topology HTTP/1.1",
        "GET /api/topology HTTP/1.1 HTTP/1.1",
        "GET /api/topology HTTP/2.0",
        "GET /api/topology HTTP/1.1x",
        "G\u{fc}T /api/topology HTTP/1.1",
        " GET /api/topology HTTP/1.1",
    ] {
        let request = format!(
            "{line}\r\nHost: {}\r\nConnection: close\r\n\r\n",
            weft.address
        );
        let answer = exchange(&weft.address, request.as_bytes()).await?;
        ensure!(!answer.starts_with("HTTP/1.1 2"), "{line:?}: {answer}");
    }
    Ok(())
}
