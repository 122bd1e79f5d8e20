//! The suites on the backends that need no server.

use runtime::Runtime;
use stores::conformance;
use stores::{Index, IndexEntry, Objects, Queues, Shortcuts, StoreError};
use tempfile::TempDir;
use url::Url;

fn runtime() -> Runtime {
    Runtime::new(runtime::Config::default(), client::Key::generate())
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

async fn objects(at: &str) -> Objects {
    Objects::open(&url(at), &runtime()).await.expect("opened")
}

async fn index(at: &str) -> Index {
    Index::open(&url(at), &runtime()).await.expect("opened")
}

#[tokio::test]
async fn memory() {
    conformance::objects(&objects("memory:").await).await;
    conformance::index(&index("memory:").await).await;
    let shortcuts = Shortcuts::open(&url("memory:"), &runtime()).await;
    let shortcuts = shortcuts.expect("opened");
    conformance::shortcuts(&shortcuts, &shortcuts).await;
    let queues = Queues::open(&url("memory:"), &runtime()).await;
    let queues = queues.expect("opened");
    conformance::queues(&queues, &queues).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files() {
    let dir = TempDir::new().expect("a directory");
    let at = format!("file://{}/new/objects", dir.path().display());
    conformance::objects(&objects(&at).await).await;

    let again = objects(&at).await;
    let folder = again.get("put/a", 0..0).await;
    assert!(matches!(folder, Err(StoreError::NotFound(_))), "{folder:?}");
    let kept = again.get("range", 0..10).await.expect("kept");
    assert_eq!(kept, "0123456789");
    let writing = dir.path().join("new/objects/~writing");
    let left = std::fs::read_dir(writing).expect("listed").count();
    assert_eq!(left, 0, "files are left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let dir = TempDir::new().expect("a directory");
    let at = format!("sqlite://{}/new/index.db", dir.path().display());
    conformance::index(&index(&at).await).await;
}

fn entry(i: i64) -> IndexEntry {
    IndexEntry {
        org: "local".to_owned(),
        first: i,
        last: i,
        name: format!("{i}"),
        payload: vec![1; 2000].into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_shared() {
    let dir = TempDir::new().expect("a directory");
    let at = format!("sqlite://{}/index.db", dir.path().display());
    let opened = futures_util::future::join_all((0..4).map(|_| index(&at))).await;
    let writers = opened[..3].iter().enumerate().map(async |(n, store)| {
        for i in 0..50 {
            let put = store.put(&[entry(n as i64 * 50 + i)]).await;
            put.expect("written");
        }
    });
    let reader = async {
        let mut seen = 0;
        while seen < 150 {
            let found = opened[3].query("local", 0, 1000).await.expect("read");
            assert!(found.len() >= seen, "{} after {seen}", found.len());
            seen = found.len();
        }
    };
    tokio::join!(futures_util::future::join_all(writers), reader);
}

#[tokio::test]
async fn what_is_open_is_cloned() {
    let rt = runtime();
    let first = Objects::open(&url("memory:"), &rt).await.expect("opened");
    let again = Objects::open(&url("memory:"), &rt).await;
    let again = again.expect_err("open already").to_string();
    assert!(again.contains("clone"), "{again}");
    first.put("a", "b".into()).await.expect("put");
    let metrics = rt.registry.gather();
    let metrics = prometheus::TextEncoder::new().encode_to_string(&metrics);
    let line =
        r#"weft_store_operation_seconds_count{operation="put",outcome="ok",store="objects"} 1"#;
    assert!(metrics.expect("text").contains(line));
}
