//! A merged report with everything that has been rendered of it.

mod shown;

use std::sync::Arc;

use crate::catalogue::{self, Namespaces, OptionGroup, SPECS, Stats, TopologyInfo};
use crate::details::{Detailer, Details};
use crate::kind::Kind;
use crate::model::Report;
use crate::options::Selection;
use crate::render::arena::Arena;
use crate::render::context::{Render, Scratches};
use crate::render::drawn::{NodeIndex, Rendering};
use crate::render::endpoints::Endpoints;
use crate::render::facts::Facts;
use crate::render::keys::Keys;
use crate::render::stages::{Stage, Stages};
use crate::summary::{ParentLabels, Samples, Summarizer, Summary, Templates};
use crate::symbol::{Sym, Symbols};
use crate::time::Timestamp;
use shown::ShownCache;

/// A merged report with everything that has been rendered of it so far. The symbols passed in must be the report's.
#[derive(Debug)]
pub struct View {
    report: Arc<Report>,
    keys: Keys,
    templates: Templates,
    namespaces: Namespaces,
    arena: Arena,
    scratches: Scratches,
    stages: Stages,
    bases: [Option<Arc<Rendering>>; SPECS.len()],
    shown: ShownCache,
    endpoints: Arc<Endpoints>,
}

/// The nodes of a topology, ordered by id.
#[derive(Debug)]
pub struct Summaries<'a> {
    summarizer: Summarizer<'a>,
    nodes: std::slice::Iter<'a, NodeIndex>,
    labels: ParentLabels<'a>,
}

/// A probe that reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeInfo<'a> {
    /// Its id.
    pub id: &'a [u8],
    /// The name of its host.
    pub hostname: &'a [u8],
    /// Its version.
    pub version: &'a [u8],
    /// When it last said so, by its own clock.
    pub last_seen: Timestamp,
    /// It is late.
    pub stale: bool,
}

/// A plugin of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo<'a> {
    /// Unique within a probe.
    pub id: &'a [u8],
    /// For display.
    pub label: &'a [u8],
    /// For display.
    pub description: &'a [u8],
    /// `reporter`, `controller`.
    pub interfaces: Vec<&'a [u8]>,
    /// Of the plugin protocol.
    pub api_version: &'a [u8],
    /// `ok` or `error: …`.
    pub status: &'a [u8],
}

impl View {
    /// Nothing rendered yet.
    #[must_use]
    pub fn new(report: Arc<Report>, symbols: &mut Symbols) -> Self {
        let keys = Keys::new(symbols);
        View {
            templates: Templates::new(&report, &keys, symbols),
            namespaces: namespaces(&report, &keys, symbols),
            report,
            keys,
            arena: Arena::default(),
            scratches: Scratches::default(),
            stages: Stages::default(),
            bases: Default::default(),
            shown: ShownCache::default(),
            endpoints: Arc::default(),
        }
    }

    /// The report that is viewed.
    #[must_use]
    pub fn report(&self) -> &Arc<Report> {
        &self.report
    }

    /// The main topologies by name, each with its variants, and their sizes with these options.
    pub fn topologies<'a>(
        &mut self,
        symbols: &'a mut Symbols,
        selection: &Selection,
    ) -> Vec<TopologyInfo<'a>> {
        let stats: Vec<Stats> = (0..SPECS.len())
            .map(|place| self.stats(symbols, place, selection))
            .collect();
        let symbols = &*symbols;
        let mut main: Vec<(usize, TopologyInfo<'a>)> = Vec::new();
        for (place, spec) in SPECS.iter().enumerate() {
            let info = TopologyInfo {
                id: spec.id,
                name: spec.name,
                rank: spec.rank,
                hide_if_empty: spec.hide_if_empty,
                option_groups: spec.groups(&self.namespaces, symbols),
                sub_topologies: Vec::new(),
                stats: stats[place],
            };
            match spec.parent {
                None => main.push((place, info)),
                Some(parent) => {
                    let parent = main.iter_mut().find(|(place, _)| *place == parent);
                    if let Some((_, parent)) = parent {
                        parent.sub_topologies.push(info);
                    }
                }
            }
        }
        let mut main: Vec<TopologyInfo<'a>> = main.into_iter().map(|(_, info)| info).collect();
        main.sort_by_key(|info| info.name);
        main
    }

    /// The size of a topology with these options. `None`: no such topology.
    pub fn topology_stats(
        &mut self,
        symbols: &mut Symbols,
        id: &str,
        selection: &Selection,
    ) -> Option<Stats> {
        Some(self.stats(symbols, catalogue::place(id)?, selection))
    }

    /// The nodes of a topology, ordered by id. `None`: no such topology.
    pub fn topology<'a>(
        &'a mut self,
        symbols: &'a mut Symbols,
        id: &str,
        selection: &Selection,
    ) -> Option<Summaries<'a>> {
        let place = catalogue::place(id)?;
        let entry = self.shown(symbols, place, selection);
        self.sort_shown(entry, symbols);
        self.templates
            .find_table_keys(&self.report, &self.keys, symbols);
        Some(Summaries {
            summarizer: self.summarizer(symbols, selection),
            nodes: self.shown.sorted(entry).iter(),
            labels: ParentLabels::default(),
        })
    }

    /// Everything about a node. `None`: no such topology, or no such node in it.
    pub fn node<'a>(
        &'a mut self,
        symbols: &'a mut Symbols,
        topology: &str,
        node_id: &[u8],
        selection: &Selection,
    ) -> Option<Details<'a>> {
        let place = catalogue::place(topology)?;
        // Rendering makes the ids of pseudo nodes, so it comes first.
        let base = self.base(symbols, place);
        let id = symbols.find(node_id)?;
        let find = |arena: &Arena, rendering: &Rendering| {
            let mut nodes = rendering.nodes.iter().copied();
            nodes.find(|&index| arena.node(index).id == id)
        };
        let unfiltered = find(&self.arena, &base)?;
        let entry = self.shown(symbols, place, selection);
        let shown = self.shown.rendering(entry);
        // Details must work for nodes that options hide, too.
        let (node, others) = match find(&self.arena, shown) {
            Some(node) => (node, shown.clone()),
            None => {
                let mut others = Rendering::clone(shown);
                others.nodes.push(unfiltered);
                (unfiltered, Arc::new(others))
            }
        };
        self.endpoints = self.render(symbols).endpoints();
        self.templates
            .find_table_keys(&self.report, &self.keys, symbols);
        let detailer = Detailer {
            summarizer: self.summarizer(symbols, selection),
            report: &self.report,
            endpoints: &self.endpoints,
        };
        detailer.details(self.arena.node(node), &others)
    }

    /// The probes that report, by id and host name.
    #[must_use]
    pub fn probes<'a>(&self, symbols: &'a Symbols) -> Vec<ProbeInfo<'a>> {
        let hosts = self.report.topology(Kind::Host).nodes.iter();
        let mut probes: Vec<ProbeInfo<'a>> = hosts
            .map(|host| {
                let text = |key| symbols.bytes(host.latest(key).unwrap_or_default());
                let version = host.latest_entry(self.keys.scope_version);
                ProbeInfo {
                    id: text(self.keys.control_probe_id),
                    hostname: text(self.keys.host_name),
                    version: text(self.keys.scope_version),
                    last_seen: version.map(|v| v.timestamp).unwrap_or_default(),
                    stale: host.stale,
                }
            })
            .collect();
        probes.sort_by_key(|probe| (probe.id, probe.hostname));
        probes
    }

    /// The plugins of all probes, by id.
    #[must_use]
    pub fn plugins<'a>(&self, symbols: &'a Symbols) -> Vec<PluginInfo<'a>> {
        let plugins = self.report.plugins.iter();
        let mut plugins: Vec<PluginInfo<'a>> = plugins
            .map(|plugin| {
                let interfaces = plugin.interfaces.iter().map(|&i| symbols.bytes(i));
                PluginInfo {
                    id: symbols.bytes(plugin.id),
                    label: symbols.bytes(plugin.label),
                    description: symbols.bytes(plugin.description),
                    interfaces: interfaces.collect(),
                    api_version: symbols.bytes(plugin.api_version),
                    status: symbols.bytes(plugin.status),
                }
            })
            .collect();
        plugins.sort_by_key(|plugin| plugin.id);
        plugins
    }

    fn render<'v>(&'v mut self, symbols: &'v mut Symbols) -> Render<'v> {
        Render {
            report: &self.report,
            keys: &self.keys,
            symbols,
            arena: &mut self.arena,
            scratches: &mut self.scratches,
            stages: &mut self.stages,
        }
    }

    fn summarizer<'a>(&'a self, symbols: &'a Symbols, selection: &Selection) -> Summarizer<'a> {
        let facts = Facts {
            report: &self.report,
            arena: &self.arena,
            keys: &self.keys,
        };
        Summarizer::new(facts, &self.templates, symbols, selection)
    }

    fn groups<'a>(&self, symbols: &'a Symbols, place: usize) -> Vec<OptionGroup<'a>> {
        SPECS[place].groups(&self.namespaces, symbols)
    }

    /// A topology without any option applied.
    fn base(&mut self, symbols: &mut Symbols, place: usize) -> Arc<Rendering> {
        if let Some(base) = &self.bases[place] {
            return base.clone();
        }
        let mut render = self.render(symbols);
        let base = match SPECS[place].id {
            "processes" => render.stage(Stage::Processes),
            "processes-by-name" => Arc::new(render.processes_by_name()),
            "containers" => render.stage(Stage::NamedContainers),
            "containers-by-hostname" => Arc::new(render.containers_by_hostname()),
            "containers-by-image" => render.stage(Stage::ContainersByImage),
            "pods" => render.stage(Stage::Pods),
            "kube-controllers" => Arc::new(render.kube_controllers()),
            "services" => Arc::new(render.services()),
            "ecs-tasks" => render.stage(Stage::EcsTasks),
            "ecs-services" => Arc::new(render.ecs_services()),
            "swarm-services" => Arc::new(render.swarm_services()),
            "hosts" => Arc::new(render.hosts()),
            _ => Arc::new(render.weave()),
        };
        self.bases[place] = Some(base.clone());
        base
    }
}

impl Summaries<'_> {
    /// Leaves the metadata of nodes empty.
    #[must_use]
    pub fn without_metadata(mut self) -> Self {
        self.summarizer.with_metadata = false;
        self
    }

    /// Leaves the tables of nodes empty, which takes most of the time for containers.
    #[must_use]
    pub fn without_tables(mut self) -> Self {
        self.summarizer.with_tables = false;
        self
    }
}

impl<'a> Iterator for Summaries<'a> {
    type Item = Summary<'a>;

    fn next(&mut self) -> Option<Summary<'a>> {
        let s = self.summarizer;
        let labels = &mut self.labels;
        self.nodes
            .find_map(|&index| s.summary(s.facts.arena.node(index), Samples::Left, labels))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.nodes.len()))
    }
}

fn namespaces(report: &Report, keys: &Keys, symbols: &Symbols) -> Namespaces {
    let named = |kind, key| {
        let nodes = report.topology(kind).nodes.iter();
        let mut names: Vec<Sym> = nodes
            .filter(|node| !node.topology.is_empty())
            .filter_map(|node| node.latest(key))
            .collect();
        names.sort_by_key(|&name| symbols.bytes(name));
        names.dedup();
        names
    };
    Namespaces {
        kubernetes: named(Kind::Namespace, keys.kubernetes_name),
        swarm: named(Kind::SwarmService, keys.stack_namespace),
    }
}
