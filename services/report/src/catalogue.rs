//! The topologies that there are and their options.

use crate::render::filter::Filter;
use crate::symbol::{Sym, Symbols};

/// A topology as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct TopologyInfo<'a> {
    /// `containers-by-image`
    pub id: &'static str,
    /// For display: `by image`.
    pub name: &'static str,
    /// Main topologies are shown in ascending rank; 0 for sub-topologies.
    pub rank: i32,
    /// Not worth showing without nodes.
    pub hide_if_empty: bool,
    /// Choices that filter its nodes.
    pub option_groups: Vec<OptionGroup<'a>>,
    /// Variants of it.
    pub sub_topologies: Vec<TopologyInfo<'a>>,
    /// Counts with the chosen options.
    pub stats: Stats,
}

/// One choice that filters a topology's nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionGroup<'a> {
    /// `stopped`
    pub id: &'static str,
    /// The value that holds when none is chosen; may be empty.
    pub default_value: &'static str,
    /// What can be chosen.
    pub options: Vec<Choice<'a>>,
    /// Several can be chosen; nodes pass that pass any of them.
    pub multiple: bool,
    /// What "nothing chosen" is called; empty if something always is.
    pub none_label: &'static str,
}

/// One value of an option group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// For requests.
    pub value: &'a [u8],
    /// For display.
    pub label: &'a [u8],
    /// What it lets pass; `None` for everything.
    pub(crate) filter: Option<Filter>,
}

/// How big a rendered topology is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Nodes after filtering.
    pub nodes: usize,
    /// Of those, how many are not pseudo nodes.
    pub real_nodes: usize,
    /// Directed edges.
    pub edges: usize,
    /// Nodes that filters took away.
    pub filtered_nodes: usize,
}

/// What is fixed about a topology.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) id: &'static str,
    /// Of the main topology that this is a variant of.
    pub(crate) parent: Option<usize>,
    pub(crate) name: &'static str,
    pub(crate) rank: i32,
    pub(crate) hide_if_empty: bool,
    groups: &'static [GroupSpec],
    has_namespaces: bool,
    has_stacks: bool,
}

#[derive(Debug)]
struct GroupSpec {
    id: &'static str,
    default: &'static str,
    /// Value, label, filter.
    options: &'static [(&'static str, &'static str, Option<Filter>)],
}

const UNCONNECTED: GroupSpec = GroupSpec {
    id: "unconnected",
    default: "hide",
    options: &[
        ("show", "Show unconnected", None),
        ("hide", "Hide unconnected", Some(Filter::Connected)),
    ],
};

const SYSTEM: GroupSpec = GroupSpec {
    id: "system",
    default: "application",
    options: &[
        ("all", "All", None),
        ("system", "System containers", Some(Filter::System)),
        (
            "application",
            "Application containers",
            Some(Filter::Application),
        ),
    ],
};

const STOPPED: GroupSpec = GroupSpec {
    id: "stopped",
    default: "running",
    options: &[
        ("stopped", "Stopped containers", Some(Filter::Stopped)),
        ("running", "Running containers", Some(Filter::Running)),
        ("both", "Both", None),
    ],
};

const UNCONTAINED: GroupSpec = GroupSpec {
    id: "pseudo",
    default: "hide",
    options: &[
        ("show", "Show uncontained", None),
        ("hide", "Hide uncontained", Some(Filter::NotPseudo)),
    ],
};

const UNMANAGED: GroupSpec = GroupSpec {
    id: "pseudo",
    default: "hide",
    options: &[
        ("show", "Show unmanaged", None),
        ("hide", "Hide unmanaged", Some(Filter::NotPseudo)),
    ],
};

const STORAGE: GroupSpec = GroupSpec {
    id: "storage",
    default: "hide",
    options: &[
        ("show", "Show storage", None),
        ("hide", "Hide storage", Some(Filter::NotStorage)),
    ],
};

const SNAPSHOT: GroupSpec = GroupSpec {
    id: "snapshot",
    default: "hide",
    options: &[
        ("show", "Show snapshots", None),
        ("hide", "Hide snapshots", Some(Filter::NotSnapshot)),
    ],
};

const MAIN: Spec = Spec {
    id: "",
    parent: None,
    name: "",
    rank: 0,
    hide_if_empty: true,
    groups: &[],
    has_namespaces: false,
    has_stacks: false,
};

const CONTAINER_GROUPS: &[GroupSpec] = &[SYSTEM, STOPPED, UNCONTAINED];

/// Every topology; variants after what they are variants of.
pub(crate) const SPECS: [Spec; 13] = [
    Spec {
        id: "processes",
        name: "Processes",
        rank: 1,
        groups: &[UNCONNECTED],
        ..MAIN
    },
    Spec {
        id: "processes-by-name",
        parent: Some(0),
        name: "by name",
        groups: &[UNCONNECTED],
        ..MAIN
    },
    Spec {
        id: "containers",
        name: "Containers",
        rank: 2,
        hide_if_empty: false,
        groups: CONTAINER_GROUPS,
        has_namespaces: true,
        has_stacks: true,
        ..MAIN
    },
    Spec {
        id: "containers-by-hostname",
        parent: Some(2),
        name: "by DNS name",
        hide_if_empty: false,
        groups: CONTAINER_GROUPS,
        has_namespaces: true,
        has_stacks: true,
        ..MAIN
    },
    Spec {
        id: "containers-by-image",
        parent: Some(2),
        name: "by image",
        hide_if_empty: false,
        groups: CONTAINER_GROUPS,
        has_namespaces: true,
        has_stacks: true,
        ..MAIN
    },
    Spec {
        id: "pods",
        name: "Pods",
        rank: 3,
        groups: &[SNAPSHOT, STORAGE, UNMANAGED],
        has_namespaces: true,
        ..MAIN
    },
    Spec {
        id: "kube-controllers",
        parent: Some(5),
        name: "Controllers",
        groups: &[UNMANAGED],
        has_namespaces: true,
        ..MAIN
    },
    Spec {
        id: "services",
        parent: Some(5),
        name: "Services",
        groups: &[UNMANAGED],
        has_namespaces: true,
        ..MAIN
    },
    Spec {
        id: "ecs-tasks",
        name: "Tasks",
        rank: 3,
        groups: &[UNMANAGED],
        ..MAIN
    },
    Spec {
        id: "ecs-services",
        parent: Some(8),
        name: "Services",
        groups: &[UNMANAGED],
        ..MAIN
    },
    Spec {
        id: "swarm-services",
        name: "Services",
        rank: 3,
        groups: &[UNMANAGED],
        has_stacks: true,
        ..MAIN
    },
    Spec {
        id: "hosts",
        name: "Hosts",
        rank: 4,
        hide_if_empty: false,
        ..MAIN
    },
    Spec {
        id: "weave",
        parent: Some(11),
        name: "Weave Net",
        hide_if_empty: false,
        ..MAIN
    },
];

/// The place in [`SPECS`] of the topology with this id.
pub(crate) fn place(id: &str) -> Option<usize> {
    SPECS.iter().position(|spec| spec.id == id)
}

/// The ids of all topologies, in the order of registration.
pub fn topology_ids() -> impl Iterator<Item = &'static str> {
    SPECS.iter().map(|spec| spec.id)
}

/// Names that a report gives for options; sorted by the strings.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    pub(crate) kubernetes: Vec<Sym>,
    pub(crate) swarm: Vec<Sym>,
}

impl Spec {
    /// The option groups of this topology for a report with these namespaces.
    pub(crate) fn groups<'a>(
        &self,
        namespaces: &Namespaces,
        symbols: &'a Symbols,
    ) -> Vec<OptionGroup<'a>> {
        let mut groups: Vec<OptionGroup<'a>> = self.groups.iter().map(fixed_group).collect();
        for (has, names, none_label) in [
            (
                self.has_namespaces,
                &namespaces.kubernetes,
                "All Namespaces",
            ),
            (self.has_stacks, &namespaces.swarm, "All Stacks"),
        ] {
            if has && !names.is_empty() {
                groups.push(namespace_group(names, none_label, symbols));
            }
        }
        groups
    }
}

fn fixed_group<'a>(spec: &GroupSpec) -> OptionGroup<'a> {
    let options = spec.options.iter().map(|&(value, label, filter)| Choice {
        value: value.as_bytes(),
        label: label.as_bytes(),
        filter,
    });
    OptionGroup {
        id: spec.id,
        default_value: spec.default,
        options: options.collect(),
        multiple: false,
        none_label: "",
    }
}

fn namespace_group<'a>(
    names: &[Sym],
    none_label: &'static str,
    symbols: &'a Symbols,
) -> OptionGroup<'a> {
    let options = names.iter().map(|&name| Choice {
        value: symbols.bytes(name),
        label: symbols.bytes(name),
        filter: Some(Filter::InNamespace(name)),
    });
    OptionGroup {
        id: "namespace",
        default_value: "",
        options: options.collect(),
        multiple: true,
        none_label,
    }
}
