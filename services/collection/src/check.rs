//! Refusing what cannot be decoded later, at the price of inflating and walking it.

use std::sync::Arc;

use proto::collection::v1 as pb;
use report::decode::{self, Limits};
use report::kind::KINDS;
use report::live::LiveConfig;
use tokio::sync::Semaphore;

use crate::encoding;
use crate::error::SubmitError;

/// Checks reports.
#[derive(Debug)]
pub(crate) struct Checker {
    limits: Limits,
    report_bytes: usize,
    /// Bounds the memory and the cores that inflating and checking take.
    at_once: Arc<Semaphore>,
}

impl Checker {
    pub(crate) fn new(report_bytes: usize, limits: Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Checker {
            limits,
            report_bytes,
            at_once: Arc::new(Semaphore::new(cores)),
        }
    }

    pub(crate) async fn check(
        &self,
        report: &pb::RawReport,
    ) -> Result<decode::Checked, SubmitError> {
        let format = encoding::format(report.format()).ok_or(SubmitError::Format)?;
        let compression = encoding::compression(report.compression());
        let compression = compression.ok_or(SubmitError::Compression)?;
        if report.probe_id.len() > 64 {
            return Err(SubmitError::ProbeId);
        }
        let (size, limit) = (report.body.len(), self.report_bytes);
        if size > limit {
            return Err(SubmitError::TooLarge(size, limit));
        }
        let (body, limits) = (report.body.clone(), self.limits.clone());
        let permit = Arc::clone(&self.at_once).acquire_owned().await;
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let inflated = decode::inflate(&body, compression, &limits)?;
            decode::check(&inflated, format, &limits)
        });
        Ok(checked.await??)
    }
}

/// The topologies that will be cut when rendered.
pub(crate) fn oversized(checked: &decode::Checked) -> Vec<String> {
    let limit = LiveConfig::default().max_nodes_per_topology;
    let counts = KINDS.iter().zip(checked.nodes);
    counts
        .filter(|(_, nodes)| *nodes as usize > limit)
        .map(|(kind, _)| kind.facts().name.to_owned())
        .collect()
}
