//! Too many requests, connections and guesses.

use anyhow::ensure;
use tests::{Sandbox, http};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

use super::{counted, rest};
use crate::accounts::{admin, ask, bearing, channel, get, token};

#[tokio::test]
async fn one_request_too_many_is_told_when_to_come_back() -> anyhow::Result<()> {
    use proto::query::v1::ListTopologiesRequest;
    use proto::query::v1::query_service_client::QueryServiceClient;

    let flags = ["--demand-credentials", "--max-requests-per-org", "2"];
    let weft = Sandbox::start_with(&flags).await?;
    admin(&weft, "org create amber").await?;
    admin(&weft, "org create birch").await?;
    let (amber, _) = token(&weft, "amber one --permissions view").await?;
    let (other, _) = token(&weft, "amber two --permissions view").await?;
    let (birch, _) = token(&weft, "birch one --permissions view").await?;
    let mut served = 0;
    let refused = loop {
        let answer = get(&weft.address, "/api/topology", &amber).await?;
        if answer.status != 200 {
            break answer;
        }
        served += 1;
        ensure!(served < 1000, "never refused");
    };
    ensure!(served >= 20, "refused after {served}");
    ensure!(refused.status == 429, "{}", refused.status);
    ensure!(
        refused.text().contains("organisation"),
        "{}",
        refused.text()
    );
    // Nor with another token, nor over gRPC, which says when to come back. Meanwhile there may be room for a few.
    let mut served = 0;
    while get(&weft.address, "/api/topology", &other).await?.status == 200 {
        served += 1;
        ensure!(served < 15, "another token brings more");
    }
    let mut client = QueryServiceClient::new(channel(&weft.address)?);
    let status = loop {
        let asked = bearing(&other, ListTopologiesRequest::default())?;
        match client.list_topologies(asked).await {
            Ok(_) => served += 1,
            Err(status) => break status,
        }
        ensure!(served < 15, "gRPC brings more");
    };
    ensure!(status.code() == Code::ResourceExhausted, "{status:?}");
    ensure!(!status.details().is_empty(), "no RetryInfo");
    ensure!(get(&weft.address, "/api/topology", &birch).await?.status == 200);
    let limited = r#"weft_authfe_limited_total{limit="organisation"}"#;
    ensure!(counted(&weft, limited).await? >= 3);
    Ok(())
}

#[tokio::test]
async fn guessers_are_shut_out_and_nobody_else() -> anyhow::Result<()> {
    let flags = ["--demand-credentials", "--max-failures-per-client", "10"];
    let weft = Sandbox::start_with(&flags).await?;
    admin(&weft, "org create amber").await?;
    let (amber, _) = token(&weft, "amber one --permissions view").await?;
    ensure!(get(&weft.address, "/api/topology", &amber).await?.status == 200);
    let mut statuses = Vec::new();
    for n in 0..30 {
        let guess = format!("guess-{n}");
        // Also where nothing is refused: it would tell whether the guess was right.
        let path = ["/api/topology", "/api"][n % 2];
        statuses.push(get(&weft.address, path, &guess).await?.status.as_u16());
    }
    ensure!(statuses[..10].iter().all(|s| *s != 429), "{statuses:?}");
    ensure!(statuses[20..].iter().all(|s| *s == 429), "{statuses:?}");
    ensure!(get(&weft.address, "/api/topology", &amber).await?.status == 200);
    let answer = ask(&weft.address, "GET", "/api", &[], "").await?;
    ensure!(answer.status == 200, "who guesses nothing is answered");
    Ok(())
}

#[tokio::test]
async fn probe_posts_no_faster_than_it_should() -> anyhow::Result<()> {
    let flags = ["--demand-credentials", "--max-reports-per-probe", "1"];
    let weft = Sandbox::start_with(&flags).await?;
    admin(&weft, "org create amber").await?;
    let (probes, _) = token(&weft, "amber probes").await?;
    let post = async |probe: &str| {
        let bearer = format!("Bearer {probes}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("x-scope-probe-id", probe),
        ];
        let answer = http::post(&weft.address, "/api/report", &headers, "{}").await?;
        anyhow::Ok(answer.status.as_u16())
    };
    let mut served = 0;
    while post("busy").await? == 200 {
        served += 1;
        ensure!(served < 500, "never refused");
    }
    ensure!(served >= 10, "refused after {served}");
    ensure!(post("busy").await? == 429 && post("calm").await? == 200);
    Ok(())
}

#[tokio::test]
async fn connections_are_bounded_and_come_back() -> anyhow::Result<()> {
    let per_client = ["--demand-credentials", "--max-connections-per-client", "5"];
    let in_all = ["--max-connections", "5"];
    for (flags, reason) in [(&per_client[..], "client"), (&in_all[..], "connections")] {
        let weft = Sandbox::start_with(flags).await?;
        let ask = async |stream: &mut TcpStream| {
            let request = format!("GET /api HTTP/1.1\r\nHost: {}\r\n\r\n", weft.address);
            stream.write_all(request.as_bytes()).await?;
            let mut start = [0; 12];
            stream.read_exact(&mut start).await?;
            ensure!(
                &start == b"HTTP/1.1 200",
                "{}",
                String::from_utf8_lossy(&start)
            );
            Ok(())
        };
        let mut held = Vec::new();
        for _ in 0..5 {
            let mut stream = TcpStream::connect(&weft.address).await?;
            ask(&mut stream).await?;
            held.push(stream);
        }
        let mut sixth = TcpStream::connect(&weft.address).await?;
        ensure!(
            rest(&mut sixth).await?.is_empty(),
            "{reason}: one too many was served"
        );
        let refused =
            format!(r#"weft_connections_refused_total{{listener="public",reason="{reason}"}}"#);
        ensure!(
            counted(&weft, &refused).await? == 1,
            "{reason} is not counted"
        );
        held.pop();
        // Its end arrives when it arrives.
        let mut tries = 0;
        while tests::http::get(&weft.address, "/api").await.is_err() {
            tries += 1;
            ensure!(tries < 1000, "{reason}: no room after one has gone");
        }
    }
    Ok(())
}
