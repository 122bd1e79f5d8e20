//! What `weft up` says when it is ready: how to get in, and what it sees.

use std::time::Duration;

use client::Channel;
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::tenant::v1::Permission;
use proto::users::v1 as users_pb;
use proto::users::v1::operator_service_client::OperatorServiceClient;
use proto::users::v1::users_service_client::UsersServiceClient;
use runtime::Runtime;
use tokio::time::Instant;
use tonic::{Request, Status};

/// The probe's first report comes within a few seconds, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says how callers get in. If nobody administers this machine's organisation yet, with a link for whoever reads this.
pub(crate) async fn invite(users: Channel, rt: &Runtime) {
    eprintln!(
        "weft: callers need a credential. Make a token for probes with `weft admin token create local probes`, and a \
         login for people with `weft admin bootstrap`"
    );
    match first_link(users, rt).await {
        Ok(None) => {}
        Ok(Some(link)) => eprintln!(
            "weft: nobody can log in yet. Whoever opens this first, within 24 hours, becomes the admin: {link}"
        ),
        Err(status) => eprintln!("weft: no link for a first admin: {}", status.message()),
    }
}

/// None if there is an admin, or no address that people can log in at.
async fn first_link(users: Channel, rt: &Runtime) -> Result<Option<String>, Status> {
    let permissions = [Permission::View, Permission::Operate];
    let members = client::authorise(
        Request::new(users_pb::ListMembersRequest {}),
        &rt.key,
        users::LOCAL,
        "weft up",
        &permissions,
    );
    let members = UsersServiceClient::new(users.clone())
        .list_members(members)
        .await?
        .into_inner()
        .members;
    let admin = i32::from(Permission::Admin);
    if members
        .iter()
        .any(|member| member.permissions.contains(&admin))
    {
        return Ok(None);
    }
    let message = users_pb::CreateBootstrapLinkRequest {
        org_id: users::LOCAL.to_owned(),
        email: String::new(),
    };
    let request = Request::new(message);
    let request = client::authorise(request, &rt.key, users::LOCAL, "weft up", &permissions);
    let made = OperatorServiceClient::new(users)
        .create_bootstrap_link(request)
        .await?;
    Ok(Some(made.into_inner().url).filter(|url| !url.is_empty()))
}

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
