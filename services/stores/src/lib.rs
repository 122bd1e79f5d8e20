//! Where reports are kept and announced: objects, the index that finds them, and shortcuts to whoever watches. Beside them,
//! the queues through which replicas of controls reach each other, and where pipes are.
//!
//! ```text
//! collection ──put──▶ Objects   blocks of reports, several organisations in one object
//!            ──put──▶ Index     which blocks an organisation has in which hour; written after the object
//!            ─publish▶ Shortcuts "this report came": wakes watchers at once
//! query      ◀─────── all three
//! controls   ◀──▶ Queues    one per replica
//! pipes      ◀──────▶ Ends      which replica holds a pipe, and which replicas there are
//! ```
//!
//! Each is a struct over one of several backends, chosen by URL. All backends pass the same suite.
//!
//! **Invariant:** what an organisation reads, it reads through its rows of the index, and every block says whose it is.

mod address;
pub mod archive;
mod aws;
mod calls;
pub mod conformance;
mod ends;
mod error;
mod index;
mod objects;
pub mod queues;
mod shortcuts;

pub use ends::{Ends, Member, PipeKey, Place, REPLICA_LIFETIME};
pub use error::{OpenError, StoreError};
pub use index::{Hour, Index, IndexEntry, MAX_SPAN};
pub use objects::{ObjectInfo, Objects};
pub use queues::Queues;
pub use shortcuts::{Shortcut, ShortcutStream, Shortcuts};
