//! Nodes.

use super::source::{Result, Source};
use super::walk::{Strings, Walker};
use crate::model::{Latest, Metric, Node, Sample};
use crate::symbol::Sym;
use crate::time::Timestamp;

/// The key under which a node's active controls are kept.
const ACTIVE_CONTROLS: &[u8] = b"active_controls";

/// Members that only old probes and plugins sent.
#[derive(Default)]
struct Legacy {
    /// Name, when, and whether it is dead.
    controls: Vec<(Sym, Timestamp, bool)>,
    counters: Vec<(Sym, i64)>,
}

fn node_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"id" => 0,
        b"topology" => 1,
        b"sets" => 2,
        b"adjacency" => 3,
        b"latest" => 4,
        b"metrics" => 5,
        b"parents" => 6,
        b"children" => 7,
        b"latestControls" => 8,
        b"counters" => 9,
        _ => return None,
    })
}

fn latest_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"timestamp" => 0,
        b"value" => 1,
        _ => return None,
    })
}

fn metric_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"samples" => 0,
        b"min" => 1,
        b"max" => 2,
        _ => return None,
    })
}

fn sample_field(name: &[u8]) -> Option<usize> {
    Some(match name {
        b"date" => 0,
        b"value" => 1,
        _ => return None,
    })
}

fn dead_field(name: &[u8]) -> Option<usize> {
    (name == b"dead").then_some(0)
}

impl<S: Source, I: Strings> Walker<'_, S, I> {
    /// A node of a topology, under its key.
    pub(super) fn node(&mut self, key: Sym) -> Result<Node> {
        self.strings.begin_node(key);
        let mut node = self.any_node()?;
        node.id = key;
        // An empty id is none, whatever the node says itself.
        node.has_id &= !key.is_empty();
        Ok(node)
    }

    /// A node whose id is the one it says.
    fn any_node(&mut self) -> Result<Node> {
        let mut node = Node::default();
        if self.source.nil()? {
            return Ok(node);
        }
        let mut legacy = Legacy::default();
        self.structure(10, node_field, |w, field| {
            match field {
                0 => {
                    node.id = w.sym()?;
                    node.has_id = !node.id.is_empty();
                }
                1 => node.topology = w.sym()?,
                2 => node.sets = w.sets()?,
                3 => node.adjacency = w.set()?,
                4 => node.latest = w.map(Self::latest, |e| e.key)?,
                5 => node.metrics = w.map(|w, key| Ok((key, w.metric()?)), |m| m.0)?,
                6 => node.parents = w.sets()?,
                7 => node.children = w.children()?,
                8 => legacy.controls = w.legacy_controls()?,
                _ => legacy.counters = w.map(|w, key| Ok((key, w.source.int()?)), |c| c.0)?,
            }
            Ok(())
        })?;
        self.upgrade(&mut node, legacy);
        Ok(node)
    }

    fn latest(&mut self, key: Sym) -> Result<Latest> {
        let mut entry = Latest {
            key,
            value: Sym::EMPTY,
            timestamp: Timestamp::default(),
        };
        if self.source.nil()? {
            return Ok(entry);
        }
        self.structure(2, latest_field, |w, field| {
            match field {
                0 => entry.timestamp = w.fact_time()?,
                _ => entry.value = w.sym()?,
            }
            Ok(())
        })?;
        Ok(entry)
    }

    fn metric(&mut self) -> Result<Metric> {
        let mut metric = Metric::default();
        if self.source.nil()? {
            return Ok(metric);
        }
        self.structure(3, metric_field, |w, field| {
            match field {
                0 => metric.samples = w.array(Self::sample)?,
                1 => metric.min = w.source.float()?,
                _ => metric.max = w.source.float()?,
            }
            Ok(())
        })?;
        Ok(metric)
    }

    fn sample(&mut self) -> Result<Sample> {
        let mut sample = Sample {
            date: Timestamp::default(),
            value: 0.0,
        };
        if self.source.nil()? {
            return Ok(sample);
        }
        self.structure(2, sample_field, |w, field| {
            match field {
                0 => sample.date = w.source.time()?,
                _ => sample.value = w.source.float()?,
            }
            Ok(())
        })?;
        Ok(sample)
    }

    /// Nodes in nodes; the only place where the format nests without end.
    fn children(&mut self) -> Result<Vec<Node>> {
        // A child is three containers deep: the list, the node and its members.
        let Some(depth) = self.depth.checked_sub(3) else {
            return Err(self.source.malformed("nested too deeply"));
        };
        let outer = std::mem::replace(&mut self.depth, depth);
        let mut children = self.array(|w| {
            w.count_node()?;
            w.any_node()
        })?;
        self.depth = outer;
        super::lists::sort_last_wins(&mut children, |n| n.id);
        Ok(children)
    }

    fn legacy_controls(&mut self) -> Result<Vec<(Sym, Timestamp, bool)>> {
        self.map(
            |w, key| {
                let mut control = (key, Timestamp::default(), false);
                if w.source.nil()? {
                    return Ok(control);
                }
                w.structure(2, latest_field, |w, field| {
                    match field {
                        0 => control.1 = w.fact_time()?,
                        _ => control.2 = w.dead()?,
                    }
                    Ok(())
                })?;
                Ok(control)
            },
            |c| c.0,
        )
    }

    fn dead(&mut self) -> Result<bool> {
        let mut dead = false;
        if self.source.nil()? {
            return Ok(dead);
        }
        self.structure(1, dead_field, |w, _| {
            dead = w.source.bool()?;
            Ok(())
        })?;
        Ok(dead)
    }

    /// Says in today's terms what the legacy members say.
    fn upgrade(&mut self, node: &mut Node, legacy: Legacy) {
        if !legacy.controls.is_empty() {
            let alive = legacy.controls.iter().filter(|c| !c.2);
            let timestamp = alive.clone().map(|c| c.1).max().unwrap_or_default();
            let mut names: Vec<&[u8]> = alive.map(|c| self.strings.bytes(c.0)).collect();
            names.sort_unstable();
            let names = names.join(&b';');
            let entry = Latest {
                key: self.strings.intern(ACTIVE_CONTROLS),
                value: self.strings.intern(&names),
                timestamp,
            };
            set_latest(node, entry);
        }
        for (name, count) in legacy.counters {
            let key = [b"count_", self.strings.bytes(name)].concat();
            let key = self.strings.intern(&key);
            let before = node.latest(key).map_or(&[][..], |v| self.strings.bytes(v));
            let before: i64 = std::str::from_utf8(before)
                .ok()
                .and_then(|v| v.parse().ok())
                .unwrap_or(0);
            let value = before.wrapping_add(count).to_string();
            let entry = Latest {
                key,
                value: self.strings.intern(value.as_bytes()),
                timestamp: self.received,
            };
            set_latest(node, entry);
        }
    }
}

fn set_latest(node: &mut Node, entry: Latest) {
    match node.latest.binary_search_by_key(&entry.key, |e| e.key) {
        Ok(i) => node.latest[i] = entry,
        Err(i) => node.latest.insert(i, entry),
    }
}
