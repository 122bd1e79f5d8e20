//! Everything about one node.

mod children;
mod connections;
mod controls;

use crate::model::Report;
use crate::render::drawn::{Drawn, Rendering};
use crate::render::endpoints::Endpoints;
use crate::summary::{Column, MetadataRow, ParentLabels, Samples, Summarizer, Summary, Text};

/// Everything about one node.
#[derive(Debug, Clone, PartialEq)]
pub struct Details<'a> {
    /// The node itself; its metrics carry samples.
    pub summary: Summary<'a>,
    /// What can be done to it now, by rank.
    pub controls: Vec<ControlInstance<'a>>,
    /// What it contains, by kind.
    pub children: Vec<ChildGroup<'a>>,
    /// Connections from others.
    pub incoming: ConnectionTable<'a>,
    /// Connections to others.
    pub outgoing: ConnectionTable<'a>,
}

/// A control of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlInstance<'a> {
    /// The probe that executes it.
    pub probe_id: &'a [u8],
    /// The node it acts on.
    pub node_id: &'a [u8],
    /// The control.
    pub id: &'a [u8],
    /// For display.
    pub human: &'a [u8],
    /// Font Awesome class names.
    pub icon: &'a [u8],
    /// The question to ask first, or empty.
    pub confirmation: &'a [u8],
    /// Its place among the others.
    pub rank: i64,
}

/// The children of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildGroup<'a> {
    /// For display: `Processes`.
    pub label: &'a [u8],
    /// The topology they are shown in.
    pub topology_id: &'static str,
    /// Facts and metrics worth a column.
    pub columns: Vec<Column<'a>>,
    /// Without samples, ordered by id.
    pub nodes: Vec<Summary<'a>>,
}

/// The connections of a node in one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionTable<'a> {
    /// Facts worth a column.
    pub columns: Vec<Column<'a>>,
    /// Ordered by id.
    pub connections: Vec<Connection<'a>>,
}

/// Connections of one kind with one other node.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection<'a> {
    /// Unique within the table.
    pub id: Vec<u8>,
    /// The other node.
    pub node_id: &'a [u8],
    /// Its name, or its address for Internet nodes.
    pub label: Text<'a>,
    /// Its second line; may be empty.
    pub label_minor: Text<'a>,
    /// Values of the columns.
    pub metadata: Vec<MetadataRow<'a>>,
}

/// What details are made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Detailer<'a> {
    pub(crate) summarizer: Summarizer<'a>,
    pub(crate) report: &'a Report,
    pub(crate) endpoints: &'a Endpoints,
}

impl<'a> Detailer<'a> {
    /// `None` if nodes of its topology are never shown. `others` are the nodes whose connections count, itself among them.
    pub(crate) fn details(self, node: &Drawn, others: &Rendering) -> Option<Details<'a>> {
        let mut labels = ParentLabels::default();
        Some(Details {
            summary: self.summarizer.summary(node, Samples::Shown, &mut labels)?,
            controls: self.controls(node),
            children: self.children(node, &mut labels),
            incoming: self.incoming(node, others),
            outgoing: self.outgoing(node, others),
        })
    }
}
