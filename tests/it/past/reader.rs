//! What a query says of moments and of stretches of time.

use std::ops::Range;

use client::{Channel, authorise};
use prost_types::Timestamp;
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use stores::archive::Archive;
use tests::collection::timestamp;
use tonic::Request;

use super::time::soon;

/// An answer may be as large as it likes.
const ANSWER: usize = 256 << 20;

/// A query.
pub(super) struct Reader {
    pub(super) client: QueryServiceClient<Channel>,
    pub(super) archive: Archive,
    rt: Runtime,
}

/// What there is to see at a moment.
#[derive(Debug, PartialEq)]
pub(super) struct Sight {
    list: pb::ListTopologiesResponse,
    topologies: Vec<pb::GetTopologyResponse>,
}

impl Sight {
    fn all(&self) -> impl Iterator<Item = &pb::NodeSummary> {
        self.topologies.iter().flat_map(|topology| &topology.nodes)
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self) -> usize {
        self.all().count()
    }

    /// Whether a probe is late.
    pub(super) fn is_late(&self) -> bool {
        self.all().any(|node| node.stale)
    }

    /// What is different in another one.
    pub(super) fn difference(&self, other: &Sight) -> Option<String> {
        let pairs = self.topologies.iter().zip(&other.topologies);
        for (topology, (a, b)) in self.list.topologies.iter().zip(pairs) {
            if a.warnings != b.warnings {
                return Some(format!(
                    "{}: {:?}, {:?}",
                    topology.id, a.warnings, b.warnings
                ));
            }
            if a.nodes.len() != b.nodes.len() {
                let (a, b) = (a.nodes.len(), b.nodes.len());
                return Some(format!("{}: {a} nodes, {b} nodes", topology.id));
            }
            let mut nodes = a.nodes.iter().zip(&b.nodes);
            if let Some((a, b)) = nodes.find(|(a, b)| a != b) {
                return Some(format!("{}: {a:?}, {b:?}", topology.id));
            }
        }
        (self != other).then(|| format!("{:?}, {:?}", self.list, other.list))
    }
}

impl Reader {
    pub(super) fn new(channel: Channel, archive: Archive, rt: Runtime) -> Reader {
        let client = QueryServiceClient::new(channel);
        Reader {
            client: client.max_decoding_message_size(ANSWER),
            archive,
            rt,
        }
    }

    pub(super) fn request<T>(&self, org: &str, message: T) -> Request<T> {
        authorise(
            Request::new(message),
            &self.rt.key,
            org,
            "test",
            &[Permission::View],
        )
    }

    /// So many spans of a stretch of time (Unix nanoseconds).
    pub(super) async fn timeline(
        &self,
        org: &str,
        time: Range<i64>,
        spans: u32,
    ) -> anyhow::Result<pb::GetTimelineResponse> {
        let request = pb::GetTimelineRequest {
            from: Some(timestamp(time.start)),
            until: Some(timestamp(time.end)),
            spans,
        };
        let mut client = self.client.clone();
        let answer = soon(client.get_timeline(self.request(org, request))).await??;
        Ok(answer.into_inner())
    }

    /// All topologies of an organisation, now or at a moment.
    pub(super) async fn see(&self, org: &str, at: Option<Timestamp>) -> anyhow::Result<Sight> {
        let selection = Some(pb::Selection {
            at,
            unfiltered: true,
            ..pb::Selection::default()
        });
        let mut client = self.client.clone();
        let request = pb::ListTopologiesRequest {
            selection: selection.clone(),
        };
        let list = soon(client.list_topologies(self.request(org, request))).await??;
        let list = list.into_inner();
        let mut topologies = Vec::new();
        for topology in &list.topologies {
            let request = pb::GetTopologyRequest {
                topology_id: topology.id.clone(),
                selection: selection.clone(),
                ..pb::GetTopologyRequest::default()
            };
            let answer = soon(client.get_topology(self.request(org, request))).await??;
            topologies.push(answer.into_inner());
        }
        Ok(Sight { list, topologies })
    }
}
