//! What is left of topologies with options applied.

use std::sync::Arc;

use crate::catalogue::Stats;
use crate::options::{Filters, Selection};
use crate::render::arena::Arena;
use crate::render::context::Render;
use crate::render::drawn::{NodeIndex, Rendering};
use crate::render::filter::{Filter, Predicates, RunningStates};
use crate::symbol::Symbols;
use crate::view::View;

/// How many combinations of options are kept.
const MAX_ENTRIES: usize = 64;

/// Topologies by their options.
#[derive(Debug, Default)]
pub(crate) struct ShownCache {
    entries: Vec<Entry>,
    /// The entry to replace next when there are too many.
    oldest: usize,
}

#[derive(Debug)]
struct Entry {
    place: usize,
    filters: Filters,
    rendering: Arc<Rendering>,
    stats: Stats,
    /// The nodes by id, once somebody asked.
    sorted: Vec<NodeIndex>,
}

impl ShownCache {
    pub(crate) fn rendering(&self, entry: usize) -> &Arc<Rendering> {
        &self.entries[entry].rendering
    }

    /// The nodes by id, after [`View::sort_shown`].
    pub(crate) fn sorted(&self, entry: usize) -> &[NodeIndex] {
        &self.entries[entry].sorted
    }

    fn insert(&mut self, entry: Entry) -> usize {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push(entry);
            return self.entries.len() - 1;
        }
        let place = self.oldest;
        self.entries[place] = entry;
        self.oldest = (self.oldest + 1) % MAX_ENTRIES;
        place
    }
}

impl View {
    pub(crate) fn stats(
        &mut self,
        symbols: &mut Symbols,
        place: usize,
        selection: &Selection,
    ) -> Stats {
        let entry = self.shown(symbols, place, selection);
        self.shown.entries[entry].stats
    }

    /// The entry of a topology with these options.
    pub(crate) fn shown(
        &mut self,
        symbols: &mut Symbols,
        place: usize,
        selection: &Selection,
    ) -> usize {
        let filters = selection.filters(&self.groups(symbols, place));
        let entries = &self.shown.entries;
        let known = entries
            .iter()
            .position(|entry| entry.place == place && entry.filters == filters);
        if let Some(known) = known {
            return known;
        }
        let base = self.base(symbols, place);
        let mut render = self.render(symbols);
        let rendering = match filters.is_empty() {
            true => render.sweep(&base),
            false => {
                let chosen = render.apply(&base, &filters);
                render.sweep(&chosen)
            }
        };
        let stats = render.count(&rendering);
        self.shown.insert(Entry {
            place,
            filters,
            rendering: Arc::new(rendering),
            stats,
            sorted: Vec::new(),
        })
    }

    pub(crate) fn sort_shown(&mut self, entry: usize, symbols: &Symbols) {
        let arena = &self.arena;
        let entry = &mut self.shown.entries[entry];
        if entry.sorted.len() != entry.rendering.nodes.len() {
            entry.sorted.clone_from(&entry.rendering.nodes);
            entry
                .sorted
                .sort_unstable_by_key(|&index| symbols.bytes(arena.node(index).id));
        }
    }
}

impl Render<'_> {
    /// The nodes that pass one filter of every group.
    fn apply(&mut self, base: &Rendering, filters: &Filters) -> Rendering {
        let connected = match filters
            .iter()
            .any(|group| group.contains(&Filter::Connected))
        {
            true => self.connected(base),
            false => Vec::new(),
        };
        let running = RunningStates::new(self.keys, self.symbols);
        let predicates = Predicates {
            symbols: self.symbols,
            running,
        };
        let (facts, pseudo) = (self.facts(), self.keys.pseudo);
        let passing = base.nodes.iter().enumerate().map(|(i, &index)| {
            let node = facts.arena.node(index);
            filters.iter().all(|group| {
                group.iter().any(|&filter| match filter {
                    _ if node.topology == pseudo && !filter.applies_to_pseudo() => true,
                    Filter::Connected => connected[i],
                    filter => predicates.passes(facts, node, filter),
                })
            })
        });
        let passing: Vec<bool> = passing.collect();
        let mut passing = passing.into_iter();
        self.filter(base, |_, _| passing.next().unwrap_or(false))
    }

    /// Of each node, whether it has an edge from or to another one.
    fn connected(&mut self, rendering: &Rendering) -> Vec<bool> {
        let places = &mut self.scratches.inputs;
        places.clear(self.symbols.len());
        for (i, &index) in rendering.nodes.iter().enumerate() {
            places.insert(
                self.arena.node(index).id,
                u32::try_from(i).unwrap_or(u32::MAX),
            );
        }
        let mut connected = vec![false; rendering.nodes.len()];
        for (i, &index) in rendering.nodes.iter().enumerate() {
            let node = self.arena.node(index);
            for &target in self.arena.adjacency(node) {
                if target == node.id {
                    continue;
                }
                connected[i] = true;
                if let Some(j) = places.get(target) {
                    connected[j as usize] = true;
                }
            }
        }
        connected
    }

    /// Without the edge from the Internet to the Internet, which is an artefact of address translation, and then without
    /// unconnected pseudo nodes.
    fn sweep(&mut self, input: &Rendering) -> Rendering {
        let mut output = input.clone();
        let (incoming, outgoing) = (self.keys.in_internet, self.keys.out_internet);
        for index in &mut output.nodes {
            let mut node = *self.arena.node(*index);
            if node.id != incoming {
                continue;
            }
            let range = node.adjacency.range();
            let start = Arena::mark(&self.arena.adjacency);
            for i in range {
                let target = self.arena.adjacency[i];
                if target != outgoing {
                    self.arena.adjacency.push(target);
                }
            }
            node.adjacency = Arena::span_since(&self.arena.adjacency, start);
            *index = self.arena.push(node);
        }
        let connected = self.connected(&output);
        let mut connected = connected.into_iter();
        let (arena, pseudo) = (&*self.arena, self.keys.pseudo);
        output.nodes.retain(|&index| {
            connected.next().unwrap_or(false) || arena.node(index).topology != pseudo
        });
        output.filtered += input.nodes.len() - output.nodes.len();
        output
    }

    fn count(&self, rendering: &Rendering) -> Stats {
        let nodes = rendering.nodes.iter().map(|&index| self.arena.node(index));
        let mut stats = Stats {
            nodes: rendering.nodes.len(),
            filtered_nodes: rendering.filtered,
            ..Stats::default()
        };
        for node in nodes {
            stats.real_nodes += usize::from(node.topology != self.keys.pseudo);
            stats.edges += node.adjacency.len as usize;
        }
        stats
    }
}
