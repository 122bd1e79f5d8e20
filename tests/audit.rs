//! Comparing what was acknowledged with what can be found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use anyhow::{Context, ensure};
use client::Key;
use proto::collection::v1 as pb;
use runtime::Runtime;
use stores::archive::{Archive, report_name};
use stores::{Index, Objects};
use url::Url;

use crate::Acked;
use crate::collection::{Caller, timestamp};
use crate::load::{ORGS, said, unix_nanos};

/// Nothing was accepted later than so many nanoseconds from now.
const AHEAD: i64 = 60_000_000_000;

/// Where reports are kept.
#[derive(Debug, Clone)]
pub struct Keep {
    /// The objects.
    pub objects: Url,
    /// Their index.
    pub index: Url,
}

impl Keep {
    /// The reports in these stores.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub async fn archive(&self) -> anyhow::Result<Archive> {
        let rt = Runtime::new(runtime::Config::default(), Key::generate());
        let objects = Objects::open(&self.objects, &rt).await?;
        let index = Index::open(&self.index, &rt).await?;
        Ok(Archive::new(objects, index))
    }
}

/// What became of acknowledged reports.
#[derive(Debug, Default)]
pub struct Audit {
    /// How many were acknowledged.
    pub acked: usize,
    /// Those that are not there, or under another name.
    pub lost: Vec<Acked>,
    /// How often reports stand in the index, or are kept, once more than once.
    pub duplicated: u64,
    /// How many are there whose acknowledgement never came.
    pub unacknowledged: usize,
    /// What the archive says is damaged.
    pub damaged: Vec<String>,
}

impl Audit {
    /// Reads everything back that was accepted since this moment (Unix nanoseconds).
    ///
    /// # Errors
    /// When a store is away.
    pub async fn of(archive: &Archive, acked: &[Acked], from: i64) -> anyhow::Result<Audit> {
        let mut audit = Audit {
            acked: acked.len(),
            ..Audit::default()
        };
        let until = unix_nanos() + AHEAD;
        let mut orgs: BTreeMap<&str, HashMap<u64, &Acked>> = BTreeMap::new();
        for acked in acked {
            let wanted = orgs.entry(&acked.org).or_default();
            let twice = wanted.insert(acked.said, acked);
            ensure!(twice.is_none(), "{acked:?} and {twice:?}");
        }
        for (org, mut wanted) in orgs {
            let found = archive.reports(org, from, until).await?;
            audit.damaged.extend(found.damaged);
            let mut there = HashSet::new();
            for report in &found.reports {
                let (said, name) = (said(&report.body), report_name(&report.header));
                if !there.insert(said) {
                    audit.duplicated += 1;
                    continue;
                }
                match wanted.remove(&said) {
                    // Who posts to the edge is not told the name.
                    Some(acked) if acked.report_id.is_empty() || acked.report_id == name => {}
                    Some(acked) => audit.lost.push(acked.clone()),
                    None => audit.unacknowledged += 1,
                }
            }
            audit.lost.extend(wanted.into_values().cloned());
            let rows = archive.rows(org, from, until).await?;
            let blocks = rows.iter().flat_map(|row| &row.blocks);
            let counted = blocks.flat_map(|block| &block.reports_per_second);
            let counted: u64 = counted.map(|n| u64::from(*n)).sum();
            audit.duplicated += counted.saturating_sub(found.reports.len() as u64);
        }
        Ok(audit)
    }

    /// Fails unless every report is there once.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn passed(&self) -> anyhow::Result<()> {
        let clean = self.lost.is_empty() && self.damaged.is_empty() && self.duplicated == 0;
        ensure!(self.acked > 0, "nothing was acknowledged");
        ensure!(clean, "{self}: {:?} {:?}", self.lost, self.damaged);
        Ok(())
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, damaged) = (self.lost.len(), self.damaged.len());
        write!(
            f,
            "acked {}, lost {lost}, duplicated {}, damaged {damaged} ({} kept without an acknowledgement)",
            self.acked, self.duplicated, self.unacknowledged
        )
    }
}

/// Fails unless each of these reports is in the replica's log or in the stores, which are read after it.
///
/// # Errors
/// With the names of those that are not, or when something does not answer.
pub(crate) async fn in_log_or_stores(
    caller: &mut Caller,
    archive: &Archive,
    acked: &[Acked],
) -> anyhow::Result<()> {
    let Some(from) = acked.iter().map(|acked| acked.sent).min() else {
        return Ok(());
    };
    let until = unix_nanos() + AHEAD;
    let mut there = HashSet::new();
    for org in ORGS {
        let list = pb::ListReportsRequest {
            from: Some(timestamp(from)),
            until: Some(timestamp(until)),
            headers_only: true,
        };
        let request = caller.request(org, list);
        let mut listed = caller.client.list_reports(request).await?.into_inner();
        while let Some(response) = listed.message().await? {
            there.insert(response.report.context("a report")?.report_id);
        }
        let found = archive.reports(org, from, until).await?;
        there.extend(found.reports.iter().map(|r| report_name(&r.header)));
    }
    let missing = acked.iter().filter(|a| !there.contains(&a.report_id));
    let missing: Vec<_> = missing.map(|a| a.report_id.as_str()).collect();
    ensure!(
        missing.is_empty(),
        "neither in the log nor in the stores: {missing:?}"
    );
    Ok(())
}
