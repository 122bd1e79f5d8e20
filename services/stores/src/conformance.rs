//! What every backend must do, as functions that panic where one does not. Tests run them, also on real servers.
//!
//! Each suite expects a store that nobody else uses, and leaves in it what it wrote.

mod ends;
mod index;
mod objects;
mod queues;
mod shortcuts;

pub use ends::ends;
pub use index::index;
pub use objects::objects;
pub use queues::queues;
pub use shortcuts::shortcuts;
