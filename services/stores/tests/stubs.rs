//! What no test server does, but the real ones do: leave a part of a batch, lack batches, ask to slow down.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use runtime::Runtime;
use serde_json::{Value, json};
use stores::{Index, IndexEntry, Objects, StoreError};
use tempfile::NamedTempFile;
use url::Url;

type Calls = Arc<Mutex<Vec<Call>>>;

/// A request that a stub got.
#[derive(Debug, Clone)]
struct Call {
    what: String,
    body: String,
}

/// Serves what `answer` says to each request and those before it.
async fn stub(answer: fn(&[Call]) -> Response) -> (String, Calls) {
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let router = Router::new().fallback(async move |request: Request| {
        let (head, body) = request.into_parts();
        let target = head.headers.get("x-amz-target");
        let target = target.and_then(|target| target.to_str().ok()).unwrap_or("");
        let body = to_bytes(body, 64 << 20).await.expect("a body");
        let mut calls = seen.lock().expect("not poisoned");
        calls.push(Call {
            what: format!("{} {} {target}", head.method, head.uri),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        answer(&calls)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), calls)
}

/// The store's URL with a stub and a credential.
fn url(store: &str, endpoint: &str, credentials: &NamedTempFile) -> Url {
    let file = credentials.path();
    let profile = "[default]\naws_access_key_id = a\naws_secret_access_key = b\n";
    std::fs::write(file, profile).expect("written");
    let file = file.display();
    let url = format!("{store}?endpoint={endpoint}&credentials={file}");
    Url::parse(&url).expect("a URL")
}

fn runtime() -> Runtime {
    Runtime::new(runtime::Config::default(), client::Key::generate())
}

async fn index(endpoint: &str) -> Index {
    let credentials = NamedTempFile::new().expect("a file");
    let url = url("dynamodb://table", endpoint, &credentials);
    let index = Index::open(&url, &runtime()).await.expect("opened");
    // Makes the client read the file while it is there.
    let _ = index.hours(1, 1).await;
    index
}

fn json_answer(body: &Value) -> Response {
    (
        [("content-type", "application/x-amz-json-1.0")],
        body.to_string(),
    )
        .into_response()
}

fn is_batch(call: &Call) -> bool {
    call.what.ends_with("BatchWriteItem")
}

fn items(call: &Call) -> Vec<Value> {
    let body: Value = serde_json::from_str(&call.body).expect("JSON");
    body["RequestItems"]["table"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// Takes one item of each batch.
fn takes_one(calls: &[Call]) -> Response {
    match calls.last() {
        Some(call) if is_batch(call) => {
            let left = items(call).split_off(1);
            let left = if left.is_empty() {
                json!({})
            } else {
                json!({ "table": left })
            };
            json_answer(&json!({ "UnprocessedItems": left }))
        }
        _ => json_answer(&json!({ "Items": [] })),
    }
}

fn takes_nothing(calls: &[Call]) -> Response {
    match calls.last() {
        Some(call) if is_batch(call) => {
            json_answer(&json!({ "UnprocessedItems": { "table": items(call) } }))
        }
        _ => json_answer(&json!({ "Items": [] })),
    }
}

fn entries(count: i64) -> Vec<IndexEntry> {
    let entry = |i| IndexEntry {
        org: "org".to_owned(),
        first: i,
        last: i,
        name: format!("{i}"),
        payload: "x".into(),
    };
    (0..count).map(entry).collect()
}

#[tokio::test]
async fn rest_of_a_batch_is_sent_again() {
    let (endpoint, calls) = stub(takes_one).await;
    let index = index(&endpoint).await;
    index.put(&entries(4)).await.expect("put");
    let calls = calls.lock().expect("not poisoned");
    let sizes: Vec<_> = calls.iter().filter(|c| is_batch(c)).map(items).collect();
    let sizes: Vec<_> = sizes.iter().map(Vec::len).collect();
    // The hour, then the entries.
    assert_eq!(sizes, [1, 4, 3, 2, 1]);
}

#[tokio::test]
async fn batch_that_is_never_taken_is_throttling() {
    let (endpoint, _) = stub(takes_nothing).await;
    let index = index(&endpoint).await;
    let put = index.put(&entries(1)).await;
    assert!(matches!(put, Err(StoreError::Throttled(_))), "{put:?}");
}

fn error(status: StatusCode, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    (status, [("content-type", "application/xml")], body).into_response()
}

fn lacks_batches(calls: &[Call]) -> Response {
    match calls.last() {
        Some(call) if call.what.starts_with("DELETE") => StatusCode::NO_CONTENT.into_response(),
        _ => error(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

async fn objects(endpoint: &str) -> Objects {
    let credentials = NamedTempFile::new().expect("a file");
    let url = url("s3://weft/p", endpoint, &credentials);
    let objects = Objects::open(&url, &runtime()).await.expect("opened");
    let _ = objects.list("", "").await;
    objects
}

#[tokio::test]
async fn objects_are_deleted_one_by_one_where_need_be() {
    let (endpoint, calls) = stub(lacks_batches).await;
    let objects = objects(&endpoint).await;
    for _ in 0..2 {
        let keys = ["a", "b/c"].map(String::from);
        objects.delete(&keys).await.expect("deleted");
    }
    let calls = calls.lock().expect("not poisoned");
    let count = |what: &str| calls.iter().filter(|c| c.what.starts_with(what)).count();
    assert_eq!(count("DELETE /weft/p/a"), 2, "{calls:?}");
    assert_eq!(count("DELETE /weft/p/b/c"), 2, "{calls:?}");
    let batches = count("POST");
    // The SDK may try one more time.
    assert!((1..=2).contains(&batches), "{calls:?}");
}

#[tokio::test]
async fn slowing_down_and_failing_are_told_apart() {
    let (endpoint, calls) = stub(|_| error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown")).await;
    let slow = objects(&endpoint).await;
    let tried = || calls.lock().expect("not poisoned").len();
    let before = tried();
    let got = slow.get("a", 0..1).await;
    assert!(matches!(got, Err(StoreError::Throttled(_))), "{got:?}");
    assert!(tried() >= before + 3, "{} tries", tried() - before);

    let (endpoint, _) = stub(|_| error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")).await;
    let got = objects(&endpoint).await.get("a", 0..1).await;
    assert!(matches!(got, Err(StoreError::Unavailable(_))), "{got:?}");
    let (endpoint, _) = stub(|_| error(StatusCode::FORBIDDEN, "AccessDenied")).await;
    let put = objects(&endpoint).await.put("a", "x".into()).await;
    assert!(matches!(put, Err(StoreError::Refused(_))), "{put:?}");
    // Range requests that are answered with everything.
    let (endpoint, _) = stub(|_| "everything".into_response()).await;
    let got = objects(&endpoint).await.get("a", 0..3).await;
    assert!(matches!(got, Err(StoreError::Refused(_))), "{got:?}");
}
