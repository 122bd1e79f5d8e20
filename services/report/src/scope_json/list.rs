//! Lists: topologies, probes, plugins.

use crate::catalogue::{OptionGroup, Stats, TopologyInfo};
use crate::scope_json::text::{
    write_array, write_bool, write_integer, write_member, write_optional, write_string,
};
use crate::view::{PluginInfo, ProbeInfo};

/// The answer to `/api/topology`.
pub fn write_topologies(out: &mut Vec<u8>, topologies: &[TopologyInfo<'_>]) {
    write_array(out, topologies, write_topology);
}

fn write_topology(out: &mut Vec<u8>, topology: &TopologyInfo<'_>) {
    write_member(out, "{\"name\":", topology.name.as_bytes());
    out.extend_from_slice(b",\"rank\":");
    write_integer(out, topology.rank.into());
    out.extend_from_slice(b",\"hide_if_empty\":");
    write_bool(out, topology.hide_if_empty);
    out.extend_from_slice(b",\"options\":");
    if topology.option_groups.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        write_array(out, &topology.option_groups, write_group);
    }
    out.extend_from_slice(b",\"url\":\"/api/topology/");
    out.extend_from_slice(topology.id.as_bytes());
    out.push(b'"');
    if !topology.sub_topologies.is_empty() {
        out.extend_from_slice(b",\"sub_topologies\":");
        write_topologies(out, &topology.sub_topologies);
    }
    out.extend_from_slice(b",\"stats\":");
    write_stats(out, topology.stats);
    out.push(b'}');
}

fn write_group(out: &mut Vec<u8>, group: &OptionGroup<'_>) {
    write_member(out, "{\"id\":", group.id.as_bytes());
    write_member(out, ",\"defaultValue\":", group.default_value.as_bytes());
    if !group.options.is_empty() {
        out.extend_from_slice(b",\"options\":");
        write_array(out, &group.options, |out, choice| {
            write_member(out, "{\"value\":", choice.value);
            write_member(out, ",\"label\":", choice.label);
            out.push(b'}');
        });
    }
    if group.multiple {
        out.extend_from_slice(b",\"selectType\":\"union\"");
    }
    write_optional(out, ",\"noneLabel\":", group.none_label.as_bytes());
    out.push(b'}');
}

fn write_stats(out: &mut Vec<u8>, stats: Stats) {
    let members = [
        ("{\"node_count\":", stats.nodes),
        (",\"nonpseudo_node_count\":", stats.real_nodes),
        (",\"edge_count\":", stats.edges),
        (",\"filtered_nodes\":", stats.filtered_nodes),
    ];
    for (key, count) in members {
        out.extend_from_slice(key.as_bytes());
        write_integer(out, i64::try_from(count).unwrap_or(i64::MAX));
    }
    out.push(b'}');
}

/// The answer to `/api/probes`.
pub fn write_probes(out: &mut Vec<u8>, probes: &[ProbeInfo<'_>]) {
    write_array(out, probes, |out, probe| {
        write_member(out, "{\"id\":", probe.id);
        write_member(out, ",\"hostname\":", probe.hostname);
        write_member(out, ",\"version\":", probe.version);
        out.extend_from_slice(b",\"lastSeen\":\"");
        probe.last_seen.write_rfc3339(out);
        out.push(b'"');
        if probe.stale {
            out.extend_from_slice(b",\"stale\":true");
        }
        out.push(b'}');
    });
}

/// The `plugins` member of `/api`.
pub fn write_plugins(out: &mut Vec<u8>, plugins: &[PluginInfo<'_>]) {
    write_array(out, plugins, |out, plugin| {
        write_member(out, "{\"id\":", plugin.id);
        write_member(out, ",\"label\":", plugin.label);
        write_optional(out, ",\"description\":", plugin.description);
        out.extend_from_slice(b",\"interfaces\":");
        if plugin.interfaces.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            write_array(out, &plugin.interfaces, |out, name| write_string(out, name));
        }
        write_optional(out, ",\"api_version\":", plugin.api_version);
        write_optional(out, ",\"status\":", plugin.status);
        out.push(b'}');
    });
}
