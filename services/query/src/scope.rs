use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use client::Caller;
use futures_util::stream;
use proto::encoded::query::v1 as pb;
use proto::encoded::query::v1::scope_service_server::ScopeService;
use proto::tenant::v1::Permission;
use report::options::Selection;
use report::scope_json;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::{Request, Response, Status};

use crate::follow::Watcher;
use crate::hub::{self, Change, Form, Hub, Subject};
use crate::selection::{Wanted, check_node_id, wanted};
use crate::tenant::Reading;
use crate::tenants::Tenants;

/// Bytes of a chunk.
pub(crate) const CHUNK: usize = 256 << 10;
/// Bounds and default of the time between two messages, in milliseconds.
pub(crate) const INTERVALS: (u32, u32) = (100, 60_000);
const DEFAULT_INTERVAL: u32 = 1000;

/// Scope's JSON documents.
#[derive(Debug)]
pub struct Scope {
    tenants: Tenants,
}

impl Scope {
    pub(crate) fn new(tenants: Tenants) -> Self {
        Scope { tenants }
    }
}

pub(crate) type Chunks<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A document as a stream of chunks; an empty one is one empty chunk.
pub(crate) fn chunks<T: Send + 'static>(text: Vec<u8>, message: fn(Bytes) -> T) -> Chunks<T> {
    let mut text = Bytes::from(text);
    let mut chunks = vec![Ok(message(text.split_to(text.len().min(CHUNK))))];
    while !text.is_empty() {
        chunks.push(Ok(message(text.split_to(text.len().min(CHUNK)))));
    }
    Box::pin(stream::iter(chunks))
}

#[tonic::async_trait]
impl ScopeService for Scope {
    type GetDocumentStream = Chunks<pb::GetDocumentResponse>;

    async fn get_document(
        &self,
        request: Request<pb::GetDocumentRequest>,
    ) -> Result<Response<Self::GetDocumentStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let mut request = request.into_inner();
        check_node_id(&request.node_id)?;
        let Wanted { selection, at } = wanted(request.selection.take(), &caller)?;
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        // Unbounded, because the tenant's lock must not wait for a reader that is slow; the document bounds it.
        let (sender, receiver) = mpsc::unbounded_channel();
        let failed = sender.clone();
        let send = move |chunk: Vec<u8>| {
            let chunk = chunk.into();
            // Fails when the reader is gone, which is no matter here.
            let _ = sender.send(Ok(pb::GetDocumentResponse { chunk }));
        };
        tokio::spawn(async move {
            let written = tenant.read(move |reading| write(reading, &request, &selection, send));
            if let Err(status) = written.await.flatten() {
                let _ = failed.send(Err(status));
            }
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(
            receiver,
        ))))
    }

    type WatchDocumentStream = Chunks<pb::WatchDocumentResponse>;

    async fn watch_document(
        &self,
        request: Request<pb::WatchDocumentRequest>,
    ) -> Result<Response<Self::WatchDocumentStream>, Status> {
        let caller = Caller::of(&request, Permission::View)?;
        let request = request.into_inner();
        let Wanted { selection, at } = wanted(request.selection, &caller)?;
        let interval = interval(request.interval_ms, DEFAULT_INTERVAL)?;
        let tenant = self.tenants.at(&caller.org_id, at).await?;
        let subject = Subject {
            topology: request.topology_id,
            selection,
            form: Form::Json,
        };
        let hub = hub::join(&tenant, subject, interval).await?;
        let (sender, receiver) = mpsc::channel(1);
        let watcher = Watcher { sender, interval };
        let message = |_: &Hub, change: &Change| {
            let message = || pb::WatchDocumentResponse {
                message: message(change),
            };
            (!change.is_empty()).then(message)
        };
        tokio::spawn(async move { watcher.follow(tenant, hub, None, message).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// The interval that a watcher wants.
pub(crate) fn interval(millis: u32, default: u32) -> Result<Duration, Status> {
    let millis = if millis == 0 { default } else { millis };
    if (INTERVALS.0..=INTERVALS.1).contains(&millis) {
        return Ok(Duration::from_millis(u64::from(millis)));
    }
    Err(Status::invalid_argument(format!(
        "the interval must be {} to {} milliseconds",
        INTERVALS.0, INTERVALS.1
    )))
}

/// Writes a document, in pieces where it may be large.
fn write(
    reading: Reading<'_>,
    request: &pb::GetDocumentRequest,
    selection: &Selection,
    mut send: impl FnMut(Vec<u8>),
) -> Result<(), Status> {
    let Reading { view, symbols, .. } = reading;
    let mut out = Vec::new();
    match request.document() {
        pb::Document::Topologies => {
            let infos = view.topologies(symbols, selection);
            scope_json::write_topologies(&mut out, &infos);
        }
        pb::Document::Topology => {
            let nodes = view.topology(symbols, &request.topology_id, selection);
            let nodes = nodes.ok_or_else(|| Status::not_found("there is no such topology"))?;
            scope_json::topology_chunks(nodes, CHUNK, send);
            return Ok(());
        }
        pb::Document::Node => {
            let node = view.node(symbols, &request.topology_id, &request.node_id, selection);
            let node = node.ok_or_else(|| Status::not_found("there is no such node"))?;
            scope_json::write_node(&mut out, &request.topology_id, &node);
        }
        pb::Document::Probes => scope_json::write_probes(&mut out, &view.probes(symbols)),
        pb::Document::HasReports => {
            out.extend_from_slice(if reading.next_expiry.is_some() {
                b"true"
            } else {
                b"false"
            });
        }
        pb::Document::Plugins => scope_json::write_plugins(&mut out, &view.plugins(symbols)),
        pb::Document::Unspecified => {
            return Err(Status::invalid_argument("which document?"));
        }
    }
    send(out);
    Ok(())
}

/// A diff as Scope's WebSocket sends it: arrays are null when empty, and `reset` is only there when true.
fn message(change: &Change) -> Bytes {
    let bytes: usize = change
        .added
        .iter()
        .chain(&change.updated)
        .map(|n| n.len() + 1)
        .sum();
    let mut out = Vec::with_capacity(bytes + 64 * change.removed.len() + 64);
    out.extend_from_slice(b"{\"add\":");
    list(&mut out, &change.added, |out, node| {
        out.extend_from_slice(node)
    });
    out.extend_from_slice(b",\"update\":");
    list(&mut out, &change.updated, |out, node| {
        out.extend_from_slice(node)
    });
    out.extend_from_slice(b",\"remove\":");
    list(&mut out, &change.removed, |out, id| {
        scope_json::write_string(out, id)
    });
    if change.reset {
        out.extend_from_slice(b",\"reset\":true");
    }
    out.push(b'}');
    out.into()
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    if items.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_scopes() {
        let check = |change: Change, expected: &str| {
            assert_eq!(std::str::from_utf8(&message(&change)), Ok(expected));
        };
        check(
            Change {
                reset: true,
                ..Change::default()
            },
            r#"{"add":null,"update":null,"remove":null,"reset":true}"#,
        );
        check(
            Change {
                added: vec![Bytes::from("{}"), Bytes::from("{}")],
                removed: vec![b"a\"b".to_vec()],
                ..Change::default()
            },
            r#"{"add":[{},{}],"update":null,"remove":["a\"b"]}"#,
        );
    }
}
