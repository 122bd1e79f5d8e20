//! Queries against summaries.

use std::borrow::Cow;

use crate::search::query::{Query, Term, Test, slug};
use crate::summary::{Summary, Text};

/// Where a node matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMatch<'a> {
    /// For display: `Command`.
    pub label: Text<'a>,
    /// The whole value.
    pub value: Text<'a>,
}

impl Query {
    /// If the node matches, the fields in which it did. Terms that exclude name none.
    #[must_use]
    pub fn find<'a>(&self, summary: &Summary<'a>) -> Option<Vec<FieldMatch<'a>>> {
        let mut found = Vec::new();
        for term in &self.terms {
            let before = found.len();
            term.find(summary, &mut found);
            let matches = found.len() > before;
            if term.negated {
                found.truncate(before);
            }
            if matches == term.negated {
                return None;
            }
        }
        let mut unique: Vec<FieldMatch<'a>> = Vec::with_capacity(found.len());
        for field in found {
            if !unique.contains(&field) {
                unique.push(field);
            }
        }
        Some(unique)
    }
}

impl Term {
    fn find<'a>(&self, summary: &Summary<'a>, found: &mut Vec<FieldMatch<'a>>) {
        match &self.test {
            Test::Contains(text) => each_field(summary, &mut |id, label, value| {
                if self.names(id, label) && contains(value, text) {
                    found.push(FieldMatch {
                        label: label.clone(),
                        value: value.clone(),
                    });
                }
            }),
            Test::Compares(comparison, limit) => {
                for metric in summary.metrics.iter().filter(|m| !m.value_empty) {
                    let label = Cow::Borrowed(metric.label);
                    if self.names(metric.id, &label) && comparison.holds(metric.value, *limit) {
                        found.push(FieldMatch {
                            label,
                            value: metric.value.to_string().into_bytes().into(),
                        });
                    }
                }
            }
        }
    }

    /// Whether a field with this id or label is meant.
    fn names(&self, id: &[u8], label: &[u8]) -> bool {
        let begins = |name: &[u8]| slug(&String::from_utf8_lossy(name)).starts_with(&self.field);
        self.field.is_empty() || begins(label) || begins(id)
    }
}

/// Calls `f` with the id, the label and the value of every field.
fn each_field<'a>(summary: &Summary<'a>, f: &mut impl FnMut(&[u8], &Text<'a>, &Text<'a>)) {
    let name = Cow::Borrowed(&b"Name"[..]);
    f(b"label", &name, &summary.label);
    if !summary.label_minor.is_empty() {
        f(b"label", &name, &summary.label_minor);
    }
    for row in &summary.metadata {
        f(row.id, &Cow::Borrowed(row.label), &row.value);
    }
    for parent in &summary.parents {
        let noun = Cow::Borrowed(noun(parent.topology_id).as_bytes());
        f(parent.topology_id.as_bytes(), &noun, &parent.label);
    }
    for table in &summary.tables {
        for row in &table.rows {
            let label = row.entries.iter().find(|(column, _)| *column == b"label");
            for &(column, value) in &row.entries {
                let column_label = table.columns.iter().find(|c| c.id == column);
                let label = match (column_label, label) {
                    (Some(column), _) => column.label,
                    (None, Some(_)) if column == b"label" => continue,
                    (None, Some(&(_, label))) => label,
                    (None, None) => column,
                };
                f(table.id, &Cow::Borrowed(label), &Cow::Borrowed(value));
            }
        }
    }
}

/// What one node of a topology is called.
fn noun(topology_id: &str) -> &'static str {
    match topology_id {
        "containers" => "Container",
        "containers-by-image" => "Image",
        "pods" => "Pod",
        "kube-controllers" => "Controller",
        "services" | "ecs-services" | "swarm-services" => "Service",
        "ecs-tasks" => "Task",
        "hosts" => "Host",
        _ => "Process",
    }
}

/// Whether the text contains `part`, which is in lower case.
fn contains(text: &[u8], part: &str) -> bool {
    if !part.is_ascii() {
        return String::from_utf8_lossy(text).to_lowercase().contains(part);
    }
    let part = part.as_bytes();
    let Some((first, _)) = part.split_first() else {
        return true;
    };
    let upper = first.to_ascii_uppercase();
    let starts = text
        .iter()
        .enumerate()
        .filter(|(_, b)| *b == first || **b == upper);
    starts.map(|(at, _)| &text[at..]).any(|rest| {
        rest.get(..part.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{Column, MetadataRow, MetricRow, Parent, Row, Table};

    fn summary() -> Summary<'static> {
        Summary {
            id: b"x;<container>",
            label: b"Web-1"[..].into(),
            label_minor: b"alpha"[..].into(),
            metadata: vec![MetadataRow {
                id: b"docker_image_name",
                label: b"Image name",
                value: "nginx \u{dc}ber"[..].as_bytes().into(),
                priority: 1.0,
                data_type: b"",
                truncate: 0,
            }],
            parents: vec![Parent {
                id: b"alpha;<host>",
                label: b"alpha"[..].into(),
                topology_id: "hosts",
            }],
            metrics: vec![MetricRow {
                id: b"docker_cpu_total_usage",
                label: b"CPU",
                format: b"percent",
                group: b"",
                value: 60.5,
                value_empty: false,
                priority: 1.0,
                samples: Cow::Borrowed(&[]),
                min: 0.0,
                max: 100.0,
                url: Text::default(),
            }],
            tables: vec![
                Table {
                    id: b"docker_env_",
                    label: b"Environment",
                    kind: b"property-list",
                    columns: vec![],
                    rows: vec![Row {
                        id: b"label_PATH"[..].into(),
                        entries: vec![(b"label", b"PATH"), (b"value", b"/bin")],
                    }],
                    truncation_count: 0,
                },
                Table {
                    id: b"mc_",
                    label: b"Peers",
                    kind: b"multicolumn-table",
                    columns: vec![Column {
                        id: b"st",
                        label: b"State",
                        data_type: b"",
                        default_sort: false,
                    }],
                    rows: vec![Row {
                        id: b"r"[..].into(),
                        entries: vec![(b"st", b"up")],
                    }],
                    truncation_count: 0,
                },
            ],
            ..Summary::default()
        }
    }

    fn check(query: &str, want: Option<&[(&str, &str)]>) {
        let found = Query::parse(query).expect(query).find(&summary());
        let want = want.map(|fields| {
            let fields = fields.iter().map(|(label, value)| FieldMatch {
                label: label.as_bytes().to_vec().into(),
                value: value.as_bytes().to_vec().into(),
            });
            fields.collect::<Vec<_>>()
        });
        assert_eq!(found, want, "{query}");
    }

    #[test]
    fn text_is_looked_for_everywhere() {
        check("", Some(&[]));
        check("WEB", Some(&[("Name", "Web-1")]));
        check("alpha", Some(&[("Name", "alpha"), ("Host", "alpha")]));
        check(
            "nginx web",
            Some(&[("Image name", "nginx \u{dc}ber"), ("Name", "Web-1")]),
        );
        check("\u{fc}ber", Some(&[("Image name", "nginx \u{dc}ber")]));
        check("nothing", None);
        check("container", None);
    }

    #[test]
    fn fields_are_found_by_the_beginning_of_their_names() {
        check("image:nginx", Some(&[("Image name", "nginx \u{dc}ber")]));
        check(
            "docker_image:nginx",
            Some(&[("Image name", "nginx \u{dc}ber")]),
        );
        check("host:alpha", Some(&[("Host", "alpha")]));
        check("name:alpha", Some(&[("Name", "alpha")]));
        check("path:bin", Some(&[("PATH", "/bin")]));
        check("state:up", Some(&[("State", "up")]));
        check("state:down", None);
        check("command:nginx", None);
    }

    #[test]
    fn terms_can_exclude() {
        check("-nothing", Some(&[]));
        check("web -nginx", None);
        check("web -image:apache", Some(&[("Name", "Web-1")]));
    }

    #[test]
    fn metrics_compare_with_numbers() {
        check("cpu > 60%", Some(&[("CPU", "60.5")]));
        check("cpu > 60.5", None);
        check("cpu >= 60.5", Some(&[("CPU", "60.5")]));
        check("memory < 1gb", None);
        check("-cpu > 90", Some(&[]));
    }
}
