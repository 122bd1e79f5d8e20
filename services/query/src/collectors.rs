//! The replicas of collection, and which of them answer.

use std::time::Duration;

use client::{Channel, Key};
use futures_util::future::join_all;
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::collection::v1::{GetStatusRequest, GetStatusResponse, ListReportsRequest};
use proto::tenant::v1::Permission;
use tokio::time::timeout;
use tonic::{Request, Status};

use crate::moment::timestamp;
use crate::post::Post;

/// How long an answer waits for a collector; then it says that it is partial.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// A report and the message around it; what collection accepted must also get through.
const MESSAGE_BYTES: usize = 64 << 20;

/// Every replica of collection.
#[derive(Debug, Clone)]
pub(crate) struct Collectors {
    pub(crate) channels: Vec<Channel>,
    pub(crate) key: Key,
}

impl Collectors {
    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    pub(crate) fn client(&self, replica: usize) -> CollectionServiceClient<Channel> {
        CollectionServiceClient::new(self.channels[replica].clone())
            .max_decoding_message_size(MESSAGE_BYTES)
    }

    /// A request about this organisation.
    pub(crate) fn request<T>(&self, org: &str, message: T) -> Request<T> {
        let request = Request::new(message);
        client::authorise(request, &self.key, org, "query", &[Permission::View])
    }

    pub(crate) async fn status(
        &self,
        replica: usize,
        org: &str,
    ) -> Result<GetStatusResponse, Status> {
        let request = self.request(org, GetStatusRequest {});
        let mut client = self.client(replica);
        Ok(client.get_status(request).await?.into_inner())
    }

    /// What all replicas hold of `from..until` (Unix nanoseconds), and what is missing, in words.
    pub(crate) async fn reports(
        &self,
        org: &str,
        from: i64,
        until: i64,
        headers_only: bool,
    ) -> (Vec<Post>, Vec<String>) {
        let asked = ListReportsRequest {
            from: Some(timestamp(from)),
            until: Some(timestamp(until)),
            headers_only,
        };
        let lists = (0..self.len()).map(|replica| self.list(replica, org, asked));
        let lists = join_all(lists).await;
        let mut posts = Vec::new();
        let mut up = 0;
        for list in lists {
            match list {
                Ok(listed) => {
                    up += 1;
                    posts.extend(listed);
                }
                Err(status) => tracing::warn!(org, %status, "a collector does not list reports"),
            }
        }
        (posts, partial(up, self.len()).into_iter().collect())
    }

    async fn list(
        &self,
        replica: usize,
        org: &str,
        asked: ListReportsRequest,
    ) -> Result<Vec<Post>, Status> {
        let slow = |_| Status::deadline_exceeded("it took too long to answer");
        let mut client = self.client(replica);
        let request = self.request(org, asked);
        let stream = timeout(PATIENCE, client.list_reports(request)).await;
        let mut stream = stream.map_err(slow)??.into_inner();
        let mut posts = Vec::new();
        while let Some(next) = timeout(PATIENCE, stream.message()).await.map_err(slow)?? {
            posts.extend(next.report.and_then(Post::stored));
        }
        Ok(posts)
    }
}

/// That not all collectors answer, in words.
pub(crate) fn partial(up: usize, all: usize) -> Option<String> {
    (up < all).then(|| format!("partial: {up} of {all} collectors answer"))
}
