//! How reports come to a tenant that shows the present.

use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::collection::v1::StoredReport;
use tokio::sync::futures::Notified;

use super::{Inbox, State, Tenant};
use crate::collectors::partial;
use crate::post::Post;

impl Tenant {
    /// Adds a report, unless it came already. Cheap: nothing is decoded before somebody reads, nor is waited for who does.
    pub(crate) fn push(&self, stored: StoredReport) {
        let (replica, sequence) = (stored.replica.clone(), stored.sequence);
        if let Some(post) = Post::stored(stored) {
            let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = inbox.push(post);
            drop(inbox);
            if is_new {
                // What nobody reads must not pile up: the state forgets what is old.
                if let Ok(mut state) = self.state.try_lock() {
                    state.take_in(&self.inbox);
                }
                self.arrived.send_modify(|n| *n += 1);
            } else {
                self.metrics.repeated_reports.inc();
            }
        }
        self.saw(replica, sequence);
    }

    /// Notes that this replica's reports up to this number are here.
    pub(crate) fn saw(&self, replica: String, sequence: u64) {
        self.seen.send_modify(|seen| {
            let last = seen.entry(replica).or_default();
            *last = sequence.max(*last);
        });
    }

    /// Whether this replica's report of this number is here already.
    pub(crate) fn has_seen(&self, replica: &str, sequence: u64) -> bool {
        let seen = self.seen.borrow();
        seen.get(replica).is_some_and(|&last| last >= sequence)
    }

    /// Waits until this replica's reports up to this number are here.
    pub(crate) async fn wait_for(&self, replica: &str, sequence: u64) {
        let mut seen = self.seen.subscribe();
        // The sender lives as long as this tenant.
        let _ = seen
            .wait_for(|seen| seen.get(replica).is_some_and(|&s| s >= sequence))
            .await;
    }

    /// Lets watchers see at once what is here.
    pub(crate) fn hurry(&self) {
        self.urgent.send_modify(|n| *n += 1);
    }

    /// Makes feeds that are waiting try again now.
    pub(crate) fn reconnect(&self) {
        self.reconnect.notify_waiters();
    }

    /// Waits until somebody wants feeds to try again.
    pub(crate) fn reconnection(&self) -> Notified<'_> {
        self.reconnect.notified()
    }

    /// Notes whether a replica of collection answers.
    pub(crate) fn answers(&self, replica: usize, up: bool) {
        let before = self.collectors()[replica].replace(up);
        if before.unwrap_or(true) != up {
            self.arrived.send_modify(|n| *n += 1);
        }
    }

    /// That some replicas of collection do not answer, in words.
    pub(super) fn collectors_missing(&self) -> Option<String> {
        let collectors = self.collectors();
        let up = collectors.iter().filter(|up| **up != Some(false));
        partial(up.count(), collectors.len())
    }

    fn collectors(&self) -> MutexGuard<'_, Vec<Option<bool>>> {
        self.collectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// Adds a report; false if it came already.
    fn push(&mut self, post: Post) -> bool {
        let is_new = self.recent.is_new(post.id);
        if is_new {
            self.posts.push(post);
        }
        is_new
    }
}

impl State {
    /// Adds what came.
    pub(super) fn take_in(&mut self, inbox: &Mutex<Inbox>) {
        let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let came = std::mem::take(&mut inbox.posts);
        drop(inbox);
        came.into_iter().for_each(|post| self.add(post));
    }

    pub(super) fn add(&mut self, post: Post) {
        let (format, compression) = (post.format, post.compression);
        self.live
            .push(post.received, &post.probe, post.body, format, compression);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proto::collection::v1::{Compression, RawReport, ReportFormat};
    use report::Kind;

    use super::*;
    use crate::metrics::Metrics;
    use crate::renderers::Renderers;

    fn report(name: u8, at: std::time::SystemTime) -> StoredReport {
        let body = format!(r#"{{"Host":{{"nodes":{{"{name};<host>":{{"topology":"host"}}}}}}}}"#);
        StoredReport {
            report: Some(RawReport {
                body: body.into(),
                format: ReportFormat::ScopeJson.into(),
                compression: Compression::None.into(),
                probe_id: name.to_string(),
            }),
            received_at: Some(at.into()),
            sequence: name.into(),
            replica: "c0".to_owned(),
            report_id: format!("{name:032x}"),
        }
    }

    #[tokio::test]
    async fn reports_do_not_wait_for_who_renders() {
        let rt = runtime::Runtime::new(runtime::Config::default(), client::Key::generate());
        let renderers = Renderers::start().expect("threads");
        let metrics = Metrics::register(&rt.registry).expect("new");
        let tenant = Tenant::present("org", rt.clock, metrics, renderers, Duration::ZERO, 1);
        let rendering = tenant.state.lock().expect("no panic");
        let arrivals = tenant.arrivals();
        for name in [1, 2, 2] {
            tenant.push(report(name, rt.clock.now()));
        }
        assert!(tenant.has_seen("c0", 2));
        assert!(arrivals.has_changed().expect("a tenant"));
        drop(rendering);
        let tenant = Arc::new(tenant);
        let hosts = tenant.read(|reading| reading.report.topology(Kind::Host).nodes.len());
        let hosts = tokio::time::timeout(Duration::from_secs(60), hosts).await;
        assert_eq!(hosts.expect("in time").expect("no panic"), 2);
    }
}
