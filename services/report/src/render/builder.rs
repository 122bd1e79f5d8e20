//! Renderings under construction.

use crate::render::arena::Arena;
use crate::render::context::Render;
use crate::render::drawn::{Child, Drawn, NodeIndex, Rendering, Source, Span};
use crate::render::merged::merge_nodes;
use crate::symbol::Sym;

/// A bound on what nodes with many parents and many edges can multiply into: many times what the largest real reports have.
const MAX_PAIRS: usize = 1 << 22;

/// Collects nodes, what they contain and what they connect to, in any order.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Drawn>,
    children: Vec<(u32, Child)>,
    counts: Vec<(u32, (Sym, u32))>,
    edges: Vec<(u32, Sym)>,
}

impl Builder {
    pub(crate) fn reserve(&mut self, nodes: usize) {
        self.nodes.reserve(nodes);
    }

    pub(crate) fn id(&self, output: u32) -> Sym {
        self.nodes[output as usize].id
    }

    /// The output with this id, blank if it is new.
    pub(crate) fn node(&mut self, render: &mut Render<'_>, id: Sym, topology: Sym) -> u32 {
        let slots = &mut render.scratches.slots;
        if let Some(found) = slots.get(id) {
            return found;
        }
        let output = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        slots.insert(id, output);
        self.nodes.push(Drawn {
            id,
            topology,
            ..Drawn::default()
        });
        output
    }

    /// The output with this node's id, merged with it; edges apart.
    pub(crate) fn adopt(&mut self, render: &mut Render<'_>, node: &Drawn) -> u32 {
        let output = self.node(render, node.id, node.topology);
        let own = &mut self.nodes[output as usize];
        match (own.source, node.source) {
            (Source::None, theirs) => own.source = theirs,
            (_, Source::None) => {}
            (ours, theirs) if ours == theirs => {}
            _ => {
                let facts = render.facts();
                let (Some(ours), Some(theirs)) = (facts.source(own), facts.source(node)) else {
                    return output;
                };
                let merged = merge_nodes(ours, theirs);
                own.source = Source::Merged(Arena::mark(&render.arena.merged));
                render.arena.merged.push(merged);
            }
        }
        own.image = own.image.or(node.image);
        own.hosts_of = own.hosts_of.or(node.hosts_of);
        own.metrics_of = own.metrics_of.or(node.metrics_of);
        let children = render.arena.children(node).iter();
        self.children.extend(children.map(|&child| (output, child)));
        let counts = render.arena.counters(node).iter();
        self.counts.extend(counts.map(|&count| (output, count)));
        output
    }

    /// Like [`Builder::adopt`], with the node's edges as far as they lead to other outputs.
    pub(crate) fn adopt_with_edges(&mut self, render: &mut Render<'_>, node: &Drawn) -> u32 {
        let output = self.adopt(render, node);
        for &target in render.arena.adjacency(node) {
            self.edge(output, target);
        }
        output
    }

    /// The output with this node's id, merged with it under another id.
    pub(crate) fn adopt_as(&mut self, render: &mut Render<'_>, node: &Drawn, id: Sym) -> u32 {
        self.adopt(render, &Drawn { id, ..*node })
    }

    /// Puts an endpoint into an output.
    pub(crate) fn contain_endpoint(&mut self, output: u32, endpoint: u32) {
        self.children.push((output, Child::Endpoint(endpoint)));
    }

    /// Puts a node into an output.
    pub(crate) fn contain(&mut self, output: u32, child: NodeIndex) {
        self.children.push((output, Child::Node(child)));
    }

    /// Puts a node and all that it contains into an output.
    pub(crate) fn contain_deep(&mut self, output: u32, child: NodeIndex) {
        self.children.push((output, Child::Deep(child)));
    }

    /// Counts one more child of this topology.
    pub(crate) fn count(&mut self, output: u32, topology: Sym) {
        self.counts.push((output, (topology, 1)));
    }

    /// An edge; dropped in the end if it does not lead to an output.
    pub(crate) fn edge(&mut self, from: u32, to: Sym) {
        if !self.is_full() {
            self.edges.push((from, to));
        }
    }

    /// Whether there are so many edges or children that no more are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.edges.len() >= MAX_PAIRS || self.children.len() >= MAX_PAIRS
    }

    /// Moves everything into the arena.
    pub(crate) fn finish(mut self, render: &mut Render<'_>) -> Rendering {
        self.place_children(render.arena);
        self.place_counts(render.arena);
        self.place_edges(render);
        let first = Arena::mark(&render.arena.nodes);
        let len = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        render.arena.nodes.append(&mut self.nodes);
        Rendering {
            nodes: (first..first + len).map(NodeIndex).collect(),
            filtered: 0,
        }
    }

    fn place_children(&mut self, arena: &mut Arena) {
        let base = Arena::mark(&arena.children);
        let (starts, sorted) = by_output(self.nodes.len(), &self.children);
        arena.children.extend_from_slice(&sorted);
        for (node, start) in self.nodes.iter_mut().zip(starts.windows(2)) {
            node.children = Span {
                start: base + start[0],
                len: start[1] - start[0],
            };
        }
    }

    fn place_counts(&mut self, arena: &mut Arena) {
        if self.counts.is_empty() {
            return;
        }
        let (starts, sorted) = by_output(self.nodes.len(), &self.counts);
        for (node, start) in self.nodes.iter_mut().zip(starts.windows(2)) {
            let mark = Arena::mark(&arena.counters);
            for &(topology, n) in &sorted[start[0] as usize..start[1] as usize] {
                let own = &mut arena.counters[mark as usize..];
                match own.iter_mut().find(|c| c.0 == topology) {
                    Some(counter) => counter.1 = counter.1.saturating_add(n),
                    None => arena.counters.push((topology, n)),
                }
            }
            node.counters = Arena::span_since(&arena.counters, mark);
        }
    }

    fn place_edges(&mut self, render: &mut Render<'_>) {
        if self.edges.is_empty() {
            return;
        }
        let slots = &render.scratches.slots;
        let seen = &mut render.scratches.seen;
        let (starts, sorted) = by_output(self.nodes.len(), &self.edges);
        let pool = &mut render.arena.adjacency;
        for (node, start) in self.nodes.iter_mut().zip(starts.windows(2)) {
            if start[0] == start[1] {
                continue;
            }
            let mark = Arena::mark(pool);
            seen.clear(render.symbols.len());
            for &target in &sorted[start[0] as usize..start[1] as usize] {
                if slots.get(target).is_some() && seen.add(target) {
                    pool.push(target);
                }
            }
            node.adjacency = Arena::span_since(pool, mark);
        }
    }
}

/// The values by output, and where each output's begin.
fn by_output<T: Copy>(outputs: usize, pairs: &[(u32, T)]) -> (Vec<u32>, Vec<T>) {
    let mut starts = vec![0u32; outputs + 1];
    for (output, _) in pairs {
        starts[*output as usize + 1] += 1;
    }
    for i in 0..outputs {
        starts[i + 1] += starts[i];
    }
    let Some(&(_, filler)) = pairs.first() else {
        return (starts, Vec::new());
    };
    let mut next = starts.clone();
    let mut sorted = vec![filler; pairs.len()];
    for &(output, value) in pairs {
        let place = &mut next[output as usize];
        sorted[*place as usize] = value;
        *place += 1;
    }
    (starts, sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_order_within_an_output() {
        let (starts, sorted) = by_output(3, &[(2, 'a'), (0, 'b'), (2, 'c')]);
        assert_eq!(starts, [0, 1, 1, 3]);
        assert_eq!(sorted, ['b', 'a', 'c']);
        assert_eq!(by_output::<char>(1, &[]), (vec![0, 0], vec![]));
    }
}
