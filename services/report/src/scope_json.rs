//! Answers in the JSON of Scope's HTTP API. Every function appends to `out`.

mod details;
mod list;
mod summary;
mod text;

use crate::details::Details;
use crate::summary::Summary;

pub use list::{write_plugins, write_probes, write_topologies};
pub use summary::write_summary;
pub use text::write_string;

/// The answer to `/api/topology/<topology>`.
pub fn write_topology<'a>(out: &mut Vec<u8>, summaries: impl Iterator<Item = Summary<'a>>) {
    topology_chunks(summaries, usize::MAX, |chunk| out.extend_from_slice(&chunk));
}

/// The answer to `/api/topology/<topology>` in pieces of this many bytes and up to one node more, each as soon as it is
/// there: the largest answers are sent while they are written.
pub fn topology_chunks<'a>(
    summaries: impl Iterator<Item = Summary<'a>>,
    bytes: usize,
    mut send: impl FnMut(Vec<u8>),
) {
    let start = || {
        Vec::with_capacity(if bytes == usize::MAX {
            0
        } else {
            bytes + (4 << 10)
        })
    };
    let mut out = start();
    out.extend_from_slice(b"{\"nodes\":{");
    for (i, summary) in summaries.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(&mut out, summary.id);
        out.push(b':');
        write_summary(&mut out, &summary);
        if out.len() >= bytes {
            send(std::mem::replace(&mut out, start()));
        }
    }
    out.extend_from_slice(b"}}");
    send(out);
}

/// The answer to `/api/topology/<topology>/<node>`; `topology_id` is the topology asked for.
pub fn write_node(out: &mut Vec<u8>, topology_id: &str, details: &Details<'_>) {
    out.extend_from_slice(b"{\"node\":");
    details::write_details(out, topology_id, details);
    out.push(b'}');
}
