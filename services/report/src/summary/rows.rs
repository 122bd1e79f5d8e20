//! Facts and measurements by their templates.

use std::borrow::Cow;

use crate::render::drawn::Drawn;
use crate::summary::summarizer::{Samples, Summarizer};
use crate::summary::templates::{From, KindTemplates, Metadata};
use crate::summary::{MetadataRow, MetricRow, Text};
use crate::symbol::Sym;

impl<'a> Summarizer<'a> {
    pub(crate) fn metadata(self, node: &Drawn, templates: &KindTemplates) -> Vec<MetadataRow<'a>> {
        let mut rows = Vec::with_capacity(templates.metadata.len());
        for metadata in &templates.metadata {
            let Some(mut value) = self.value(node, metadata) else {
                continue;
            };
            if self.hide_arguments && metadata.is_command {
                value = without_arguments(value);
            }
            let template = &metadata.template;
            rows.push(MetadataRow {
                id: self.bytes(template.id),
                label: self.bytes(template.label),
                value,
                priority: template.priority,
                data_type: self.bytes(template.data_type),
                truncate: template.truncate,
            });
        }
        rows
    }

    fn value(self, node: &Drawn, metadata: &Metadata) -> Option<Text<'a>> {
        let id = metadata.template.id;
        let latest = || self.facts.latest(node, id).map(|v| self.bytes(v).into());
        let set = || self.facts.set(node, id).map(|set| self.joined(set));
        let counter = || {
            let count = self
                .facts
                .counter(self.symbols, node, id, metadata.counter)?;
            Some(Cow::Owned(count.to_string().into_bytes()))
        };
        match metadata.from {
            From::Latest => latest(),
            From::Sets => set(),
            From::Counters => counter(),
            From::Anywhere => latest().or_else(set).or_else(counter),
        }
    }

    fn joined(self, set: &[Sym]) -> Text<'a> {
        match set {
            [] => Text::default(),
            [one] => self.bytes(*one).into(),
            several => {
                let mut texts: Vec<&[u8]> = several.iter().map(|&s| self.bytes(s)).collect();
                texts.sort_unstable();
                texts.join(&b", "[..]).into()
            }
        }
    }

    pub(crate) fn metrics(
        self,
        node: &Drawn,
        templates: &KindTemplates,
        samples: Samples,
    ) -> Vec<MetricRow<'a>> {
        let mut rows = Vec::with_capacity(templates.metrics.len());
        for template in &templates.metrics {
            let Some(metric) = self.facts.metric(node, template.id) else {
                continue;
            };
            let last = metric.samples.last().map_or(0.0, |sample| sample.value);
            let (min, max) = (metric.min, metric.max);
            let samples = match (samples, metric) {
                (Samples::Left, _) => Cow::Borrowed(&[][..]),
                (Samples::Shown, Cow::Borrowed(metric)) => Cow::Borrowed(&metric.samples[..]),
                (Samples::Shown, Cow::Owned(metric)) => Cow::Owned(metric.samples),
            };
            rows.push(MetricRow {
                id: self.bytes(template.id),
                label: self.bytes(template.label),
                format: self.bytes(template.format),
                group: self.bytes(template.group),
                value: two_decimals(last),
                value_empty: false,
                priority: template.priority,
                samples,
                min,
                max,
                url: Text::default(),
            });
        }
        rows
    }
}

/// Cut, not rounded, to two decimals.
fn two_decimals(value: f64) -> f64 {
    let cut = (value * 100.0).trunc() / 100.0;
    if cut.is_finite() { cut } else { value }
}

/// Up to the first blank.
fn without_arguments(command: Text<'_>) -> Text<'_> {
    let end = command.iter().position(|&b| b == b' ');
    match (end, command) {
        (None, command) => command,
        (Some(end), Cow::Borrowed(command)) => Cow::Borrowed(&command[..end]),
        (Some(end), Cow::Owned(mut command)) => {
            command.truncate(end);
            Cow::Owned(command)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_cut() {
        assert_eq!(two_decimals(1.999), 1.99);
        assert_eq!(two_decimals(-1.999), -1.99);
        assert_eq!(two_decimals(0.0), 0.0);
        assert_eq!(two_decimals(1e300), 1e300);
    }

    #[test]
    fn arguments_are_cut_at_the_first_blank() {
        assert_eq!(without_arguments(b"a b c"[..].into()), &b"a"[..]);
        assert_eq!(without_arguments(b"a"[..].into()), &b"a"[..]);
        assert_eq!(without_arguments(b" a".to_vec().into()), &b""[..]);
    }
}
