//! What topologies say about presenting their nodes; names and plugins.

use super::node::Encoder;
use super::out::Out;
use crate::model::{
    Control, DnsRecord, MetadataTemplate, MetricTemplate, Plugin, TableTemplate, Topology,
};
use crate::symbol::Sym;

fn present(texts: &[Sym]) -> usize {
    texts.iter().filter(|s| !s.is_empty()).count()
}

impl<O: Out> Encoder<'_, O> {
    pub(super) fn templates(&mut self, topology: &Topology) {
        if !topology.controls.is_empty() {
            self.out.key(b"controls");
            self.map(
                &topology.controls,
                |(key, _)| *key,
                |w, (_, c)| w.control(c),
            );
        }
        if !topology.metadata_templates.is_empty() {
            self.out.key(b"metadata_templates");
            self.map(
                &topology.metadata_templates,
                |(key, _)| *key,
                |w, (_, t)| w.metadata(t),
            );
        }
        if !topology.metric_templates.is_empty() {
            self.out.key(b"metric_templates");
            self.map(
                &topology.metric_templates,
                |(key, _)| *key,
                |w, (_, t)| w.metrics(t),
            );
        }
        if !topology.table_templates.is_empty() {
            self.out.key(b"table_templates");
            self.map(
                &topology.table_templates,
                |(key, _)| *key,
                |w, (_, t)| w.table(t),
            );
        }
    }

    fn control(&mut self, control: &Control) {
        self.out
            .map(4 + present(&[control.confirmation, control.probe_id]));
        self.text(b"id", control.id);
        self.text(b"human", control.human);
        self.text(b"icon", control.icon);
        self.text_if_any(b"confirmation", control.confirmation);
        self.out.key(b"rank");
        self.out.int(control.rank);
        self.text_if_any(b"probeId", control.probe_id);
        self.out.end_map();
    }

    fn metadata(&mut self, template: &MetadataTemplate) {
        let texts = present(&[template.label, template.data_type, template.from]);
        let numbers = usize::from(template.truncate != 0) + usize::from(template.priority != 0.0);
        self.out.map(1 + texts + numbers);
        self.text(b"id", template.id);
        self.text_if_any(b"label", template.label);
        if template.truncate != 0 {
            self.out.key(b"truncate");
            self.out.int(template.truncate);
        }
        self.text_if_any(b"dataType", template.data_type);
        self.priority(template.priority);
        self.text_if_any(b"from", template.from);
        self.out.end_map();
    }

    fn metrics(&mut self, template: &MetricTemplate) {
        let texts = present(&[template.label, template.format, template.group]);
        self.out
            .map(1 + texts + usize::from(template.priority != 0.0));
        self.text(b"id", template.id);
        self.text_if_any(b"label", template.label);
        self.text_if_any(b"format", template.format);
        self.text_if_any(b"group", template.group);
        self.priority(template.priority);
        self.out.end_map();
    }

    fn priority(&mut self, priority: f64) {
        if priority != 0.0 {
            self.out.key(b"priority");
            self.out.float(priority);
        }
    }

    fn table(&mut self, template: &TableTemplate) {
        self.out.map(6);
        self.text(b"id", template.id);
        self.text(b"label", template.label);
        self.text(b"prefix", template.prefix);
        self.text(b"type", template.kind);
        self.out.key(b"columns");
        if template.columns.is_empty() {
            self.out.nil();
        } else {
            self.array(&template.columns, |w, column| {
                w.out.map(3);
                w.text(b"id", column.id);
                w.text(b"label", column.label);
                w.text(b"dataType", column.data_type);
                w.out.end_map();
            });
        }
        self.out.key(b"fixedRows");
        self.map(
            &template.fixed_rows,
            |(key, _)| *key,
            |w, (_, label)| w.string(*label),
        );
        self.out.end_map();
    }

    pub(super) fn dns(&mut self, record: &DnsRecord) {
        let both: [(&[u8], &Vec<Sym>); 2] =
            [(b"forward", &record.forward), (b"reverse", &record.reverse)];
        self.out
            .map(both.iter().filter(|(_, names)| !names.is_empty()).count());
        for (key, names) in both {
            if !names.is_empty() {
                self.out.key(key);
                self.set(names);
            }
        }
        self.out.end_map();
    }

    pub(super) fn plugins(&mut self, plugins: &[Plugin]) {
        let mut sorted: Vec<&Plugin> = plugins.iter().collect();
        sorted.sort_by_cached_key(|p| self.bytes(p.id));
        self.array(&sorted, |w, plugin| w.plugin(plugin));
    }

    fn plugin(&mut self, plugin: &Plugin) {
        let optional = [plugin.description, plugin.api_version, plugin.status];
        self.out.map(3 + present(&optional));
        self.text(b"id", plugin.id);
        self.text(b"label", plugin.label);
        self.text_if_any(b"description", plugin.description);
        self.out.key(b"interfaces");
        if plugin.interfaces.is_empty() {
            self.out.nil();
        } else {
            self.array(&plugin.interfaces, |w, interface| w.string(*interface));
        }
        self.text_if_any(b"api_version", plugin.api_version);
        self.text_if_any(b"status", plugin.status);
        self.out.end_map();
    }
}
