//! A collection that is told what it received, and a query that reads from it.

use std::ops::RangeFrom;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Channel, Key};
use proto::collection::v1 as pb;
use proto::collection::v1::collection_service_server::{
    CollectionService, CollectionServiceServer,
};
use proto::collection::v1::subscribe_response::Event;
use proto::query::v1::query_service_client::QueryServiceClient;
use proto::query::v1::scope_service_client::ScopeServiceClient;
use proto::storage::v1::ReportHeader;
use proto::tenant::v1::Permission;
use runtime::Runtime;
use stores::archive::{Archive, Object, ObjectWriter};
use stores::{Index, Objects, Shortcut, Shortcuts};
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};
use url::Url;

pub(crate) const ORG: &str = "org";

#[derive(Debug, Clone)]
pub(crate) struct Fake(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rt: Runtime,
    held: Mutex<Held>,
    /// How many reports there are; it is up while this is open.
    news: watch::Sender<(u64, bool)>,
}

#[derive(Debug, Default)]
struct Held {
    replica: String,
    reports: Vec<pb::StoredReport>,
    lists: usize,
}

impl Fake {
    fn new(name: &str, rt: &Runtime) -> Self {
        let held = Held {
            replica: name.to_owned(),
            ..Held::default()
        };
        Fake(Arc::new(Inner {
            rt: rt.clone(),
            held: Mutex::new(held),
            news: watch::Sender::new((0, true)),
        }))
    }

    fn held<R>(&self, f: impl FnOnce(&mut Held) -> R) -> R {
        f(&mut self.0.held.lock().expect("no panic"))
    }

    /// Receives a report of a probe with a host of that name.
    pub(crate) fn post(&self, probe: &str) -> Shortcut {
        let body = format!(
            r#"{{"Window":3,"Host":{{"shape":"circle","nodes":{{"{probe};<host>":{{"id":"{probe};<host>","topology":"host","latest":{{"host_name":{{"timestamp":"2026-01-01T00:00:00Z","value":"{probe}"}}}}}}}}}}}}"#
        );
        let shortcut = self.held(|held| {
            let sequence = held.reports.len() as u64 + 1;
            held.reports.push(pb::StoredReport {
                report: Some(pb::RawReport {
                    body: body.into(),
                    format: pb::ReportFormat::ScopeJson.into(),
                    compression: pb::Compression::None.into(),
                    probe_id: probe.to_owned(),
                }),
                received_at: Some(self.0.rt.clock.now().into()),
                sequence,
                replica: held.replica.clone(),
                report_id: format!("{:032x}", rand::random::<u128>()),
            });
            Shortcut {
                replica: held.replica.clone(),
                sequence,
            }
        });
        self.0.news.send_modify(|(n, _)| *n += 1);
        shortcut
    }

    /// Writes what it received to these stores.
    pub(crate) async fn store(&self, archive: &Archive) {
        archive.put(&self.object(0..)).await.expect("kept");
    }

    /// An object of what it received, from one report on.
    pub(crate) fn object(&self, reports: RangeFrom<usize>) -> Object {
        let mut writer = ObjectWriter::new().expect("zstd");
        let name = format!("from-{}", reports.start);
        for stored in self.held(|held| held.reports[reports].to_vec()) {
            let (report, at) = (
                stored.report.expect("one"),
                stored.received_at.expect("then"),
            );
            let header = ReportHeader {
                writer: 1,
                number: stored.sequence,
                received_unix_nanos: at.seconds * 1_000_000_000 + i64::from(at.nanos),
                format: report.format,
                probe_id: report.probe_id,
                full: true,
                shortcut: false,
            };
            writer.push(ORG, header, &report.body).expect("zstd");
        }
        writer.finish("reports/", &name).expect("zstd")
    }

    /// Goes away, or comes back under another name with all it had.
    pub(crate) fn set_up(&self, up: bool) {
        if up {
            self.held(|held| {
                held.replica.push('+');
                for report in &mut held.reports {
                    report.replica.clone_from(&held.replica);
                }
            });
        }
        self.0.news.send_modify(|news| news.1 = up);
    }

    /// How often its log was listed.
    pub(crate) fn lists(&self) -> usize {
        self.held(|held| held.lists)
    }

    fn check(&self) -> Result<(), Status> {
        match self.0.news.borrow().1 {
            true => Ok(()),
            false => Err(Status::unavailable("gone")),
        }
    }
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl CollectionService for Fake {
    async fn submit(
        &self,
        _: Request<pb::SubmitRequest>,
    ) -> Result<Response<pb::SubmitResponse>, Status> {
        Err(Status::unimplemented("it is posted to"))
    }

    type SubscribeStream = Responses<pb::SubscribeResponse>;

    async fn subscribe(
        &self,
        _: Request<pb::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        self.check()?;
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let fake = self.clone();
        tokio::spawn(async move {
            let mut news = fake.0.news.subscribe();
            let mut sent = 0;
            loop {
                let (new, replica) = fake.held(|h| (h.reports[sent..].to_vec(), h.replica.clone()));
                sent += new.len();
                let reports = new.into_iter().map(Event::Report);
                let mark = Event::CaughtUp(pb::CaughtUp {
                    replica,
                    sequence: sent as u64,
                });
                for event in reports.chain([mark]) {
                    let event = Some(event);
                    if sender
                        .send(Ok(pb::SubscribeResponse { event }))
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                tokio::select! {
                    _ = news.changed() => {}
                    () = sender.closed() => return,
                }
                if fake.check().is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type ListReportsStream = Responses<pb::ListReportsResponse>;

    async fn list_reports(
        &self,
        request: Request<pb::ListReportsRequest>,
    ) -> Result<Response<Self::ListReportsStream>, Status> {
        self.check()?;
        let asked = request.into_inner();
        let key = |at: Option<prost_types::Timestamp>| at.map(|at| (at.seconds, at.nanos));
        let range = key(asked.from)..key(asked.until);
        let mut found = self.held(|held| {
            held.lists += 1;
            held.reports.clone()
        });
        found.retain(|report| range.contains(&key(report.received_at)));
        let found = found.into_iter().map(|report| {
            let report = Some(report);
            Ok(pb::ListReportsResponse { report })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(found))))
    }

    async fn get_status(
        &self,
        _: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        self.check()?;
        Ok(Response::new(self.held(|held| pb::GetStatusResponse {
            replica: held.replica.clone(),
            sequence: held.reports.len() as u64,
            ..pb::GetStatusResponse::default()
        })))
    }
}

/// Query over some collectors and stores in memory.
pub(crate) struct World {
    pub(crate) rt: Runtime,
    pub(crate) collectors: Vec<Fake>,
    pub(crate) archive: Archive,
    pub(crate) shortcuts: Shortcuts,
    pub(crate) query: QueryServiceClient<Channel>,
    pub(crate) scope: ScopeServiceClient<Channel>,
}

impl World {
    pub(crate) async fn new(collectors: usize) -> World {
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let memory = Url::parse("memory:").expect("a URL");
        let archive = Archive::new(
            Objects::open(&memory, &rt).await.expect("memory"),
            Index::open(&memory, &rt).await.expect("memory"),
        );
        let shortcuts = Shortcuts::open(&memory, &rt).await.expect("memory");
        let collectors: Vec<Fake> = (0..collectors)
            .map(|n| Fake::new(&format!("c{n}"), &rt))
            .collect();
        let channels = collectors
            .iter()
            .map(|fake| runtime::local(CollectionServiceServer::new(fake.clone()), &rt));
        let peers = query::Peers {
            collection: channels.collect(),
            archive: archive.clone(),
            shortcuts: shortcuts.clone(),
        };
        let (query, scope) = query::start(query::Config::default(), peers, &rt).expect("metrics");
        let channel = runtime::local_pair(query, scope, &rt);
        World {
            query: QueryServiceClient::new(channel.clone()),
            scope: ScopeServiceClient::new(channel),
            rt,
            collectors,
            archive,
            shortcuts,
        }
    }

    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let request = Request::new(message);
        client::authorise(request, &self.rt.key, ORG, "test", &[Permission::View])
    }

    pub(crate) fn now(&self) -> prost_types::Timestamp {
        self.rt.clock.now().into()
    }

    /// The value of one of query's counters.
    pub(crate) fn counter(&self, name: &str) -> f64 {
        let families = self.rt.registry.gather();
        let family = families.iter().find(|f| f.name() == name);
        family.map_or(0.0, |f| f.get_metric()[0].get_counter().get_value())
    }
}

/// The next message of a stream, unless it takes this long.
pub(crate) async fn within<T>(
    patience: Duration,
    stream: &mut tonic::Streaming<T>,
) -> Option<Result<T, Status>> {
    tokio::time::timeout(patience, stream.next()).await.ok()?
}
