//! Reports and their topologies.

use std::sync::Arc;

use super::DecodeError;
use super::source::{Result, Source};
use super::walk::{Strings, Walker};
use crate::kind::{DECLARED, Kind};
use crate::model::{Node, Report, Topology};

const DNS: usize = 24;

fn report_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"TS" => 0,
        b"DNS" => DNS,
        b"nodes" => DNS + 1,
        b"Sampling" => DNS + 2,
        b"Window" => DNS + 3,
        b"Shortcut" => DNS + 4,
        b"Plugins" => DNS + 5,
        b"ID" => DNS + 6,
        _ => {
            let declared = |k: &Kind| k.facts().report_key.as_bytes() == name;
            DECLARED.iter().position(declared)? + 1
        }
    })
}

fn topology_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"shape" => 0,
        b"tag" => 1,
        b"label" => 2,
        b"label_plural" => 3,
        b"nodes" => 4,
        b"controls" => 5,
        b"metadata_templates" => 6,
        b"metric_templates" => 7,
        b"table_templates" => 8,
        _ => return None,
    })
}

impl<S: Source, I: Strings> Walker<'_, S, I> {
    /// A whole report.
    pub(super) fn report(&mut self) -> Result<Report> {
        let mut report = self.strings.fresh();
        self.structure(DNS + 7, report_field, |w, field| {
            match field {
                0 => report.ts = w.source.time()?,
                1..DNS => {
                    let kind = DECLARED[field - 1];
                    w.topology(kind, &mut report)?;
                }
                24 => report.dns = w.dns()?,
                25 => report.misnamed_dns = w.dns()?,
                26 => report.sampling = w.sampling()?,
                27 => report.window = w.source.int()?,
                28 => report.shortcut = w.source.bool()?,
                29 => report.plugins = w.plugins()?,
                _ => report.id = w.sym()?,
            }
            Ok(())
        })?;
        report.received = self.received;
        report.ahead = self.ahead;
        self.checked.shortcut = report.shortcut;
        self.checked.full &= !report.shortcut;
        Ok(report)
    }

    fn topology(&mut self, kind: Kind, report: &mut Report) -> Result<()> {
        let mut nothing = Topology::default();
        let topology = report
            .topologies
            .get_mut(kind as usize)
            .unwrap_or(&mut nothing);
        if self.source.nil()? {
            *topology = Topology::default();
            return Ok(());
        }
        self.structure(9, topology_field, |w, field| {
            // Deltas have neither shapes nor templates.
            w.checked.full |= matches!(field, 0 | 6..=8);
            match field {
                0 => topology.shape = w.sym()?,
                1 => topology.tag = w.sym()?,
                2 => topology.label = w.sym()?,
                3 => topology.label_plural = w.sym()?,
                4 => topology.nodes = w.nodes(kind)?,
                5 => topology.controls = w.map(Self::control, |c| c.0)?,
                6 => topology.metadata_templates = w.map(Self::metadata_template, |t| t.0)?,
                7 => topology.metric_templates = w.map(Self::metric_template, |t| t.0)?,
                _ => topology.table_templates = w.map(Self::table_template, |t| t.0)?,
            }
            Ok(())
        })
    }

    fn nodes(&mut self, kind: Kind) -> Result<Vec<Arc<Node>>> {
        let before = self.nodes;
        let nodes = self.map(
            |w, key| {
                w.count_node()?;
                let node = w.node(key)?;
                Ok(w.shared(node))
            },
            |node| node.as_ref().map_or_else(Default::default, |n| n.id),
        )?;
        self.checked.nodes[kind as usize] = u32::try_from(self.nodes - before).unwrap_or(u32::MAX);
        Ok(nodes.into_iter().flatten().collect())
    }

    /// Nothing is allocated for a node that is only checked.
    fn shared(&self, node: Node) -> Option<Arc<Node>> {
        I::BUILD.then(|| Arc::new(node))
    }

    /// Accounts for a node.
    pub(super) fn count_node(&mut self) -> Result<()> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(DecodeError::TooLarge {
                what: "nodes",
                limit: self.limits.nodes,
            });
        }
        self.charge::<Node>()
    }
}
