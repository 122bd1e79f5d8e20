//! Ids that are made up again and again.

use hashbrown::HashMap;

use crate::render::node_id;
use crate::symbol::{Sym, Symbols};

/// Remembers ids by what they are made from. Each is for one kind of tag only.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    by_name: HashMap<Sym, Sym>,
    /// The host of the last process, and the node for what is not in containers there.
    last_host: Vec<u8>,
    last: Option<Sym>,
}

impl Ids {
    /// `<name>;<tag>`
    pub(crate) fn tagged(&mut self, symbols: &mut Symbols, name: Sym, tag: &str) -> Sym {
        *self.by_name.entry(name).or_insert_with(|| {
            let id = node_id::make(symbols.bytes(name), tag);
            symbols.intern(id)
        })
    }

    /// The node for what is not in containers on the host of this process.
    pub(crate) fn uncontained(&mut self, symbols: &mut Symbols, process: Sym) -> Sym {
        let id = symbols.bytes(process);
        let host = node_id::split(id).map_or(&[][..], |(host, _)| host);
        match self.last {
            Some(last) if self.last_host == host => last,
            _ => {
                self.last_host = host.to_vec();
                let id = symbols.intern([b"pseudo:uncontained:", host].concat());
                self.last = Some(id);
                id
            }
        }
    }
}
