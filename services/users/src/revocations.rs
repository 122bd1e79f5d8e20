//! `WatchRevocations`: what edges must forget, as it comes.

use std::pin::Pin;
use std::time::Duration;

use proto::users::v1 as pb;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::store::Store;

/// How often the store is asked what other replicas of this service revoked.
const POLL: Duration = Duration::from_millis(250);
/// Answers on their way to an edge.
const QUEUE: usize = 4;

pub(crate) type Watch =
    Pin<Box<dyn Stream<Item = Result<pb::WatchRevocationsResponse, Status>> + Send>>;

/// The stream of one edge. It ends with an error when the store fails: the edge asks again, from where it was.
pub(crate) fn watch(store: Store, after: Option<u64>) -> Watch {
    let (answers, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        if let Err(status) = run(&store, after, &answers).await {
            // Fails if the edge is gone.
            let _ = answers.send(Err(status)).await;
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn run(
    store: &Store,
    mut after: Option<u64>,
    answers: &mpsc::Sender<Result<pb::WatchRevocationsResponse, Status>>,
) -> Result<(), Status> {
    let mut first = true;
    loop {
        // Before asking, so that what is revoked meanwhile is noticed.
        let revoked = store.revoked();
        let news = store.revocations(after).await?;
        after = Some(news.position);
        if first || news.reset || !news.revocations.is_empty() {
            first = false;
            let answer = pb::WatchRevocationsResponse {
                position: news.position,
                reset: news.reset,
                revocations: news.revocations.into_iter().map(Into::into).collect(),
            };
            if answers.send(Ok(answer)).await.is_err() {
                return Ok(());
            }
        }
        tokio::select! {
            () = revoked => {}
            () = tokio::time::sleep(POLL) => {}
            () = answers.closed() => return Ok(()),
        }
    }
}
