//! A node's connections.

use hashbrown::{HashMap, HashSet};

use crate::details::{Connection, ConnectionTable, Detailer};
use crate::kind::Kind;
use crate::render::drawn::{Child, Drawn, NodeIndex, Rendering};
use crate::render::endpoints::{find_record, first_name};
use crate::render::node_id::EndpointId;
use crate::summary::{Column, MetadataRow, Text};
use crate::symbol::Sym;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Incoming,
    Outgoing,
}

/// What makes connections one row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RowKey<'a> {
    remote: NodeIndex,
    /// Empty unless the remote node is the Internet.
    remote_address: Text<'a>,
    /// Empty unless the node itself is the Internet.
    local_address: Text<'a>,
    /// Of the destination.
    port: &'a [u8],
}

/// Two nodes, and an endpoint of each, by place.
#[derive(Debug, Clone, Copy)]
struct Ends<'n> {
    local: &'n Drawn,
    remote: NodeIndex,
    local_endpoint: usize,
    remote_endpoint: usize,
}

#[derive(Debug)]
struct Counter<'a> {
    detailer: Detailer<'a>,
    direction: Direction,
    /// Sources of connections that were counted.
    counted: HashSet<Sym>,
    rows: HashMap<RowKey<'a>, i64>,
}

impl<'a> Detailer<'a> {
    pub(crate) fn incoming(self, node: &Drawn, others: &Rendering) -> ConnectionTable<'a> {
        let arena = self.summarizer.facts.arena;
        let mut counter = Counter::new(self, Direction::Incoming);
        let own = self.endpoint_set(node);
        let connects = |&remote: &NodeIndex| {
            let other = arena.node(remote);
            arena.adjacency(other).contains(&node.id)
        };
        for remote in self.in_order(others, connects) {
            let other = arena.node(remote);
            for from in self.endpoints_of(other) {
                for to in self.sorted_targets(from, &own) {
                    let Some(to) = self.canonical(to) else {
                        continue;
                    };
                    counter.add(Ends {
                        local: node,
                        remote,
                        local_endpoint: to,
                        remote_endpoint: from as usize,
                    });
                }
            }
        }
        counter.table(node)
    }

    pub(crate) fn outgoing(self, node: &Drawn, others: &Rendering) -> ConnectionTable<'a> {
        let arena = self.summarizer.facts.arena;
        let mut counter = Counter::new(self, Direction::Outgoing);
        let own = self.endpoints_of(node);
        let targets: HashSet<Sym> = arena.adjacency(node).iter().copied().collect();
        let is_target = |&remote: &NodeIndex| targets.contains(&arena.node(remote).id);
        for remote in self.in_order(others, is_target) {
            let other = arena.node(remote);
            let theirs = self.endpoint_set(other);
            for &from in &own {
                for to in self.sorted_targets(from, &theirs) {
                    let Some(to) = self.canonical(to) else {
                        continue;
                    };
                    counter.add(Ends {
                        local: node,
                        remote,
                        local_endpoint: from as usize,
                        remote_endpoint: to,
                    });
                }
            }
        }
        counter.table(node)
    }

    /// The nodes that are wanted, by id: a connection that is seen twice counts for the first.
    fn in_order(self, others: &Rendering, wanted: impl Fn(&NodeIndex) -> bool) -> Vec<NodeIndex> {
        let s = self.summarizer;
        let nodes = others.nodes.iter().copied();
        let mut nodes: Vec<NodeIndex> = nodes.filter(wanted).collect();
        nodes.sort_by_key(|&i| s.bytes(s.facts.arena.node(i).id));
        nodes
    }

    /// The places of the endpoints that a node contains, ordered.
    fn endpoints_of(self, node: &Drawn) -> Vec<u32> {
        let mut places = Vec::new();
        self.summarizer.facts.arena.each_child(node, &mut |child| {
            if let Child::Endpoint(place) = child {
                places.push(place);
            }
        });
        places.sort_unstable();
        places.dedup();
        places
    }

    fn endpoint_set(self, node: &Drawn) -> HashSet<u32> {
        self.endpoints_of(node).into_iter().collect()
    }

    /// The targets of an endpoint that are in the set, by id.
    fn sorted_targets(self, endpoint: u32, set: &HashSet<u32>) -> Vec<u32> {
        let targets = self.endpoints.targets(endpoint as usize).iter().copied();
        let mut found: Vec<u32> = targets.filter(|t| set.contains(t)).collect();
        if found.len() > 1 {
            found.sort_by_key(|&t| self.summarizer.bytes(self.endpoints.list[t as usize].id));
        }
        found
    }

    /// The endpoint that this one is another address of, or itself. `None` if that is not in the report.
    fn canonical(self, endpoint: u32) -> Option<usize> {
        let Some(original) = self.endpoints.list[endpoint as usize].copy_of else {
            return Some(endpoint as usize);
        };
        let nodes = &self.report.topology(Kind::Endpoint).nodes;
        let place = nodes.binary_search_by_key(&original, |n| n.id).ok()?;
        self.endpoints.list[place].shown.then_some(place)
    }

    fn is_internet(self, node: &Drawn) -> bool {
        let keys = self.summarizer.facts.keys;
        node.id == keys.in_internet || node.id == keys.out_internet
    }

    /// What to show of an endpoint's address: nothing, unless the node is the Internet. `None` if the id is malformed.
    fn shown_address(self, node: &Drawn, endpoint: usize) -> Option<Text<'a>> {
        if !self.is_internet(node) {
            return Some(Text::default());
        }
        let s = self.summarizer;
        let id = EndpointId::parse(s.bytes(self.endpoints.list[endpoint].id))?;
        let record = find_record(self.report, s.symbols, id.address);
        let name = record.and_then(|r| first_name(r, s.symbols, |_| true));
        Some(match name {
            Some(name) => [s.bytes(name), b" (", id.address, b")"].concat().into(),
            None => id.address.into(),
        })
    }
}

impl<'a> Counter<'a> {
    fn new(detailer: Detailer<'a>, direction: Direction) -> Self {
        Counter {
            detailer,
            direction,
            counted: HashSet::new(),
            rows: HashMap::new(),
        }
    }

    fn add(&mut self, ends: Ends<'_>) {
        let d = self.detailer;
        let s = d.summarizer;
        let (source, destination) = match self.direction {
            Direction::Incoming => (ends.remote_endpoint, ends.local_endpoint),
            Direction::Outgoing => (ends.local_endpoint, ends.remote_endpoint),
        };
        // The source, before its address was rewritten, is what makes a connection one connection.
        let source_endpoint = &d.endpoints.list[source];
        let connection = source_endpoint.copy_of.unwrap_or(source_endpoint.id);
        if self.counted.contains(&connection) {
            return;
        }
        let remote = s.facts.arena.node(ends.remote);
        let key = || {
            let id = s.bytes(d.endpoints.list[destination].id);
            Some(RowKey {
                remote: ends.remote,
                remote_address: d.shown_address(remote, ends.remote_endpoint)?,
                local_address: d.shown_address(ends.local, ends.local_endpoint)?,
                port: EndpointId::parse(id)?.port,
            })
        };
        let Some(key) = key() else {
            return;
        };
        self.counted.insert(connection);
        let node = &d.report.topology(Kind::Endpoint).nodes[source];
        let count = node.latest(s.facts.keys.conn_count);
        let count = count
            .and_then(|c| s.symbols.str(c)?.parse().ok())
            .unwrap_or(1);
        let total = self.rows.entry(key).or_insert(0);
        *total = i64::saturating_add(*total, count);
    }

    fn table(self, node: &Drawn) -> ConnectionTable<'a> {
        let is_internet = self.detailer.is_internet(node);
        let rows = self.rows.into_iter();
        let mut connections: Vec<Connection<'a>> = rows
            .map(|(key, count)| self.detailer.connection(key, count, is_internet))
            .collect();
        connections.sort_by(|a, b| a.id.cmp(&b.id));
        let mut columns = vec![
            column("port", "Port", "number", false),
            column("count", "Count", "number", true),
        ];
        if is_internet {
            columns.insert(0, column("remote", "Remote", "", false));
        }
        ConnectionTable {
            columns,
            connections,
        }
    }
}

impl<'a> Detailer<'a> {
    fn connection(self, key: RowKey<'a>, count: i64, with_local: bool) -> Connection<'a> {
        let s = self.summarizer;
        let remote = s.facts.arena.node(key.remote);
        let node_id = s.bytes(remote.id);
        let id = [node_id, &key.remote_address, &key.local_address, key.port].join(&b'-');
        let (label, label_minor) = if key.remote_address.is_empty() {
            let basic = s.basic(remote);
            basic.map_or((node_id.into(), Text::default()), |b| {
                (b.label, b.label_minor)
            })
        } else {
            (key.remote_address, Text::default())
        };
        let mut metadata = Vec::with_capacity(3);
        if with_local {
            metadata.push(cell("remote", key.local_address));
        }
        metadata.push(cell("port", key.port.into()));
        metadata.push(cell("count", count.to_string().into_bytes().into()));
        Connection {
            id,
            node_id,
            label,
            label_minor,
            metadata,
        }
    }
}

fn cell<'a>(id: &'static str, value: Text<'a>) -> MetadataRow<'a> {
    MetadataRow {
        id: id.as_bytes(),
        label: b"",
        value,
        priority: 0.0,
        data_type: b"",
        truncate: 0,
    }
}

fn column(
    id: &'static str,
    label: &'static str,
    data_type: &'static str,
    default_sort: bool,
) -> Column<'static> {
    Column {
        id: id.as_bytes(),
        label: label.as_bytes(),
        data_type: data_type.as_bytes(),
        default_sort,
    }
}
