//! What `weft up` says it sees.

use std::time::Duration;

use client::Channel;
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use tokio::time::Instant;

/// The probe's first report comes within a few seconds, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until the first report is rendered; what there is, in words.
pub(crate) async fn wait_for_this_machine(query: Channel, rt: &Runtime) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && !rt.shutdown.is_cancelled() {
        if let Some((processes, hosts)) = count(query.clone(), rt).await
            && processes > 0
        {
            let plural =
                |n, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
            let processes = plural(processes, "process", "processes");
            return format!("{processes} on {}", plural(hosts, "host", "hosts"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    "no report of this machine yet; see the log".to_owned()
}

async fn count(query: Channel, rt: &Runtime) -> Option<(u32, u32)> {
    let selection = pb::Selection {
        unfiltered: true,
        ..pb::Selection::default()
    };
    let request = client::authorise(
        tonic::Request::new(pb::ListTopologiesRequest {
            selection: Some(selection),
        }),
        &rt.key,
        users::LOCAL,
        "weft up",
        &[Permission::View],
    );
    let answer = QueryServiceClient::new(query)
        .list_topologies(request)
        .await;
    let topologies = answer.ok()?.into_inner().topologies;
    let nodes = |id| {
        let found = topologies.iter().find(|t| t.id == id);
        found.and_then(|t| t.stats).map_or(0, |s| s.real_nodes)
    };
    Some((nodes("processes"), nodes("hosts")))
}
