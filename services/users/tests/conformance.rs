//! The suite on SQLite.

use runtime::Runtime;
use tempfile::TempDir;
use url::Url;
use users::{Store, conformance};

fn runtime() -> Runtime {
    Runtime::new(runtime::Config::default(), client::Key::generate())
}

fn url(dir: &TempDir) -> Url {
    let path = dir.path().join("new/users.sqlite");
    Url::parse(&format!("sqlite://{}", path.display())).expect("a URL")
}

async fn open(url: &Url) -> Store {
    Store::open(url, &runtime()).await.expect("opened")
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let dir = TempDir::new().expect("a directory");
    conformance::conformance(&open(&url(&dir)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_shared_and_migrated_once() {
    let dir = TempDir::new().expect("a directory");
    let url = url(&dir);
    let stores = futures_util::future::join_all((0..4).map(|_| open(&url))).await;
    conformance::races(&stores).await;
    let steps = users::migrate(&url, &runtime()).await.expect("migrated");
    assert!(steps.is_empty(), "{steps:?}");
}
