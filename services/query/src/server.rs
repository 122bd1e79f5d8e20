use std::pin::Pin;
use std::sync::Arc;

use client::Caller;
use proto::encoded::query::v1 as pb;
use proto::encoded::query::v1::query_service_server::QueryService;
use proto::tenant::v1::Permission;
use report::encode::{self, Censor};
use runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::convert::{self, Detail};
use crate::follow::Watcher;
use crate::hub::{self, Change, Form, Hub, Subject};
use crate::moment;
use crate::play::Player;
use crate::scope::{Chunks, chunks, interval};
use crate::search::Search;
use crate::selection::{Wanted, check_node_id, wanted};
use crate::tenants::Tenants;
use crate::timeline::{self, Spans};
use crate::watch::{self, Watches};

/// Milliseconds between two responses of WatchTopology.
const DEFAULT_INTERVAL: u32 = 250;
/// The service.
#[derive(Debug)]
pub struct Query {
    tenants: Tenants,
    watches: Watches,
}

impl Query {
    pub(crate) fn new(tenants: Tenants, rt: &Runtime) -> Self {
        Query {
            tenants,
            watches: Watches::new(rt.shutdown.clone()),
        }
    }
}

pub(crate) fn no_topology() -> Status {
    Status::not_found("there is no such topology")
}

/// A change for WatchTopology, if there is one.
fn message(hub: &Hub, change: &Change) -> Option<pb::WatchTopologyResponse> {
    (!change.is_empty() || change.warned).then(|| hub.message(change))
}

/// Sends what is played until it reaches the present, and then the present.
async fn play(
    watcher: &Watcher<pb::WatchTopologyResponse>,
    mut player: Player,
    hub: Arc<Hub>,
    tenants: Tenants,
    org: String,
    subject: Subject,
) -> Result<(), Status> {
    let tenant = Arc::clone(&player.tenant);
    tokio::select! {
        () = watcher.follow(tenant, hub, None, message) => return Ok(()),
        ended = player.ended() => ended?,
    }
    drop(player);
    let tenant = tenants.fresh(&org).await;
    let hub = hub::join(&tenant, subject, watcher.interval).await?;
    watcher.follow(tenant, hub, None, message).await;
    Ok(())
}

#[tonic::async_trait]
impl QueryService for Query {
    async fn list_topologies(
        &self,
        request: Request<pb::ListTopologiesRequest>,
    ) -> Result<Response<pb::ListTopologiesResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let Wanted { selection, at } = wanted(request.into_inner().selection, &caller)?;
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        let topologies = tenant
            .read(move |r| convert::topologies(&r.view.topologies(r.symbols, &selection)))
            .await?;
        Ok(Response::new(pb::ListTopologiesResponse { topologies }))
    }

    async fn get_topology(
        &self,
        request: Request<pb::GetTopologyRequest>,
    ) -> Result<Response<pb::GetTopologyResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let request = request.into_inner();
        let detail = Detail::from(request.view());
        let Wanted { selection, at } = wanted(request.selection, &caller)?;
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        let nodes = tenant.read(move |r| {
            let nodes = r
                .view
                .topology(r.symbols, &request.topology_id, &selection)?;
            let nodes = nodes.map(|node| convert::encode_summary(&node, detail));
            Some((nodes.collect(), r.warnings))
        });
        let (nodes, warnings) = nodes.await?.ok_or_else(no_topology)?;
        Ok(Response::new(pb::GetTopologyResponse { nodes, warnings }))
    }

    type WatchTopologyStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchTopologyResponse, Status>> + Send>>;

    async fn watch_topology(
        &self,
        request: Request<pb::WatchTopologyRequest>,
    ) -> Result<Response<Self::WatchTopologyStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let request = request.into_inner();
        let interval = interval(request.interval_ms, DEFAULT_INTERVAL)?;
        let speed = moment::speed(request.speed, 1.0)?;
        let view = request.view();
        let Wanted { selection, at } = wanted(request.selection, &caller)?;
        let subject = Subject {
            topology: request.topology_id,
            selection,
            form: Form::Proto(view.into()),
        };
        let (sender, receiver) = mpsc::channel(1);
        let watcher = Watcher { sender, interval };
        let org = caller.org_id;
        match self.tenants.passed(at) {
            None => {
                let tenant = self.tenants.fresh(&org).await;
                let hub = hub::join(&tenant, subject, interval).await?;
                let from = hub.version_of(&request.resume_from);
                tokio::spawn(async move { watcher.follow(tenant, hub, from, message).await });
            }
            Some(at) => {
                let player = self.tenants.play(&org, at, speed, interval).await?;
                let hub = hub::join(&player.tenant, subject.clone(), interval).await?;
                let tenants = self.tenants.clone();
                tokio::spawn(async move {
                    let played = play(&watcher, player, hub, tenants, org, subject).await;
                    if let Err(status) = played {
                        watcher.fail(status).await;
                    }
                });
            }
        }
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_node(
        &self,
        request: Request<pb::GetNodeRequest>,
    ) -> Result<Response<pb::GetNodeResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let request = request.into_inner();
        check_node_id(request.node_id.as_bytes())?;
        let Wanted { selection, at } = wanted(request.selection, &caller)?;
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        let node = tenant.read(move |r| {
            let (topology, id) = (&request.topology_id, request.node_id.as_bytes());
            let details = r.view.node(r.symbols, topology, id, &selection)?;
            Some(convert::details(&details))
        });
        let node = node.await?;
        let node = node.ok_or_else(|| Status::not_found("there is no such node right now"))?;
        Ok(Response::new(pb::GetNodeResponse { node: Some(node) }))
    }

    type GetReportStream = Chunks<pb::GetReportResponse>;

    async fn get_report(
        &self,
        request: Request<pb::GetReportRequest>,
    ) -> Result<Response<Self::GetReportStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let request = request.into_inner();
        let encoding = request.encoding();
        let Wanted { selection, at } = wanted(request.selection, &caller)?;
        let censor = Censor {
            command_lines: selection.hide_command_line_arguments,
            environment: selection.hide_environment_variables,
        };
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        let bytes = tenant.read(move |r| {
            let mut out = Vec::new();
            match encoding {
                pb::ReportEncoding::Msgpack => {
                    encode::msgpack(r.report, r.symbols, censor, &mut out);
                }
                pb::ReportEncoding::Json | pb::ReportEncoding::Unspecified => {
                    encode::json(r.report, r.symbols, censor, &mut out);
                }
            }
            out
        });
        let bytes = bytes.await?;
        Ok(Response::new(chunks(bytes, |chunk| {
            pb::GetReportResponse { chunk }
        })))
    }

    async fn list_probes(
        &self,
        request: Request<pb::ListProbesRequest>,
    ) -> Result<Response<pb::ListProbesResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let at = moment::wanted(request.into_inner().at)?;
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        let probes = tenant.read(|r| {
            let probes = r.view.probes(r.symbols);
            probes.iter().map(convert::probe).collect::<Vec<_>>()
        });
        let mut probes = probes.await?;
        probes.sort_by(|a, b| (&a.id, &a.hostname).cmp(&(&b.id, &b.hostname)));
        Ok(Response::new(pb::ListProbesResponse { probes }))
    }

    async fn search(
        &self,
        request: Request<pb::SearchRequest>,
    ) -> Result<Response<pb::SearchResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let mut request = request.into_inner();
        let Wanted { selection, at } = wanted(request.selection.take(), &caller)?;
        let search = Search::parse(&request)?;
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        let topologies = tenant
            .read(move |reading| search.run(reading, &selection))
            .await?;
        Ok(Response::new(pb::SearchResponse { topologies }))
    }

    async fn get_timeline(
        &self,
        request: Request<pb::GetTimelineRequest>,
    ) -> Result<Response<pb::GetTimelineResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let spans = Spans::parse(request.get_ref())?;
        let timeline = timeline::read(self.tenants.history(), &caller.org_id, spans).await?;
        Ok(Response::new(timeline))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<pb::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let scope = watch::check(request.into_inner().scope, &caller)?;
        let stream = watch::start(&self.watches, self.tenants.clone(), caller, scope);
        Ok(Response::new(stream))
    }

    async fn update_watch(
        &self,
        request: Request<pb::UpdateWatchRequest>,
    ) -> Result<Response<pb::UpdateWatchResponse>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let request = request.into_inner();
        let scope = watch::check(request.scope, &caller)?;
        self.watches.update(
            &caller.org_id,
            &request.watch_id,
            request.scope_number,
            scope,
        )?;
        Ok(Response::new(pb::UpdateWatchResponse {}))
    }
}
