//! Moments that are put together of parts, each decoded by a thread of its own.
//!
//! ```text
//! Part: posts of some probes ──decode, merge per probe──▶ ┐  strings of one table
//! Part: posts of the others  ──decode, merge per probe──▶ ┴─────────────────────▶ Live, settled
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::probe::{Post, Probe, Tools};
use super::rename::Names;
use super::settled::Settled;
use super::{Live, LiveConfig, Merged};
use crate::decode::{Compression, Format, Limits, Recall};
use crate::model::Report;
use crate::symbol::Symbols;

/// The posts of some probes up to one moment, with strings of their own.
#[derive(Debug)]
pub struct Part {
    limits: Limits,
    config: LiveConfig,
    symbols: Symbols,
    probes: BTreeMap<Box<str>, Probe>,
    buffer: Vec<u8>,
    recall: Recall,
    heap_bytes: usize,
}

impl Part {
    /// Nothing yet.
    #[must_use]
    pub fn new(limits: Limits, config: LiveConfig) -> Self {
        Part {
            limits,
            config,
            symbols: Symbols::new(),
            probes: BTreeMap::new(),
            buffer: Vec::new(),
            recall: Recall::default(),
            heap_bytes: 0,
        }
    }

    /// Adds what a probe posted; all posts of one probe must go to one part, and cost least one after another. What is no
    /// report says nothing.
    pub fn push(
        &mut self,
        received_unix_nanos: i64,
        probe_id: &str,
        body: &[u8],
        format: Format,
        compression: Compression,
    ) {
        let mut tools = Tools {
            limits: &self.limits,
            symbols: &mut self.symbols,
            buffer: &mut self.buffer,
            recall: Some(&mut self.recall),
        };
        let post = Post::decoded(received_unix_nanos, body, format, compression, &mut tools);
        let probe = self.probes.entry(probe_id.into());
        probe
            .or_insert_with(|| Probe::new(!probe_id.is_empty()))
            .push(post);
    }

    /// Merges what each probe reports at this moment, and lets go of the posts.
    pub fn merge(&mut self, now: i64) {
        self.probes
            .retain(|_, probe| !probe.is_gone(now, &self.config));
        let mut tools = Tools {
            limits: &self.limits,
            symbols: &mut self.symbols,
            buffer: &mut self.buffer,
            recall: Some(&mut self.recall),
        };
        for probe in self.probes.values_mut() {
            probe.refresh(now, &self.config, &mut tools);
            self.heap_bytes += probe.merged_bytes();
            probe.let_go();
        }
    }
}

impl Live {
    /// A moment that stays as it is, of merged parts.
    #[must_use]
    pub fn of_parts(limits: Limits, config: LiveConfig, parts: Vec<Part>) -> Self {
        let mut live = Live::new(limits, config);
        let mut heap_bytes = 0;
        for mut part in parts {
            heap_bytes += part.heap_bytes;
            if live.probes.is_empty() {
                // The first one's strings stay as they are.
                live.symbols = part.symbols;
                live.report = Arc::new(Report::fresh(&mut live.symbols));
            } else {
                let names = Names::new(&part.symbols, &mut live.symbols);
                let probes = part.probes.values_mut();
                probes.for_each(|probe| probe.rename(&names));
            }
            live.probes.append(&mut part.probes);
        }
        if !live.probes.is_empty() {
            let all: Vec<&Merged> = live.probes.values().map(Probe::merged).collect();
            live.whole.build(&all, &mut live.symbols);
            live.publish();
        }
        live.settle();
        live.settled = live.settled.map(|settled| Settled {
            heap_bytes,
            ..settled
        });
        live
    }
}
