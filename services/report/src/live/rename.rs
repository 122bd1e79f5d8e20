//! Reports in other numbers: what was decoded with one table of strings, as if it had been with another.

use std::sync::Arc;

use crate::model::{
    Control, DnsRecord, MetadataTemplate, MetricTemplate, Node, Plugin, Report, Sets,
    TableTemplate, Topology,
};
use crate::symbol::{Sym, Symbols};

/// What the strings of one table are called in another.
pub(super) struct Names(Vec<Sym>);

impl Names {
    /// Adds all strings of `from` to `to`.
    pub(super) fn new(from: &Symbols, to: &mut Symbols) -> Self {
        Names(from.iter().map(|string| to.intern(string)).collect())
    }

    pub(super) fn report(&self, report: &mut Report) {
        for topology in &mut report.topologies {
            self.topology(topology);
        }
        for dns in [&mut report.dns, &mut report.misnamed_dns] {
            self.list(dns, |r| r.0, |(address, record)| self.dns(address, record));
        }
        self.list(&mut report.plugins, |p| p.id, |p| self.plugin(p));
        self.all([&mut report.id]);
    }

    fn all<const N: usize>(&self, syms: [&mut Sym; N]) {
        for sym in syms {
            *sym = self.0[sym.index()];
        }
    }

    /// Lists are sorted by the number of their keys. Most stay in order, since both tables met the strings in about the
    /// same one.
    fn list<T>(&self, list: &mut [T], key: impl Fn(&T) -> Sym, mut each: impl FnMut(&mut T)) {
        list.iter_mut().for_each(&mut each);
        if !list.is_sorted_by_key(&key) {
            list.sort_unstable_by_key(key);
        }
    }

    fn set(&self, set: &mut [Sym]) {
        self.list(set, |sym| *sym, |sym| self.all([sym]));
    }

    fn sets(&self, sets: &mut Sets) {
        let each = |(key, set): &mut (Sym, Vec<Sym>)| {
            self.all([key]);
            self.set(set);
        };
        self.list(sets, |s| s.0, each);
    }

    fn topology(&self, topology: &mut Topology) {
        self.all([
            &mut topology.shape,
            &mut topology.tag,
            &mut topology.label,
            &mut topology.label_plural,
        ]);
        let node = |node: &mut Arc<Node>| self.node(Arc::make_mut(node));
        self.list(&mut topology.nodes, |n| n.id, node);
        self.templates(&mut topology.controls, |c| self.control(c));
        self.templates(&mut topology.metadata_templates, |t| self.metadata(t));
        self.templates(&mut topology.metric_templates, |t| self.metric(t));
        self.templates(&mut topology.table_templates, |t| self.table(t));
    }

    fn templates<T>(&self, list: &mut [(Sym, T)], each: impl Fn(&mut T)) {
        let each = |(id, item): &mut (Sym, T)| {
            self.all([id]);
            each(item);
        };
        self.list(list, |item| item.0, each);
    }

    fn node(&self, node: &mut Node) {
        self.all([&mut node.id, &mut node.topology]);
        self.sets(&mut node.sets);
        self.set(&mut node.adjacency);
        let latest = &mut node.latest;
        self.list(latest, |e| e.key, |e| self.all([&mut e.key, &mut e.value]));
        self.list(&mut node.metrics, |m| m.0, |m| self.all([&mut m.0]));
        self.sets(&mut node.parents);
        self.list(&mut node.children, |n| n.id, |n| self.node(n));
    }

    fn dns(&self, address: &mut Sym, record: &mut DnsRecord) {
        self.all([address]);
        self.set(&mut record.forward);
        self.set(&mut record.reverse);
    }

    fn plugin(&self, plugin: &mut Plugin) {
        self.all([
            &mut plugin.id,
            &mut plugin.label,
            &mut plugin.description,
            &mut plugin.api_version,
            &mut plugin.status,
        ]);
        plugin.interfaces.iter_mut().for_each(|i| self.all([i]));
    }

    fn control(&self, control: &mut Control) {
        self.all([
            &mut control.id,
            &mut control.human,
            &mut control.icon,
            &mut control.confirmation,
            &mut control.probe_id,
        ]);
    }

    fn metadata(&self, template: &mut MetadataTemplate) {
        self.all([
            &mut template.id,
            &mut template.label,
            &mut template.data_type,
            &mut template.from,
        ]);
    }

    fn metric(&self, template: &mut MetricTemplate) {
        self.all([
            &mut template.id,
            &mut template.label,
            &mut template.format,
            &mut template.group,
        ]);
    }

    fn table(&self, template: &mut TableTemplate) {
        self.all([
            &mut template.id,
            &mut template.label,
            &mut template.prefix,
            &mut template.kind,
        ]);
        for column in &mut template.columns {
            self.all([&mut column.id, &mut column.label, &mut column.data_type]);
        }
        let row = |(key, label): &mut (Sym, Sym)| self.all([key, label]);
        self.list(&mut template.fixed_rows, |r| r.0, row);
    }
}
