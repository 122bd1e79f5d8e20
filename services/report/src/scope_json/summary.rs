//! Summaries.

use crate::scope_json::text::{
    write_array, write_bool, write_float, write_integer, write_member, write_optional, write_string,
};
use crate::summary::{Column, MetadataRow, MetricRow, Parent, Row, Summary, Table};

/// A node as in topologies and in their updates.
pub fn write_summary(out: &mut Vec<u8>, summary: &Summary<'_>) {
    out.push(b'{');
    write_members(out, summary);
    out.push(b'}');
}

/// The members of a summary, without braces.
pub(super) fn write_members(out: &mut Vec<u8>, summary: &Summary<'_>) {
    write_member(out, "\"id\":", summary.id);
    write_member(out, ",\"label\":", &summary.label);
    write_member(out, ",\"labelMinor\":", &summary.label_minor);
    write_member(out, ",\"rank\":", &summary.rank);
    write_optional(out, ",\"shape\":", summary.shape);
    write_optional(out, ",\"tag\":", summary.tag);
    for (key, flag) in [
        (",\"stack\":true", summary.stack),
        (",\"pseudo\":true", summary.pseudo),
        (",\"stale\":true", summary.stale),
    ] {
        if flag {
            out.extend_from_slice(key.as_bytes());
        }
    }
    write_list(out, ",\"metadata\":", &summary.metadata, write_metadata);
    write_list(out, ",\"parents\":", &summary.parents, write_parent);
    write_list(out, ",\"metrics\":", &summary.metrics, write_metric);
    write_list(out, ",\"tables\":", &summary.tables, write_table);
    write_list(out, ",\"adjacency\":", &summary.adjacency, |out, id| {
        write_string(out, id)
    });
}

/// A member that is left out when the list is empty.
pub(super) fn write_list<T>(
    out: &mut Vec<u8>,
    key: &str,
    items: &[T],
    write: impl FnMut(&mut Vec<u8>, &T),
) {
    if !items.is_empty() {
        out.extend_from_slice(key.as_bytes());
        write_array(out, items, write);
    }
}

pub(super) fn write_metadata(out: &mut Vec<u8>, row: &MetadataRow<'_>) {
    write_member(out, "{\"id\":", row.id);
    write_member(out, ",\"label\":", row.label);
    write_member(out, ",\"value\":", &row.value);
    write_priority(out, row.priority);
    write_optional(out, ",\"dataType\":", row.data_type);
    if row.truncate != 0 {
        out.extend_from_slice(b",\"truncate\":");
        write_integer(out, row.truncate);
    }
    out.push(b'}');
}

fn write_priority(out: &mut Vec<u8>, priority: f64) {
    if priority != 0.0 {
        out.extend_from_slice(b",\"priority\":");
        write_float(out, priority);
    }
}

fn write_parent(out: &mut Vec<u8>, parent: &Parent<'_>) {
    write_member(out, "{\"id\":", parent.id);
    write_member(out, ",\"label\":", &parent.label);
    write_member(out, ",\"topologyId\":", parent.topology_id.as_bytes());
    out.push(b'}');
}

fn write_metric(out: &mut Vec<u8>, row: &MetricRow<'_>) {
    write_member(out, "{\"id\":", row.id);
    write_member(out, ",\"label\":", row.label);
    write_optional(out, ",\"format\":", row.format);
    write_optional(out, ",\"group\":", row.group);
    out.extend_from_slice(b",\"value\":");
    write_float(out, row.value);
    if row.value_empty {
        out.extend_from_slice(b",\"valueEmpty\":true");
    }
    write_priority(out, row.priority);
    out.extend_from_slice(b",\"samples\":");
    if row.samples.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        write_array(out, row.samples.iter(), |out, sample| {
            out.extend_from_slice(b"{\"date\":\"");
            sample.date.write_rfc3339(out);
            out.extend_from_slice(b"\",\"value\":");
            write_float(out, sample.value);
            out.push(b'}');
        });
    }
    out.extend_from_slice(b",\"min\":");
    write_float(out, row.min);
    out.extend_from_slice(b",\"max\":");
    write_float(out, row.max);
    write_member(out, ",\"url\":", &row.url);
    out.push(b'}');
}

fn write_table(out: &mut Vec<u8>, table: &Table<'_>) {
    write_member(out, "{\"id\":", table.id);
    write_member(out, ",\"label\":", table.label);
    write_member(out, ",\"type\":", table.kind);
    out.extend_from_slice(b",\"columns\":");
    if table.columns.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        write_array(out, &table.columns, |out, column| {
            write_member(out, "{\"id\":", column.id);
            write_member(out, ",\"label\":", column.label);
            write_member(out, ",\"dataType\":", column.data_type);
            out.push(b'}');
        });
    }
    out.extend_from_slice(b",\"rows\":");
    write_array(out, &table.rows, write_row);
    if table.truncation_count != 0 {
        out.extend_from_slice(b",\"truncationCount\":");
        write_integer(out, table.truncation_count);
    }
    out.push(b'}');
}

fn write_row(out: &mut Vec<u8>, row: &Row<'_>) {
    write_member(out, "{\"id\":", &row.id);
    out.extend_from_slice(b",\"entries\":{");
    for (i, (column, value)) in row.entries.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(out, column);
        write_member(out, ":", value);
    }
    out.extend_from_slice(b"}}");
}

/// A column of children or connections.
pub(super) fn write_column(out: &mut Vec<u8>, column: &Column<'_>) {
    write_member(out, "{\"id\":", column.id);
    write_member(out, ",\"label\":", column.label);
    out.extend_from_slice(b",\"defaultSort\":");
    write_bool(out, column.default_sort);
    write_member(out, ",\"dataType\":", column.data_type);
    out.push(b'}');
}
