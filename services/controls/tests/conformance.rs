//! The suite on queues within one process.

use client::Key;
use runtime::Runtime;
use stores::Queues;

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let rt = Runtime::new(runtime::Config::default(), Key::generate());
    let url = "memory:".parse().expect("a URL");
    let queues = Queues::open(&url, &rt).await.expect("opened");
    controls::conformance::replicas(async |_| queues.clone()).await;
}
