//! Finding nodes by what they say.
//!
//! ```text
//! nginx  "two words"       anywhere
//! image:nginx              in fields whose name begins with `image`
//! -paused  -state:running  excluded
//! cpu > 50%  memory<=1gb   metrics; k, m, g and t are powers of 1024
//! ```
//!
//! A node must match all terms. Letters match in either case; blanks and punctuation in the names of fields do not count.

mod matching;
mod query;

pub use matching::FieldMatch;
pub use query::{ParseError, Query};
