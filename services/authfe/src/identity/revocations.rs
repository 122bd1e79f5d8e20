//! Hears from users what it said that is no longer true.

use std::time::Duration;

use client::Channel;
use proto::users::v1::WatchRevocationsRequest;
use proto::users::v1::users_service_client::UsersServiceClient;
use runtime::Runtime;
use tonic::Status;

use super::verdicts::Verdicts;

/// How long to wait before asking again after the stream broke.
const RETRY: Duration = Duration::from_millis(200);

/// Follows the stream for as long as the process runs. While it is broken, verdicts end by age alone; then it goes on from
/// where it was.
pub(super) fn follow(users: UsersServiceClient<Channel>, verdicts: Verdicts, rt: &Runtime) {
    rt.spawn("revocations", async move {
        let mut after = None;
        loop {
            if let Err(status) = hear(users.clone(), &verdicts, &mut after).await {
                tracing::debug!(code = ?status.code(), "the stream of revocations broke");
            }
            tokio::time::sleep(RETRY).await;
        }
    });
}

async fn hear(
    mut users: UsersServiceClient<Channel>,
    verdicts: &Verdicts,
    after: &mut Option<u64>,
) -> Result<(), Status> {
    let request = WatchRevocationsRequest { after: *after };
    let mut stream = users.watch_revocations(request).await?.into_inner();
    while let Some(news) = stream.message().await? {
        if news.reset {
            verdicts.reset();
        }
        for revocation in &news.revocations {
            verdicts.revoke(revocation);
        }
        *after = Some(news.position);
    }
    Ok(())
}
