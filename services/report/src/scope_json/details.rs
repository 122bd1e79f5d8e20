//! Details of a node.

use crate::details::{ChildGroup, Connection, ConnectionTable, ControlInstance, Details};
use crate::scope_json::summary::{
    write_column, write_list, write_members, write_metadata, write_summary,
};
use crate::scope_json::text::{write_array, write_integer, write_member, write_optional};

pub(super) fn write_details(out: &mut Vec<u8>, topology_id: &str, details: &Details<'_>) {
    out.push(b'{');
    write_members(out, &details.summary);
    out.extend_from_slice(b",\"controls\":");
    write_array(out, &details.controls, write_control);
    write_list(out, ",\"children\":", &details.children, write_group);
    out.extend_from_slice(b",\"connections\":");
    let tables = [
        ("incoming-connections", "Inbound", &details.incoming),
        ("outgoing-connections", "Outbound", &details.outgoing),
    ];
    write_array(out, tables, |out, (id, label, table)| {
        write_member(out, "{\"id\":", id.as_bytes());
        write_member(out, ",\"topologyId\":", topology_id.as_bytes());
        write_member(out, ",\"label\":", label.as_bytes());
        write_table(out, table);
    });
    out.push(b'}');
}

fn write_control(out: &mut Vec<u8>, control: &ControlInstance<'_>) {
    write_member(out, "{\"probeId\":", control.probe_id);
    write_member(out, ",\"nodeId\":", control.node_id);
    write_member(out, ",\"id\":", control.id);
    write_member(out, ",\"human\":", control.human);
    write_member(out, ",\"icon\":", control.icon);
    write_optional(out, ",\"confirmation\":", control.confirmation);
    out.extend_from_slice(b",\"rank\":");
    write_integer(out, control.rank);
    out.push(b'}');
}

fn write_group(out: &mut Vec<u8>, group: &ChildGroup<'_>) {
    write_member(out, "{\"id\":\"\",\"label\":", group.label);
    out.extend_from_slice(b",\"nodes\":");
    write_array(out, &group.nodes, write_summary);
    write_member(out, ",\"topologyId\":", group.topology_id.as_bytes());
    out.extend_from_slice(b",\"columns\":");
    write_array(out, &group.columns, write_column);
    out.push(b'}');
}

/// The rest of a table whose first members are written.
fn write_table(out: &mut Vec<u8>, table: &ConnectionTable<'_>) {
    out.extend_from_slice(b",\"columns\":");
    write_array(out, &table.columns, write_column);
    out.extend_from_slice(b",\"connections\":");
    write_array(out, &table.connections, write_connection);
    out.push(b'}');
}

fn write_connection(out: &mut Vec<u8>, connection: &Connection<'_>) {
    write_member(out, "{\"id\":", &connection.id);
    write_member(out, ",\"nodeId\":", connection.node_id);
    write_member(out, ",\"label\":", &connection.label);
    write_optional(out, ",\"labelMinor\":", &connection.label_minor);
    write_list(out, ",\"metadata\":", &connection.metadata, write_metadata);
    out.push(b'}');
}
