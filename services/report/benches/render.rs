//! How long answering takes, on a directory of recorded reports: `cargo bench -p report --bench render -- DIR [VIEW]`, where
//! VIEW is a topology or `list`.
//!
//! The numbers that matter: `list, cold` is what a tenant with an open topology list costs per change of its reports;
//! a view's `cold` is what a request costs after such a change, `warm` what the next one costs.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use report::decode::{Compression, Format, Limits};
use report::live::{Live, LiveConfig};
use report::options::Selection;
use report::view::View;
use report::{Report, Symbols, catalogue, scope_json};

const NOW: i64 = 1_800_000_000_000_000_000;
const ROUNDS: usize = 40;

fn main() {
    let mut args = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    let Some(dir) = args.next() else {
        println!("no directory of recorded reports given");
        return;
    };
    let only = args.next();
    let mut live = load(Path::new(&dir));
    let started = Instant::now();
    live.refresh(NOW + 1000);
    println!("{:9} µs  decode and merge", started.elapsed().as_micros());
    let (report, symbols, _) = live.parts();
    println!("{:9}     symbols", symbols.len());
    let mut bench = Bench {
        report: report.clone(),
        symbols,
        selection: Selection {
            unfiltered: true,
            ..Selection::default()
        },
    };
    match only.as_deref() {
        Some("list") => bench.list(),
        Some(id) => bench.topology(id),
        None => bench.everything(),
    }
}

fn load(dir: &Path) -> Live {
    let config = LiveConfig {
        max_nodes_per_topology: 0,
        ..LiveConfig::default()
    };
    let mut live = Live::new(Limits::default(), config);
    let mut paths: Vec<_> = std::fs::read_dir(dir.join("reports"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let body = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let probe = name.split('-').skip(1).collect::<Vec<_>>();
        let probe = probe[..probe.len().saturating_sub(2)].join("-");
        live.push(
            NOW,
            &probe,
            body.into(),
            Format::ScopeMsgpack,
            Compression::Gzip,
        );
    }
    live
}

struct Bench<'s> {
    report: Arc<Report>,
    symbols: &'s mut Symbols,
    selection: Selection,
}

impl Bench<'_> {
    fn list(&mut self) {
        let cold = self.cold(|view, symbols, selection| {
            let mut out = Vec::new();
            scope_json::write_topologies(&mut out, &view.topologies(symbols, selection));
            out.len()
        });
        print("list, cold", cold);
    }

    fn everything(&mut self) {
        self.list();
        for id in catalogue::topology_ids() {
            self.topology(id);
        }
        self.node();
    }

    fn topology(&mut self, id: &str) {
        let stats = self.cold(|view, symbols, selection| {
            view.topology_stats(symbols, id, selection).unwrap().nodes
        });
        print(&format!("{id}, render"), stats);
        let answer = |view: &mut View, symbols: &mut Symbols, selection: &Selection| {
            let mut out = Vec::new();
            scope_json::write_topology(&mut out, view.topology(symbols, id, selection).unwrap());
            out.len()
        };
        print(&format!("{id}, cold"), self.cold(answer));
        print(&format!("{id}, warm"), self.warm(answer));
        print(
            &format!("{id}, summaries"),
            self.warm(|view, symbols, selection| {
                view.topology(symbols, id, selection).unwrap().count()
            }),
        );
        print(
            &format!("{id}, summaries for a map"),
            self.warm(|view, symbols, selection| {
                let summaries = view.topology(symbols, id, selection).unwrap();
                summaries.without_metadata().without_tables().count()
            }),
        );
        print(
            &format!("{id}, fingerprints"),
            self.warm(|view, symbols, selection| {
                let summaries = view.topology(symbols, id, selection).unwrap();
                usize::from(summaries.fold(0, |all, s| all ^ s.fingerprint()) == 0)
            }),
        );
    }

    /// Details of the first host.
    fn node(&mut self) {
        let host = self.report.topology(report::Kind::Host).nodes.first();
        let Some(host) = host.map(|host| self.symbols.bytes(host.id).to_vec()) else {
            return;
        };
        let answer = |view: &mut View, symbols: &mut Symbols, selection: &Selection| {
            let mut out = Vec::new();
            let details = view.node(symbols, "hosts", &host, selection).unwrap();
            scope_json::write_node(&mut out, "hosts", &details);
            out.len()
        };
        print("details of a host, warm", self.warm(answer));
    }

    /// With nothing rendered yet.
    fn cold<F>(&mut self, mut f: F) -> (Duration, usize)
    where
        F: FnMut(&mut View, &mut Symbols, &Selection) -> usize,
    {
        best(|| {
            let started = Instant::now();
            let mut view = View::new(self.report.clone(), self.symbols);
            let size = f(&mut view, self.symbols, &self.selection);
            (started.elapsed(), size)
        })
    }

    /// With everything rendered before.
    fn warm<F>(&mut self, mut f: F) -> (Duration, usize)
    where
        F: FnMut(&mut View, &mut Symbols, &Selection) -> usize,
    {
        let mut view = View::new(self.report.clone(), self.symbols);
        f(&mut view, self.symbols, &self.selection);
        best(|| {
            let started = Instant::now();
            let size = f(&mut view, self.symbols, &self.selection);
            (started.elapsed(), size)
        })
    }
}

fn best(mut run: impl FnMut() -> (Duration, usize)) -> (Duration, usize) {
    (0..ROUNDS).map(|_| run()).min().unwrap()
}

fn print(what: &str, (took, size): (Duration, usize)) {
    println!("{:9} µs  {what} ({size})", took.as_micros());
}
