//! The report model: what probes send, what it means merged, and how it is shown. No I/O, no clock, no async.
//!
//! ```text
//! bytes ──decode──▶ Report ──upgrade, merge──▶ live Report ──render──▶ Rendering ──summarise──▶ Summary, Details
//!            (one per post)                (one per tenant)      (indexes, memoised)       (JSON here, protobuf in query)
//! ```
//!
//! Strings are interned per tenant ([`Symbols`]); everything else holds [`Sym`] numbers, so merging and rendering compare
//! and hash integers. Nothing of one tenant can reach another's answers, because symbols of two tenants never meet.

pub mod catalogue;
pub mod decode;
pub mod details;
pub mod encode;
pub mod kind;
pub mod live;
pub mod merge;
pub mod model;
pub mod options;
mod render;
pub mod scope_json;
pub mod search;
pub mod summary;
pub mod symbol;
pub mod time;
pub mod upgrade;
pub mod view;

pub use kind::Kind;
pub use model::Report;
pub use symbol::{Sym, Symbols};
pub use time::Timestamp;
