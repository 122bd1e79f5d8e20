//! The servers that Weft stores things in do what the suites that stand on them need: they keep what they acknowledged,
//! are gone when they are killed, and come back at the same address.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::{Server, http};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

/// The part of a signature that moto and dynoxide look at.
pub(crate) fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/{service}/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0"
    )
}

/// A signed S3 request, by curl.
async fn s3(server: &Server, path: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let env = |name| server.env().iter().find(|(n, _)| *n == name).map(|e| e.1);
    let key = env("AWS_ACCESS_KEY_ID").context("a key")?;
    let secret = env("AWS_SECRET_ACCESS_KEY").context("a secret")?;
    let output = Command::new("curl")
        .args([
            "-sS",
            "--fail-with-body",
            "--aws-sigv4",
            "aws:amz:us-east-1:s3",
        ])
        .args(["--user", &format!("{key}:{secret}")])
        .args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
        .args(["-H", "content-type: text/plain"])
        .args(arguments)
        .arg(format!("{}{path}", server.url()))
        .output()
        .await
        .context("curl")?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{:?} {answer}", output);
    Ok(answer)
}

/// A request in the JSON protocol of DynamoDB and SQS.
async fn call(server: &Server, target: &str, body: Value) -> anyhow::Result<Value> {
    let (service, _) = target.split_once(['_', '.']).context("a target")?;
    let service = service.trim_start_matches("Amazon").to_lowercase();
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", target),
        ("x-amz-date", "20200101T000000Z"),
        ("authorization", &authorization(&service)),
    ];
    let answer = http::post(&server.address(), "/", &headers, body.to_string()).await?;
    ensure!(answer.status == 200, "{target}: {}", answer.text());
    Ok(answer.json())
}

async fn make_table(server: &Server) -> anyhow::Result<()> {
    let table = json!({
        "TableName": "table",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    });
    call(server, "DynamoDB_20120810.CreateTable", table).await?;
    // dynoxide, like the original, takes a moment; there is no other way to learn of the end of it.
    loop {
        let table = json!({"TableName": "table"});
        let state = call(server, "DynamoDB_20120810.DescribeTable", table).await?;
        if state["Table"]["TableStatus"] == "ACTIVE" {
            return Ok(());
        }
    }
}

async fn put_and_get_item(server: &Server) -> anyhow::Result<()> {
    let put = json!({"TableName": "table", "Item": {"k": {"S": "a"}, "v": {"N": "7"}}});
    call(server, "DynamoDB_20120810.PutItem", put).await?;
    get_item(server).await
}

async fn get_item(server: &Server) -> anyhow::Result<()> {
    let get = json!({"TableName": "table", "Key": {"k": {"S": "a"}}, "ConsistentRead": true});
    let got = call(server, "DynamoDB_20120810.GetItem", get).await?;
    assert_eq!(got["Item"]["v"]["N"], "7");
    Ok(())
}

/// Kills it: nothing answers any more and its process is gone.
async fn kill(server: &mut Server) -> anyhow::Result<()> {
    let pid = server.pid().context("a process")?;
    server.kill();
    assert_eq!(server.pid(), None);
    ensure!(!runs(pid), "{pid} still runs");
    let refused = TcpStream::connect(server.address()).await;
    refused.expect_err("nobody listens");
    Ok(())
}

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn s3s_fs_keeps_objects_over_a_kill() -> anyhow::Result<()> {
    let mut server = Server::s3s_fs().await?;
    server.make_bucket("bucket").await?;
    let unsigned = http::get(&server.address(), "/bucket/a/b").await?;
    assert_eq!(unsigned.status, 403);
    s3(&server, "/bucket/a/b", &["-X", "PUT", "-d", "hello"]).await?;

    let url = server.url();
    kill(&mut server).await?;
    server.restart().await?;
    assert_eq!(server.url(), url);
    assert_eq!(s3(&server, "/bucket/a/b", &[]).await?, "hello");
    Ok(())
}

#[tokio::test]
async fn dynoxide_keeps_items_over_a_kill() -> anyhow::Result<()> {
    let mut server = Server::dynoxide().await?;
    make_table(&server).await?;
    put_and_get_item(&server).await?;
    kill(&mut server).await?;
    server.restart().await?;
    get_item(&server).await
}

#[tokio::test]
async fn moto_is_s3_dynamodb_and_sqs_and_forgets_over_a_kill() -> anyhow::Result<()> {
    let mut server = Server::moto().await?;
    server.make_bucket("bucket").await?;
    s3(&server, "/bucket/a", &["-X", "PUT", "-d", "hello"]).await?;
    assert_eq!(s3(&server, "/bucket/a", &[]).await?, "hello");
    make_table(&server).await?;
    put_and_get_item(&server).await?;
    let queue = call(&server, "AmazonSQS.CreateQueue", json!({"QueueName": "q"})).await?;
    let queue = &queue["QueueUrl"];
    ensure!(queue.as_str().is_some_and(|q| q.starts_with(&server.url())));
    let send = json!({"QueueUrl": queue, "MessageBody": "hello"});
    call(&server, "AmazonSQS.SendMessage", send).await?;
    let receive = json!({"QueueUrl": queue, "WaitTimeSeconds": 20});
    let received = call(&server, "AmazonSQS.ReceiveMessage", receive).await?;
    assert_eq!(received["Messages"][0]["Body"], "hello");

    kill(&mut server).await?;
    server.restart().await?;
    let tables = call(&server, "DynamoDB_20120810.ListTables", json!({})).await?;
    assert_eq!(tables, json!({"TableNames": []}));
    Ok(())
}

/// A request over NATS, in its own words; the answer as JSON.
async fn nats(server: &Server, subject: &str, body: &Value) -> anyhow::Result<Value> {
    let mut stream = BufReader::new(TcpStream::connect(server.address()).await?);
    let body = body.to_string();
    let request = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{body}\r\n",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    while !line.starts_with("MSG ") {
        line.clear();
        ensure!(
            stream.read_line(&mut line).await? > 0,
            "the connection ended"
        );
        ensure!(!line.starts_with("-ERR"), "{line}");
    }
    let length = line.split_whitespace().last().context("a length")?;
    let mut answer = vec![0; length.parse()?];
    stream.read_exact(&mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

#[tokio::test]
async fn nats_keeps_messages_over_a_kill() -> anyhow::Result<()> {
    let mut server = Server::nats().await?;
    ensure!(server.url().starts_with("nats://"), "{}", server.url());
    let stream = json!({"name": "s", "subjects": ["reports"], "storage": "file"});
    let made = nats(&server, "$JS.API.STREAM.CREATE.s", &stream).await?;
    ensure!(made["error"].is_null(), "{made}");
    let kept = nats(&server, "reports", &json!("hello")).await?;
    assert_eq!(kept["seq"], 1, "{kept}");

    kill(&mut server).await?;
    server.restart().await?;
    let info = nats(&server, "$JS.API.STREAM.INFO.s", &json!({})).await?;
    assert_eq!(info["state"]["messages"], 1, "{info}");
    Ok(())
}

#[tokio::test]
async fn two_servers_of_a_kind_know_nothing_of_each_other() -> anyhow::Result<()> {
    let (a, b) = tokio::try_join!(Server::dynoxide(), Server::dynoxide())?;
    make_table(&a).await?;
    let tables = call(&b, "DynamoDB_20120810.ListTables", json!({})).await?;
    assert_eq!(tables, json!({"TableNames": []}));
    Ok(())
}

#[tokio::test]
async fn a_panic_leaves_no_server_but_its_log() -> anyhow::Result<()> {
    let (sender, started) = tokio::sync::oneshot::channel();
    let test = tokio::spawn(async move {
        let server = Server::nats().await.expect("a server");
        let folder = server.folder().to_owned();
        sender.send((server.pid(), folder)).expect("a test");
        panic!("on purpose");
    });
    let (pid, folder) = started.await?;
    let pid = pid.context("a process")?;
    let ended = test.await.expect_err("it panics");
    assert!(ended.is_panic());
    ensure!(!runs(pid), "{pid} still runs");
    let log = std::fs::read_to_string(folder.join("log"))?;
    std::fs::remove_dir_all(folder)?;
    ensure!(log.contains("Server is ready"), "{log}");
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_test_removes_server_and_data() -> anyhow::Result<()> {
    let server = Server::dynoxide().await?;
    let (pid, folder) = (
        server.pid().context("a process")?,
        server.folder().to_owned(),
    );
    drop(server);
    ensure!(!runs(pid), "{pid} still runs");
    ensure!(!folder.exists(), "{} is still there", folder.display());
    Ok(())
}
