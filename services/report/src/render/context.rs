//! What every step of rendering works with.

use crate::kind::Kind;
use crate::model::{Node, Report};
use crate::render::arena::Arena;
use crate::render::builder::Builder;
use crate::render::drawn::{Drawn, NodeIndex, Rendering, ReportNode, Source};
use crate::render::facts::Facts;
use crate::render::keys::Keys;
use crate::render::scratch::Scratch;
use crate::render::stages::Stages;
use crate::symbol::Symbols;

/// Tables that steps borrow one after the other.
#[derive(Debug, Default)]
pub(crate) struct Scratches {
    /// Places of output nodes; the builder's.
    pub(crate) slots: Scratch,
    /// Places of input nodes; for following their edges.
    pub(crate) inputs: Scratch,
    /// Free for use within one function.
    pub(crate) seen: Scratch,
}

/// A report on its way to renderings.
#[derive(Debug)]
pub(crate) struct Render<'a> {
    pub(crate) report: &'a Report,
    pub(crate) keys: &'a Keys,
    pub(crate) symbols: &'a mut Symbols,
    pub(crate) arena: &'a mut Arena,
    pub(crate) scratches: &'a mut Scratches,
    pub(crate) stages: &'a mut Stages,
}

/// Which outputs each node of an input became, in the input's order.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    ends: Vec<u32>,
    outputs: Vec<u32>,
}

impl Mapping {
    /// Another output of the current input node.
    pub(crate) fn add(&mut self, output: u32) {
        self.outputs.push(output);
    }

    /// On to the next input node.
    pub(crate) fn next(&mut self) {
        self.ends
            .push(u32::try_from(self.outputs.len()).unwrap_or(u32::MAX));
    }

    fn outputs(&self, input: usize) -> &[u32] {
        let start = if input == 0 { 0 } else { self.ends[input - 1] };
        &self.outputs[start as usize..self.ends[input] as usize]
    }
}

impl Render<'_> {
    /// To read what nodes say.
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            report: self.report,
            arena: self.arena,
            keys: self.keys,
        }
    }

    /// An empty builder; only one can be in use at a time.
    pub(crate) fn builder(&mut self) -> Builder {
        self.scratches.slots.clear(self.symbols.len());
        Builder::default()
    }

    /// The nodes of one topology of the report, without those that are not to be shown yet.
    pub(crate) fn report_nodes(&self, kind: Kind) -> impl Iterator<Item = Drawn> + use<'_> {
        let nodes = self.report.topology(kind).nodes.iter().enumerate();
        nodes.filter_map(move |(i, node)| {
            if node.topology.is_empty() {
                return None;
            }
            Some(Drawn {
                id: node.id,
                topology: node.topology,
                source: Source::Report(ReportNode::new(kind, i)?),
                ..Drawn::default()
            })
        })
    }

    /// Whether a topology of the report has anything to show.
    pub(crate) fn has_any(&self, kind: Kind) -> bool {
        let nodes = &self.report.topology(kind).nodes;
        nodes.iter().any(|node| !node.topology.is_empty())
    }

    /// Adds the nodes of one topology; with the edges that probes reported, if wanted.
    pub(crate) fn select(&mut self, builder: &mut Builder, kind: Kind, with_edges: bool) {
        let nodes: Vec<Drawn> = self.report_nodes(kind).collect();
        builder.reserve(nodes.len());
        for drawn in nodes {
            let output = builder.adopt(self, &drawn);
            let Source::Report(reference) = drawn.source else {
                continue;
            };
            let node = &self.report.topology(kind).nodes[reference.index()];
            for child in &node.children {
                let index = self.wire_child(child);
                builder.contain(output, index);
            }
            if with_edges {
                for &target in &node.adjacency {
                    builder.edge(output, target);
                }
            }
        }
    }

    fn wire_child(&mut self, child: &Node) -> NodeIndex {
        let merged = Arena::mark(&self.arena.merged);
        self.arena.merged.push(child.clone());
        self.arena.push(Drawn {
            id: child.id,
            topology: child.topology,
            source: Source::Merged(merged),
            ..Drawn::default()
        })
    }

    /// Adds an edge between outputs for every edge between the inputs that they came from.
    pub(crate) fn connect(&mut self, builder: &mut Builder, input: &Rendering, mapping: &Mapping) {
        let inputs = &mut self.scratches.inputs;
        inputs.clear(self.symbols.len());
        for (i, &index) in input.nodes.iter().enumerate() {
            inputs.insert(
                self.arena.node(index).id,
                u32::try_from(i).unwrap_or(u32::MAX),
            );
        }
        for (i, &index) in input.nodes.iter().enumerate() {
            let outputs = mapping.outputs(i);
            if outputs.is_empty() {
                continue;
            }
            for &target in self.arena.adjacency(self.arena.node(index)) {
                let Some(j) = inputs.get(target) else {
                    continue;
                };
                for &to in mapping.outputs(j as usize) {
                    if builder.is_full() {
                        return;
                    }
                    let to = builder.id(to);
                    for &from in outputs {
                        builder.edge(from, to);
                    }
                }
            }
        }
    }

    /// The nodes that pass, without edges to the others.
    pub(crate) fn filter(
        &mut self,
        input: &Rendering,
        mut passes: impl FnMut(Facts<'_>, &Drawn) -> bool,
    ) -> Rendering {
        let facts = self.facts();
        let nodes: Vec<NodeIndex> = input
            .nodes
            .iter()
            .copied()
            .filter(|&index| passes(facts, self.arena.node(index)))
            .collect();
        let removed = input.nodes.len() - nodes.len();
        let mut output = Rendering {
            nodes,
            filtered: input.filtered + removed,
        };
        if removed > 0 {
            self.cut_edges(&mut output);
        }
        output
    }

    /// Replaces nodes with edges to elsewhere by nodes without.
    pub(crate) fn cut_edges(&mut self, rendering: &mut Rendering) {
        let seen = &mut self.scratches.seen;
        seen.clear(self.symbols.len());
        for &index in &rendering.nodes {
            seen.add(self.arena.node(index).id);
        }
        for index in &mut rendering.nodes {
            let mut node = *self.arena.node(*index);
            let range = node.adjacency.range();
            if self.arena.adjacency[range.clone()]
                .iter()
                .all(|&target| seen.get(target).is_some())
            {
                continue;
            }
            let start = Arena::mark(&self.arena.adjacency);
            for i in range {
                let target = self.arena.adjacency[i];
                if seen.get(target).is_some() {
                    self.arena.adjacency.push(target);
                }
            }
            node.adjacency = Arena::span_since(&self.arena.adjacency, start);
            *index = self.arena.push(node);
        }
    }
}
