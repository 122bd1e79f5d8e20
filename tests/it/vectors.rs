//! The 18 conformance vectors of an edge and its accounts, each a test of its own: over HTTP and gRPC, on SQLite and on
//! PostgreSQL, with nginx before the edge and without. `docs/accounts.md` says which of them Weft meets otherwise, and why.

mod accounts;
mod edge;
mod lasting;
mod world;
