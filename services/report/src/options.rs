//! What a request chooses to see.

use crate::catalogue::OptionGroup;
use crate::render::filter::Filter;

/// Filters and censoring.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Apply no option at all, not even the defaults. (A request without any query parameter, for Scope.)
    pub unfiltered: bool,
    /// Chosen values by the id of the option group. A group that is not named has its default.
    pub options: Vec<(String, Vec<String>)>,
    /// Cut command lines at the first blank.
    pub hide_command_line_arguments: bool,
    /// Leave out tables of environment variables.
    pub hide_environment_variables: bool,
}

/// Of each option group with a choice that filters, the filters of which a node must pass one.
pub(crate) type Filters = Vec<Vec<Filter>>;

impl Selection {
    /// The filters that the selection means for a topology with these groups.
    pub(crate) fn filters(&self, groups: &[OptionGroup<'_>]) -> Filters {
        if self.unfiltered {
            return Filters::new();
        }
        let groups = groups.iter();
        groups
            .filter_map(|group| self.group_filters(group))
            .collect()
    }

    /// `None` if the group lets everything pass, which it also does for values that it does not have.
    fn group_filters(&self, group: &OptionGroup<'_>) -> Option<Vec<Filter>> {
        let chosen = self.options.iter().find(|(id, _)| id == group.id);
        let chosen = chosen
            .map(|(_, values)| values.as_slice())
            .unwrap_or_default();
        let chosen: Vec<&str> = match (group.multiple, chosen) {
            (_, []) => vec![group.default_value],
            (false, [first, ..]) => vec![first],
            (true, all) => all.iter().flat_map(|value| value.split(',')).collect(),
        };
        let mut filters = Vec::new();
        for option in &group.options {
            if chosen.iter().any(|value| value.as_bytes() == option.value) {
                filters.push(option.filter?);
            }
        }
        (!filters.is_empty()).then_some(filters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Choice;

    fn groups() -> Vec<OptionGroup<'static>> {
        let choice = |value: &'static str, filter| Choice {
            value: value.as_bytes(),
            label: value.as_bytes(),
            filter,
        };
        vec![
            OptionGroup {
                id: "stopped",
                default_value: "running",
                options: vec![
                    choice("stopped", Some(Filter::Stopped)),
                    choice("running", Some(Filter::Running)),
                    choice("both", None),
                ],
                multiple: false,
                none_label: "",
            },
            OptionGroup {
                id: "namespace",
                default_value: "",
                options: vec![
                    choice("a", Some(Filter::Application)),
                    choice("b", Some(Filter::System)),
                ],
                multiple: true,
                none_label: "All",
            },
        ]
    }

    fn check(options: &[(&str, &[&str])], want: &[&[Filter]]) {
        let options = options.iter().map(|(id, values)| {
            let values = values.iter().map(|v| (*v).to_owned()).collect();
            ((*id).to_owned(), values)
        });
        let selection = Selection {
            options: options.collect(),
            ..Selection::default()
        };
        assert_eq!(selection.filters(&groups()), want, "{selection:?}");
    }

    #[test]
    fn defaults_hold_unless_something_is_chosen() {
        check(&[], &[&[Filter::Running]]);
        check(&[("foo", &["bar"])], &[&[Filter::Running]]);
        check(&[("stopped", &[])], &[&[Filter::Running]]);
        check(
            &[("stopped", &["stopped", "running"])],
            &[&[Filter::Stopped]],
        );
        check(&[("stopped", &["both"])], &[]);
    }

    #[test]
    fn unknown_and_empty_values_filter_nothing() {
        check(&[("stopped", &[""])], &[]);
        check(&[("stopped", &["nonsense"])], &[]);
        check(&[("stopped", &["both"]), ("namespace", &["c,d"])], &[]);
    }

    #[test]
    fn unions_split_at_commas() {
        check(
            &[("stopped", &["both"]), ("namespace", &["b,a"])],
            &[&[Filter::Application, Filter::System]],
        );
        check(
            &[("stopped", &["both"]), ("namespace", &["b", "a"])],
            &[&[Filter::Application, Filter::System]],
        );
        check(
            &[("namespace", &["b,x"])],
            &[&[Filter::Running], &[Filter::System]],
        );
    }

    #[test]
    fn unfiltered_ignores_everything() {
        let selection = Selection {
            unfiltered: true,
            options: vec![("stopped".to_owned(), vec!["stopped".to_owned()])],
            ..Selection::default()
        };
        assert!(selection.filters(&groups()).is_empty());
    }
}
