//! Reports in JSON, and their views.

use report::decode::{Compression, Format, Limits};
use report::live::{Live, LiveConfig};
use report::options::Selection;
use report::view::View;
use report::{catalogue, scope_json};
use serde_json::Value;

const NOW: i64 = 1_800_000_000_000_000_000;

pub(crate) struct Scene {
    live: Live,
    view: View,
}

impl Scene {
    /// The reports, each from a probe of its own.
    pub(crate) fn new(reports: &[&str]) -> Self {
        let mut live = Live::new(Limits::default(), LiveConfig::default());
        for (i, report) in reports.iter().enumerate() {
            let (probe, body) = (format!("probe{i}"), report.as_bytes().to_vec());
            live.push(
                NOW,
                &probe,
                body.into(),
                Format::ScopeJson,
                Compression::None,
            );
        }
        live.refresh(NOW + 1);
        let (report, symbols, _) = live.parts();
        let view = View::new(report.clone(), symbols);
        Scene { live, view }
    }

    pub(crate) fn nodes(&mut self, topology: &str, query: &str) -> Value {
        let mut out = Vec::new();
        let symbols = self.live.symbols_mut();
        let summaries = self.view.topology(symbols, topology, &selection(query));
        scope_json::write_topology(&mut out, summaries.expect("a topology"));
        parse(&out)["nodes"].take()
    }

    pub(crate) fn node(&mut self, topology: &str, id: &str, query: &str) -> Value {
        let mut out = Vec::new();
        let symbols = self.live.symbols_mut();
        let node = self
            .view
            .node(symbols, topology, id.as_bytes(), &selection(query));
        scope_json::write_node(&mut out, topology, &node.expect("a node"));
        parse(&out)["node"].take()
    }

    pub(crate) fn list(&mut self, query: &str) -> Value {
        let mut out = Vec::new();
        let symbols = self.live.symbols_mut();
        let list = self.view.topologies(symbols, &selection(query));
        scope_json::write_topologies(&mut out, &list);
        parse(&out)
    }

    /// The names of an address.
    pub(crate) fn names(&self, address: &str) -> Vec<String> {
        let symbols = self.live.symbols();
        let mut records = self.live.report().dns.iter();
        let record = records.find(|r| symbols.bytes(r.0) == address.as_bytes());
        let (_, record) = record.expect("the address");
        let names = record.forward.iter().chain(&record.reverse);
        let mut names: Vec<_> = names
            .map(|&name| String::from_utf8_lossy(symbols.bytes(name)).into_owned())
            .collect();
        names.sort();
        names
    }

    /// Renders everything, and the details of some nodes of each topology.
    pub(crate) fn every_topology(&mut self) {
        self.list("");
        for topology in catalogue::topology_ids() {
            let nodes = self.nodes(topology, "");
            for id in nodes.as_object().expect("nodes").keys().take(20) {
                self.node(topology, id, "t=1");
            }
        }
    }

    /// Checks the ids of a topology's nodes and of what they connect to.
    pub(crate) fn check(&mut self, topology: &str, query: &str, want: &[(&str, Vec<&str>)]) {
        let nodes = self.nodes(topology, query);
        let nodes = nodes.as_object().expect("nodes").iter();
        let found = nodes.map(|(id, node)| {
            let adjacency = node["adjacency"].as_array().cloned().unwrap_or_default();
            let adjacency = adjacency
                .into_iter()
                .map(|a| a.as_str().expect("an id").to_owned());
            (id.clone(), adjacency.collect::<Vec<_>>())
        });
        let want = want.iter().map(|(id, adjacency)| {
            let adjacency = adjacency.iter().map(|a| (*a).to_owned());
            ((*id).to_owned(), adjacency.collect::<Vec<_>>())
        });
        let (found, want): (Vec<_>, Vec<_>) = (found.collect(), want.collect());
        assert_eq!(found, want, "{topology}?{query}");
    }
}

fn selection(query: &str) -> Selection {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let options = pairs.map(|(key, value)| (key.to_owned(), vec![value.to_owned()]));
    Selection {
        unfiltered: query.is_empty(),
        options: options.collect(),
        hide_command_line_arguments: query.contains("hideCommandLineArguments=true"),
        hide_environment_variables: query.contains("hideEnvironmentVariables=true"),
    }
}

fn parse(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("JSON")
}
