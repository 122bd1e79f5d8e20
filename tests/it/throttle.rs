//! Throttling, in front of a real DynamoDB server.

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tests::{Server, Throttle};
use tokio::net::TcpStream;

/// Sends this many requests one after another on one connection; which of them were refused.
async fn refused(throttle: &Throttle, requests: usize) -> anyhow::Result<Vec<bool>> {
    let stream = TcpStream::connect(throttle.address()).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut refused = Vec::new();
    for _ in 0..requests {
        let request = http::Request::post("/")
            .header("host", throttle.address())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.ListTables")
            .header("x-amz-date", "20200101T000000Z")
            .header("authorization", super::servers::authorization("dynamodb"))
            .body(Full::new("{}".into()) as Full<bytes::Bytes>)?;
        sender.ready().await?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let body: Value = serde_json::from_slice(&body)?;
        if head.status == 200 {
            assert_eq!(body, json!({"TableNames": []}));
        } else {
            assert_eq!(head.status, 400);
            let name = "ProvisionedThroughputExceededException";
            assert_eq!(head.headers["x-amzn-errortype"], name);
            let kind = body["__type"].as_str().context("a type")?;
            assert_eq!(kind, format!("com.amazonaws.dynamodb.v20120810#{name}"));
            ensure!(body["message"].is_string(), "{body}");
        }
        refused.push(head.status != 200);
    }
    Ok(refused)
}

#[tokio::test]
async fn a_share_of_the_requests_is_refused() -> anyhow::Result<()> {
    let dynamodb = Server::dynoxide().await?;
    let throttle = Throttle::start(&dynamodb.address()).await?;
    assert_eq!(refused(&throttle, 3).await?, [false; 3]);
    throttle.set(50)?;
    assert_eq!(
        refused(&throttle, 6).await?,
        [false, true, false, true, false, true]
    );
    throttle.set(75)?;
    assert_eq!(
        refused(&throttle, 8).await?,
        [false, true, true, true, false, true, true, true]
    );
    throttle.set(100)?;
    assert_eq!(refused(&throttle, 3).await?, [true; 3]);
    throttle.set(0)?;
    assert_eq!(refused(&throttle, 3).await?, [false; 3]);
    assert_eq!((throttle.passed(), throttle.refused()), (11, 12));
    throttle.set(101).expect_err("more than all");
    Ok(())
}
