//! The report's endpoints, taken apart once for all stages.

use std::hash::BuildHasher;
use std::net::Ipv4Addr;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::kind::Kind;
use crate::model::{DnsRecord, Report};
use crate::render::context::Render;
use crate::render::endpoint::Endpoint;
use crate::render::keys::Keys;
use crate::render::known_service::is_known_service;
use crate::render::networks::{Networks, parse_ip, parse_v4};
use crate::render::node_id::EndpointId;
use crate::render::scratch::Scratch;
use crate::symbol::{Sym, Symbols};

/// Endpoints by their place in the report, and their connections.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) list: Vec<Endpoint>,
    /// Where each endpoint's targets begin in `targets`.
    starts: Vec<u32>,
    /// Places of endpoints.
    targets: Vec<u32>,
    addresses: Vec<Address>,
    /// Places in `addresses`, by scope and address.
    by_address: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// A scope and an address.
#[derive(Debug)]
struct Address {
    /// The id of an endpoint that begins with it.
    id: Sym,
    /// How far, up to the second `;`.
    len: u32,
    /// The pseudo node of the known service that it belongs to.
    service: Option<Sym>,
    /// It is somewhere on the Internet.
    external: bool,
}

impl Endpoints {
    pub(crate) fn new(
        report: &Report,
        keys: &Keys,
        symbols: &mut Symbols,
        places: &mut Scratch,
    ) -> Self {
        let mut endpoints = Endpoints::default();
        let nodes = &report.topology(Kind::Endpoint).nodes;
        places.clear(symbols.len());
        endpoints.list.reserve_exact(nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            let mut endpoint = Endpoint::new(node, keys);
            if endpoint.shown {
                places.insert(node.id, u32::try_from(i).unwrap_or(u32::MAX));
                endpoint.address = endpoints.address_of(symbols, node.id);
            }
            endpoints.list.push(endpoint);
        }
        endpoints.starts.reserve_exact(nodes.len() + 1);
        endpoints.starts.push(0);
        for node in nodes {
            if !node.topology.is_empty() {
                let targets = node.adjacency.iter().filter_map(|&a| places.get(a));
                endpoints.targets.extend(targets);
            }
            endpoints
                .starts
                .push(u32::try_from(endpoints.targets.len()).unwrap_or(u32::MAX));
        }
        endpoints.classify(report, keys, symbols);
        endpoints
    }

    /// The places of the endpoints that this one connects to.
    pub(crate) fn targets(&self, endpoint: usize) -> &[u32] {
        &self.targets[self.starts[endpoint] as usize..self.starts[endpoint + 1] as usize]
    }

    /// How many different addresses there are.
    pub(crate) fn addresses(&self) -> usize {
        self.addresses.len()
    }

    /// The number of a scope and address in the form `<scope>;<address>;`.
    pub(crate) fn find_address(&self, symbols: &Symbols, key: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let matches = |&i: &u32| self.addresses[i as usize].key(symbols) == key;
        self.by_address.find(hash, matches).copied()
    }

    /// The pseudo node that stands for an endpoint of which we do not know the host.
    pub(crate) fn pseudo(&self, keys: &Keys, endpoint: &Endpoint) -> Option<Sym> {
        let address = &self.addresses[endpoint.address? as usize];
        if address.service.is_some() {
            return address.service;
        }
        match (address.external, endpoint.connects) {
            (false, _) => None,
            (true, true) => Some(keys.in_internet),
            (true, false) => Some(keys.out_internet),
        }
    }

    fn address_of(&mut self, symbols: &Symbols, id: Sym) -> Option<u32> {
        let bytes = symbols.bytes(id);
        let parsed = EndpointId::parse(bytes)?;
        let len = bytes.len() - parsed.port.len();
        let key = &bytes[..len];
        let hash = self.hasher.hash_one(key);
        let addresses = &self.addresses;
        let matches = |&i: &u32| addresses[i as usize].key(symbols) == key;
        if let Some(&found) = self.by_address.find(hash, matches) {
            return Some(found);
        }
        let number = u32::try_from(self.addresses.len()).ok()?;
        self.addresses.push(Address {
            id,
            len: u32::try_from(len).ok()?,
            service: None,
            external: false,
        });
        let (addresses, hasher) = (&self.addresses, &self.hasher);
        self.by_address.insert_unique(hash, number, |&i| {
            hasher.hash_one(addresses[i as usize].key(symbols))
        });
        Some(number)
    }

    fn classify(&mut self, report: &Report, keys: &Keys, symbols: &mut Symbols) {
        let local = local_networks(report, keys, symbols);
        for address in &mut self.addresses {
            let Some(id) = EndpointId::parse(symbols.bytes(address.id)) else {
                continue;
            };
            address.external = parse_ip(id.address).is_some_and(|ip| !local.contains(ip));
            let record = find_record(report, symbols, id.address);
            let name = record.and_then(|r| first_name(r, symbols, is_known_service));
            if let Some(name) = name {
                let id = [b"service-", symbols.bytes(name)].concat();
                address.service = Some(symbols.intern(id));
            }
        }
    }
}

impl Address {
    fn key<'s>(&self, symbols: &'s Symbols) -> &'s [u8] {
        &symbols.bytes(self.id)[..self.len as usize]
    }
}

/// The report's names of an address.
pub(crate) fn find_record<'r>(
    report: &'r Report,
    symbols: &Symbols,
    address: &[u8],
) -> Option<&'r DnsRecord> {
    if report.dns.is_empty() {
        return None;
    }
    let address = symbols.find(address)?;
    let i = report.dns.binary_search_by_key(&address, |d| d.0).ok()?;
    Some(&report.dns[i].1)
}

/// The first name that matches, in order of the strings; names from DNS answers go before those from reverse look-ups.
pub(crate) fn first_name(
    record: &DnsRecord,
    symbols: &Symbols,
    matches: impl Fn(&[u8]) -> bool,
) -> Option<Sym> {
    let first = |names: &[Sym]| {
        let names = names.iter().copied();
        names
            .filter(|&name| matches(symbols.bytes(name)))
            .min_by_key(|&name| symbols.bytes(name))
    };
    first(&record.forward).or_else(|| first(&record.reverse))
}

/// The networks of all hosts and overlays, and the one that all Kubernetes services seem to be in.
fn local_networks(report: &Report, keys: &Keys, symbols: &Symbols) -> Networks {
    let mut networks = Networks::default();
    for kind in [Kind::Host, Kind::Overlay] {
        for node in &report.topology(kind).nodes {
            if !node.topology.is_empty() {
                for &network in node.set(keys.local_networks) {
                    networks.add_cidr(symbols.bytes(network));
                }
            }
        }
    }
    let services = report.topology(Kind::Service).nodes.iter();
    let addresses: Vec<Ipv4Addr> = services
        .filter(|node| !node.topology.is_empty())
        .filter_map(|node| parse_v4(symbols.bytes(node.latest(keys.kubernetes_ip)?)))
        .collect();
    networks.add_containing(&addresses);
    networks.finish();
    networks
}

impl Render<'_> {
    /// The report's endpoints.
    pub(crate) fn endpoints(&mut self) -> Arc<Endpoints> {
        let (report, keys) = (self.report, self.keys);
        let (symbols, inputs) = (&mut *self.symbols, &mut self.scratches.inputs);
        let endpoints = &mut self.stages.endpoints;
        endpoints
            .get_or_insert_with(|| Arc::new(Endpoints::new(report, keys, symbols, inputs)))
            .clone()
    }
}
