//! Lists of facts by their templates.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::render::drawn::Drawn;
use crate::summary::summarizer::Summarizer;
use crate::summary::templates::{KindTemplates, TablePlan};
use crate::summary::{Column, Row, Table};

/// Between the row's id and the column's in the key of a cell.
const SEPARATOR: &[u8] = b"___";

impl<'a> Summarizer<'a> {
    pub(crate) fn tables(self, node: &Drawn, templates: &KindTemplates) -> Vec<Table<'a>> {
        let plans = templates.tables.iter();
        plans
            .filter(|plan| !(self.hide_environment && plan.is_environment))
            .map(|plan| self.table(node, plan))
            .collect()
    }

    fn table(self, node: &Drawn, plan: &TablePlan) -> Table<'a> {
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
            rows: if plan.is_multicolumn {
                self.multicolumn_rows(node, plan)
            } else {
                self.property_rows(node, plan)
            },
            truncation_count: self.truncation_count(node, plan),
        }
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
        // Of several facts with one label the last one's key wins.
        values.sort_unstable();
        let mut rows: Vec<Row<'a>> = Vec::with_capacity(values.len());
        for (i, &(label, _, value)) in values.iter().enumerate() {
            if values.get(i + 1).is_some_and(|next| next.0 == label) {
                continue;
            }
            rows.push(Row {
                id: Cow::Owned([b"label_", label].concat()),
                entries: vec![(b"label", label), (b"value", value)],
            });
        }
        rows
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
