//! Lists of facts by their templates.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::render::drawn::Drawn;
use crate::summary::summarizer::Summarizer;
use crate::summary::table_keys::TableKeys;
use crate::summary::templates::{KindTemplates, TablePlan};
use crate::summary::{Column, Row, Table};
use crate::symbol::Sym;

/// Between the row's id and the column's in the key of a cell.
const SEPARATOR: &[u8] = b"___";

impl<'a> Summarizer<'a> {
    pub(crate) fn tables(self, node: &Drawn, templates: &KindTemplates) -> Vec<Table<'a>> {
        if templates.tables.is_empty() {
            return Vec::new();
        }
        let mut properties = self.properties(node, &templates.table_keys);
        let mut tables = Vec::with_capacity(templates.tables.len());
        for (i, plan) in templates.tables.iter().enumerate() {
            if self.hide_environment && plan.is_environment {
                continue;
            }
            let rows = match &mut properties {
                _ if plan.is_multicolumn => self.multicolumn_rows(node, plan),
                Some(properties) => self.rows_of(i, properties, &templates.table_keys),
                None => self.property_rows(node, plan),
            };
            tables.push(self.table(node, plan, rows));
        }
        tables
    }

    fn table(self, node: &Drawn, plan: &TablePlan, rows: Vec<Row<'a>>) -> Table<'a> {
        let template = &plan.template;
        let columns = template.columns.iter().map(|column| Column {
            id: self.bytes(column.id),
            label: self.bytes(column.label),
            data_type: self.bytes(column.data_type),
            default_sort: false,
        });
        let kind = match self.bytes(template.kind) {
            b"" => b"property-list",
            kind => kind,
        };
        Table {
            id: self.bytes(template.id),
            label: self.bytes(template.label),
            kind,
            columns: columns.collect(),
            rows,
            truncation_count: self.truncation_count(node, plan),
        }
    }

    /// The ranks and values of all rows of property lists, ordered. `None` if some of the node's facts are unknown, which
    /// only happens to nodes that are not the report's own.
    fn properties(self, node: &Drawn, keys: &TableKeys) -> Option<Vec<(u32, Sym)>> {
        let mut found = Vec::with_capacity(32);
        let mut known = true;
        self.facts
            .each_latest(node, |key, value| match keys.ranks(key) {
                Some(ranks) => found.extend(ranks.iter().map(|&rank| (rank, value))),
                None => known = false,
            });
        found.sort_unstable_by_key(|row| row.0);
        known.then_some(found)
    }

    /// The rows of one table.
    fn rows_of(self, table: usize, properties: &[(u32, Sym)], keys: &TableKeys) -> Vec<Row<'a>> {
        let start = properties.partition_point(|&(rank, _)| keys.row(rank).table < table);
        let rest = &properties[start..];
        let end = rest.partition_point(|&(rank, _)| keys.row(rank).table == table);
        let rows = rest[..end]
            .iter()
            .map(|&(rank, value)| (keys.row(rank).label(self.symbols), self.bytes(value)));
        property_list(rows, end)
    }

    fn property_rows(self, node: &Drawn, plan: &TablePlan) -> Vec<Row<'a>> {
        let prefix = self.bytes(plan.template.prefix);
        let mut values: Vec<(&'a [u8], &'a [u8], &'a [u8])> = Vec::new();
        self.facts.each_latest(node, |key, value| {
            let fixed = plan.template.fixed_rows.iter().find(|row| row.0 == key);
            let key = self.bytes(key);
            let label = match fixed {
                Some(&(_, label)) => Some(self.bytes(label)),
                None if prefix.is_empty() => None,
                None => key.strip_prefix(prefix),
            };
            if let Some(label) = label {
                values.push((label, key, self.bytes(value)));
            }
        });
        values.sort_unstable();
        let rows = values.iter().map(|&(label, _, value)| (label, value));
        property_list(rows, values.len())
    }

    fn multicolumn_rows(self, node: &Drawn, plan: &TablePlan) -> Vec<Row<'a>> {
        let prefix = self.bytes(plan.template.prefix);
        let mut rows: BTreeMap<&'a [u8], BTreeMap<&'a [u8], &'a [u8]>> = BTreeMap::new();
        if prefix.is_empty() {
            return Vec::new();
        }
        self.facts.each_latest(node, |key, value| {
            let cell = self.bytes(key).strip_prefix(prefix).and_then(cell);
            if let Some((row, column)) = cell {
                rows.entry(row)
                    .or_default()
                    .insert(column, self.bytes(value));
            }
        });
        let rows = rows.into_iter().map(|(id, entries)| Row {
            id: id.into(),
            entries: entries.into_iter().collect(),
        });
        rows.collect()
    }

    fn truncation_count(self, node: &Drawn, plan: &TablePlan) -> i64 {
        let count = plan.truncation.and_then(|key| self.facts.latest(node, key));
        let text = count.map_or(&[][..], |count| self.bytes(count));
        let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
        let digits = std::str::from_utf8(&text[..digits]).unwrap_or_default();
        digits.parse().unwrap_or(0)
    }
}

/// Rows of labels and values, which are ordered; of several with one label the last.
fn property_list<'a>(
    properties: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    len: usize,
) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(len);
    for (label, value) in properties {
        let entries = vec![(&b"label"[..], label), (&b"value"[..], value)];
        match rows.last_mut() {
            Some(last) if last.entries[0].1 == label => last.entries = entries,
            _ => rows.push(Row {
                id: Cow::Owned([b"label_", label].concat()),
                entries,
            }),
        }
    }
    rows
}

/// The row and the column of a cell; anything after a second separator is ignored.
fn cell(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = find(key)?;
    let (row, column) = (&key[..at], &key[at + SEPARATOR.len()..]);
    Some((row, &column[..find(column).unwrap_or(column.len())]))
}

fn find(text: &[u8]) -> Option<usize> {
    text.windows(SEPARATOR.len()).position(|w| w == SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_a_row_and_a_column() {
        assert_eq!(cell(b"r1___c1"), Some((&b"r1"[..], &b"c1"[..])));
        assert_eq!(cell(b"r___c___d"), Some((&b"r"[..], &b"c"[..])));
        assert_eq!(cell(b"___"), Some((&b""[..], &b""[..])));
        assert_eq!(cell(b"r1__c1"), None);
    }
}
