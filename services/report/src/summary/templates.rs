//! How a topology's nodes are presented, ready for use.

use crate::kind::{KINDS, Kind};
use crate::model::{MetadataTemplate, MetricTemplate, Report, TableTemplate};
use crate::render::keys::Keys;
use crate::summary::table_keys::TableKeys;
use crate::symbol::{Sym, Symbols};

/// Templates of all topologies, each in the order of display.
#[derive(Debug)]
pub(crate) struct Templates {
    kinds: Vec<KindTemplates>,
    has_table_keys: bool,
}

#[derive(Debug)]
pub(crate) struct KindTemplates {
    pub(crate) shape: Sym,
    pub(crate) tag: Sym,
    pub(crate) label: Sym,
    pub(crate) label_plural: Sym,
    /// What a count of nodes of this kind is called among facts, if any node has one.
    pub(crate) counter: Option<Sym>,
    pub(crate) metadata: Vec<Metadata>,
    pub(crate) metrics: Vec<MetricTemplate>,
    pub(crate) tables: Vec<TablePlan>,
    /// Empty before [`Templates::find_table_keys`].
    pub(crate) table_keys: TableKeys,
}

#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) template: MetadataTemplate,
    pub(crate) from: From,
    /// What a count of this is called among facts, if any node has one.
    pub(crate) counter: Option<Sym>,
    /// Its values are command lines.
    pub(crate) is_command: bool,
}

#[derive(Debug)]
pub(crate) struct TablePlan {
    pub(crate) template: TableTemplate,
    pub(crate) is_environment: bool,
    pub(crate) is_multicolumn: bool,
    /// The key of the number of rows that the probe left out, if any node has one.
    pub(crate) truncation: Option<Sym>,
}

/// Where a fact's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The first place that has it.
    Anywhere,
    Latest,
    Sets,
    Counters,
}

impl Templates {
    pub(crate) fn new(report: &Report, keys: &Keys, symbols: &mut Symbols) -> Self {
        let kinds = KINDS.iter();
        Templates {
            kinds: kinds
                .map(|&kind| KindTemplates::new(kind, report, keys, symbols))
                .collect(),
            has_table_keys: false,
        }
    }

    /// Makes ready for summaries with tables.
    pub(crate) fn find_table_keys(&mut self, report: &Report, keys: &Keys, symbols: &Symbols) {
        if std::mem::replace(&mut self.has_table_keys, true) {
            return;
        }
        for (kind, templates) in KINDS.into_iter().zip(&mut self.kinds) {
            let topology = report.topology(kind);
            let more = keys.of_images();
            templates.table_keys = TableKeys::new(topology, &more, &templates.tables, symbols);
        }
    }

    pub(crate) fn kind(&self, kind: Kind) -> &KindTemplates {
        &self.kinds[kind as usize]
    }
}

impl KindTemplates {
    fn new(kind: Kind, report: &Report, keys: &Keys, symbols: &mut Symbols) -> Self {
        let topology = report.topology(kind);
        let facts = kind.facts();
        let mut or_default = |own: Sym, default: &str| {
            if own.is_empty() {
                symbols.intern(default)
            } else {
                own
            }
        };
        let shape = match facts.shape {
            "" => "circle",
            shape => shape,
        };
        let (label, label_plural) = if topology.label.is_empty() {
            let plural = or_default(Sym::EMPTY, facts.label_plural);
            (or_default(Sym::EMPTY, facts.label), plural)
        } else {
            (topology.label, topology.label_plural)
        };
        let (shape, tag) = (
            or_default(topology.shape, shape),
            or_default(topology.tag, facts.tag),
        );
        let counter = symbols.find([b"count_", facts.name.as_bytes()].concat());
        let mut metadata: Vec<Metadata> = topology
            .metadata_templates
            .iter()
            .map(|(_, template)| Metadata::new(template, keys, symbols))
            .collect();
        metadata.sort_by(|a, b| {
            let (a, b) = (&a.template, &b.template);
            let by_id = || symbols.bytes(a.id).cmp(symbols.bytes(b.id));
            a.priority.total_cmp(&b.priority).then_with(by_id)
        });
        let metrics = topology.metric_templates.iter();
        let mut metrics: Vec<MetricTemplate> = metrics.map(|(_, t)| t.clone()).collect();
        metrics.sort_by(|a, b| {
            let by_id = || symbols.bytes(a.id).cmp(symbols.bytes(b.id));
            a.priority.total_cmp(&b.priority).then_with(by_id)
        });
        let tables = topology.table_templates.iter();
        let mut tables: Vec<TablePlan> = tables.map(|(_, t)| TablePlan::new(t, symbols)).collect();
        tables.sort_by_key(|plan| symbols.bytes(plan.template.id));
        KindTemplates {
            shape,
            tag,
            label,
            label_plural,
            counter,
            metadata,
            metrics,
            tables,
            table_keys: TableKeys::default(),
        }
    }
}

impl Metadata {
    fn new(template: &MetadataTemplate, keys: &Keys, symbols: &Symbols) -> Self {
        let from = match symbols.bytes(template.from) {
            b"latest" => From::Latest,
            b"sets" => From::Sets,
            b"counters" => From::Counters,
            _ => From::Anywhere,
        };
        let counter = [b"count_", symbols.bytes(template.id)].concat();
        Metadata {
            from,
            counter: symbols.find(counter),
            is_command: template.id == keys.cmdline || template.id == keys.container_command,
            template: template.clone(),
        }
    }
}

impl TablePlan {
    fn new(template: &TableTemplate, symbols: &Symbols) -> Self {
        let truncation = [b"table_truncation_count_", symbols.bytes(template.prefix)].concat();
        TablePlan {
            is_environment: symbols.bytes(template.id).starts_with(b"docker_env_"),
            is_multicolumn: symbols.bytes(template.kind) == b"multicolumn-table",
            truncation: symbols.find(truncation),
            template: template.clone(),
        }
    }
}
