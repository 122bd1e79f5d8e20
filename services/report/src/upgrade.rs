//! Reports of old probes, in today's terms.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::kind::Kind;
use crate::model::{DnsRecord, Latest, Node, Report};
use crate::symbol::{Sym, Symbols};
use crate::time::Timestamp;

/// Says in today's terms what old probes say otherwise: pods of replica sets, namespaces that only other nodes mention,
/// names of addresses. `now` is when namespaces that are made up were seen.
pub fn upgrade(report: &mut Report, symbols: &mut Symbols, now: Timestamp) {
    pods(report, symbols);
    namespaces(report, symbols, now);
    dns(report, symbols);
}

/// Pods of a replica set become pods of its deployment.
fn pods(report: &mut Report, symbols: &Symbols) {
    let find = |name| symbols.find(name);
    let (Some(replica_set), Some(deployment)) = (find("replica_set"), find("deployment")) else {
        return;
    };
    if report.topology(Kind::ReplicaSet).nodes.is_empty() {
        return;
    }
    let mut pods = std::mem::take(&mut report.topology_mut(Kind::Pod).nodes);
    for pod in &mut pods {
        let Ok(i) = pod.parents.binary_search_by_key(&replica_set, |p| p.0) else {
            continue;
        };
        let pod = Arc::make_mut(pod);
        let (_, replica_sets) = pod.parents.remove(i);
        for id in replica_sets {
            if let Some(set) = report.topology(Kind::ReplicaSet).node(id) {
                add_parents(pod, deployment, set.parents(deployment));
            }
        }
    }
    report.topology_mut(Kind::Pod).nodes = pods;
}

fn add_parents(node: &mut Node, topology: Sym, ids: &[Sym]) {
    if ids.is_empty() {
        return;
    }
    match node.parents.binary_search_by_key(&topology, |p| p.0) {
        Ok(i) => add(&mut node.parents[i].1, ids),
        Err(i) => node.parents.insert(i, (topology, ids.to_vec())),
    }
}

fn add(set: &mut Vec<Sym>, more: &[Sym]) {
    set.extend_from_slice(more);
    set.sort_unstable();
    set.dedup();
}

/// Namespaces, where no probe reports them. They have no topology, as in Scope: the raw report shows them, nothing else.
fn namespaces(report: &mut Report, symbols: &mut Symbols, now: Timestamp) {
    let Some(key) = symbols.find("kubernetes_namespace") else {
        return;
    };
    if !report.topology(Kind::Namespace).nodes.is_empty() {
        return;
    }
    let state = symbols.find("kubernetes_state");
    let deleted = symbols.find("deleted");
    let is_deleted = |n: &Node| deleted.is_some() && state.and_then(|s| n.latest(s)) == deleted;
    let kinds = [
        Kind::Pod,
        Kind::Service,
        Kind::Deployment,
        Kind::DaemonSet,
        Kind::StatefulSet,
        Kind::CronJob,
    ];
    let nodes = kinds.iter().flat_map(|&kind| &report.topology(kind).nodes);
    let mut names: Vec<Sym> = nodes
        .filter(|n| !is_deleted(n))
        .filter_map(|n| n.latest(key))
        .collect();
    names.sort_unstable();
    names.dedup();
    let name_key = symbols.intern("kubernetes_name");
    let node = |name: Sym| {
        let id = [symbols.bytes(name), b";<namespace>"].concat();
        Arc::new(Node {
            id: symbols.intern(&id),
            has_id: true,
            latest: vec![Latest {
                key: name_key,
                value: name,
                timestamp: now,
            }],
            ..Node::default()
        })
    };
    let mut nodes: Vec<_> = names.into_iter().map(node).collect();
    nodes.sort_unstable_by_key(|n| n.id);
    report.topology_mut(Kind::Namespace).nodes = nodes;
}

/// Names that came under the wrong name, or with each endpoint.
fn dns(report: &mut Report, symbols: &mut Symbols) {
    if !report.misnamed_dns.is_empty() {
        report.dns = std::mem::take(&mut report.misnamed_dns);
    }
    if !report.dns.is_empty() {
        return;
    }
    let keys = ["snooped_dns_names", "reverse_dns_names"].map(|key| symbols.find(key));
    if keys == [None, None] {
        return;
    }
    let mut records: BTreeMap<Sym, DnsRecord> = BTreeMap::new();
    for endpoint in &report.topology(Kind::Endpoint).nodes {
        let names = |key: Option<Sym>| key.map_or(&[][..], |key| endpoint.set(key));
        let [forward, reverse] = keys.map(names);
        if forward.is_empty() && reverse.is_empty() {
            continue;
        }
        let mut parts = symbols.bytes(endpoint.id).splitn(3, |b| *b == b';');
        let (_, Some(address), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let address = address.to_vec();
        let record = records.entry(symbols.intern(&address)).or_default();
        add(&mut record.forward, forward);
        add(&mut record.reverse, reverse);
    }
    report.dns = records.into_iter().collect();
}
