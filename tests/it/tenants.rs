//! Tenants whose reports clash in every id see nothing of each other.

use anyhow::{Context, ensure};
use client::{Channel, Key, authorise};
use proto::collection::v1 as collection;
use proto::collection::v1::collection_service_client::CollectionServiceClient;
use proto::query::v1 as pb;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::tenant::v1::Permission;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tests::{Sandbox, Topology};
use tonic::Request;

const TENANTS: [&str; 3] = ["amber", "birch", "cedar"];
const INTERLEAVINGS: u64 = 12;
const STEPS: usize = 40;

/// The services behind the edge, asked on behalf of any tenant: what authfe does for one that has signed in.
struct Mesh {
    channel: Channel,
    key: Key,
}

impl Mesh {
    fn of(weft: &Sandbox) -> anyhow::Result<Mesh> {
        Ok(Mesh {
            channel: Channel::connect(format!("http://{}", weft.admin).parse()?),
            key: Key::open(&weft.key_file())?,
        })
    }

    fn request<T>(&self, tenant: &str, message: T) -> Request<T> {
        let all = [
            Permission::Report,
            Permission::View,
            Permission::ViewSecrets,
        ];
        authorise(Request::new(message), &self.key, tenant, "test", &all)
    }

    async fn submit(&self, tenant: &str, probe: u32, body: String) -> anyhow::Result<()> {
        let report = collection::RawReport {
            body: body.into(),
            format: collection::ReportFormat::ScopeJson.into(),
            compression: collection::Compression::None.into(),
            probe_id: format!("probe-{probe}"),
        };
        let request = collection::SubmitRequest {
            report: Some(report),
        };
        let mut client = CollectionServiceClient::new(self.channel.clone());
        client.submit(self.request(tenant, request)).await?;
        Ok(())
    }

    /// Everything that the tenant can see, as text.
    async fn everything(&self, tenant: &str) -> anyhow::Result<String> {
        let mut client = QueryServiceClient::new(self.channel.clone());
        let mut seen = String::new();
        for topology in ["processes", "processes-by-name", "containers", "hosts"] {
            let request = pb::GetTopologyRequest {
                topology_id: topology.to_owned(),
                selection: Some(pb::Selection {
                    unfiltered: true,
                    ..pb::Selection::default()
                }),
                ..pb::GetTopologyRequest::default()
            };
            let answer = client.get_topology(self.request(tenant, request)).await?;
            seen.push_str(&format!("{:?}", answer.into_inner().nodes));
        }
        let request = self.request(tenant, pb::GetReportRequest::default());
        let mut report = client.get_report(request).await?.into_inner();
        while let Some(part) = report.message().await? {
            seen.push_str(&String::from_utf8_lossy(&part.chunk));
        }
        let request = self.request(
            tenant,
            pb::SearchRequest {
                query: "secret".to_owned(),
                ..pb::SearchRequest::default()
            },
        );
        seen.push_str(&format!("{:?}", client.search(request).await?.into_inner()));
        Ok(seen)
    }
}

/// A report in which everything but the tenant's secret is the same for all tenants.
pub(crate) fn report(tenant: &str, node: u32) -> String {
    let fact = |value: &str| json!({"timestamp": "2026-01-01T00:00:00Z", "value": value});
    let secret = format!("secret-of-{tenant}");
    let id = format!("h;{node}");
    json!({
        "ID": "1",
        "Process": {"nodes": {id: {
            "topology": "process",
            "latest": {"name": fact(&secret), "pid": fact(&node.to_string()), "docker_container_id": fact("c")},
            "parents": {"host": ["h;<host>"]},
        }}},
        "Container": {"nodes": {"c;<container>": {
            "topology": "container",
            "latest": {"docker_container_name": fact(&secret), "docker_container_id": fact("c")},
        }}},
        "Host": {"nodes": {"h;<host>": {
            "topology": "host",
            "latest": {"host_name": fact("h"), "os": fact(&secret)},
        }}},
    })
    .to_string()
}

#[tokio::test]
async fn tenants_with_clashing_ids_see_only_their_own() -> anyhow::Result<()> {
    for seed in 0..INTERLEAVINGS {
        let weft = Sandbox::start(Topology::Direct).await?;
        let mesh = Mesh::of(&weft)?;
        let mut random = StdRng::seed_from_u64(seed);
        let mut reported = Vec::new();
        for step in 0..STEPS {
            let tenant = TENANTS[random.random_range(0..TENANTS.len())];
            if random.random_bool(0.6) {
                let (probe, node) = (random.random_range(0..2), random.random_range(0..5));
                mesh.submit(tenant, probe, report(tenant, node)).await?;
                reported.push(tenant);
                continue;
            }
            let seen = mesh.everything(tenant).await?;
            let place = format!("interleaving {seed}, step {step}");
            for other in TENANTS.iter().filter(|other| **other != tenant) {
                let leaked = seen.contains(&format!("secret-of-{other}"));
                ensure!(!leaked, "{place}: {tenant} sees what {other} reported");
            }
            let own = seen.contains(&format!("secret-of-{tenant}"));
            ensure!(
                own == reported.contains(&tenant),
                "{place}: {tenant} misses its own"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn services_believe_no_unsigned_caller() -> anyhow::Result<()> {
    let weft = Sandbox::start(Topology::Direct).await?;
    let mesh = Mesh::of(&weft)?;
    let mut client = QueryServiceClient::new(mesh.channel.clone());
    let unsigned = client
        .list_topologies(pb::ListTopologiesRequest::default())
        .await;
    let status = unsigned.err().context("it must be refused")?;
    ensure!(status.code() == tonic::Code::Unauthenticated, "{status}");
    let forged = Mesh {
        key: Key::generate(),
        ..mesh
    };
    let request = forged.request("amber", pb::ListTopologiesRequest::default());
    let status = client.list_topologies(request).await.err();
    let status = status.context("it must be refused")?;
    ensure!(status.code() == tonic::Code::Unauthenticated, "{status}");
    Ok(())
}
