//! Which facts are rows of which tables, found out once per topology instead of once per node.

use crate::model::Topology;
use crate::summary::templates::TablePlan;
use crate::symbol::{Sym, Symbols};

/// The rows that facts are, by the facts' keys.
#[derive(Debug, Default)]
pub(crate) struct TableKeys {
    /// By symbol: 0 if the key is unknown, 1 if it is no row, else 2 and a place in `spans`.
    by_symbol: Vec<u32>,
    /// Where the ranks of a key's rows are.
    spans: Vec<(u32, u32)>,
    ranks: Vec<u32>,
    /// By rank: ordered by table, then by label, then by key.
    rows: Vec<TableRow>,
}

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableRow {
    /// The place of the table among the templates.
    pub(crate) table: usize,
    key: Sym,
    label: Sym,
    /// How many bytes of the label are the table's prefix.
    prefix: usize,
}

const UNKNOWN: u32 = 0;
const NO_ROW: u32 = 1;

impl TableKeys {
    /// Of all facts of a topology's nodes, and some more that they may get.
    pub(crate) fn new(
        topology: &Topology,
        more: &[Sym],
        plans: &[TablePlan],
        symbols: &Symbols,
    ) -> Self {
        let mut keys = TableKeys::default();
        if plans.is_empty() {
            return keys;
        }
        keys.by_symbol = vec![UNKNOWN; symbols.len()];
        let own = topology.nodes.iter().flat_map(|node| &node.latest);
        for key in own.map(|fact| fact.key).chain(more.iter().copied()) {
            let state = &mut keys.by_symbol[key.index()];
            if *state == UNKNOWN {
                *state = NO_ROW;
                let plans = plans.iter().enumerate();
                keys.rows
                    .extend(plans.filter_map(|(i, plan)| TableRow::new(key, i, plan, symbols)));
            }
        }
        let order = |row: &TableRow| (row.table, row.label(symbols), symbols.bytes(row.key));
        keys.rows.sort_unstable_by_key(order);
        keys.group();
        keys
    }

    fn group(&mut self) {
        let rows = self.rows.iter().zip(0u32..);
        let mut by_key: Vec<(Sym, u32)> = rows.map(|(row, rank)| (row.key, rank)).collect();
        by_key.sort_unstable();
        for (same, first) in by_key.chunk_by(|a, b| a.0 == b.0).zip(2u32..) {
            self.by_symbol[same[0].0.index()] = first;
            let start = u32::try_from(self.ranks.len()).unwrap_or(u32::MAX);
            let len = u32::try_from(same.len()).unwrap_or(u32::MAX);
            self.spans.push((start, len));
            self.ranks.extend(same.iter().map(|(_, rank)| rank));
        }
    }

    /// The ranks of the rows that a fact with this key is; `None` if the key is unknown.
    pub(crate) fn ranks(&self, key: Sym) -> Option<&[u32]> {
        match self.by_symbol.get(key.index()) {
            None | Some(&UNKNOWN) => None,
            Some(&NO_ROW) => Some(&[]),
            Some(&place) => {
                let (start, len) = self.spans[place as usize - 2];
                Some(&self.ranks[start as usize..(start + len) as usize])
            }
        }
    }

    pub(crate) fn row(&self, rank: u32) -> &TableRow {
        &self.rows[rank as usize]
    }
}

impl TableRow {
    fn new(key: Sym, table: usize, plan: &TablePlan, symbols: &Symbols) -> Option<Self> {
        if plan.is_multicolumn {
            return None;
        }
        let fixed = plan.template.fixed_rows.iter().find(|row| row.0 == key);
        let prefix = symbols.bytes(plan.template.prefix);
        let (label, prefix) = match fixed {
            Some(&(_, label)) => (label, 0),
            None if prefix.is_empty() => return None,
            None => {
                symbols.bytes(key).strip_prefix(prefix)?;
                (key, prefix.len())
            }
        };
        Some(TableRow {
            table,
            key,
            label,
            prefix,
        })
    }

    /// For display.
    pub(crate) fn label<'s>(&self, symbols: &'s Symbols) -> &'s [u8] {
        &symbols.bytes(self.label)[self.prefix..]
    }
}
