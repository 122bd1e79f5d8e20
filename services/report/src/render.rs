//! From a report to renderings: the nodes of a view and what they connect to.
//!
//! A rendering names nodes of one [`arena::Arena`] by index. Nodes are small and point at the report for their facts, so a
//! stage such as "containers" costs what it adds: ids, edges, children. Stages build on each other (endpoints → processes →
//! containers → pods → controllers) and are kept by [`stages::Stages`].
//!
//! Edges of a rendering always lead to nodes of that rendering.

pub(crate) mod arena;
pub(crate) mod builder;
pub(crate) mod container;
pub(crate) mod context;
pub(crate) mod drawn;
pub(crate) mod endpoint;
pub(crate) mod endpoints;
pub(crate) mod facts;
pub(crate) mod filter;
pub(crate) mod hosts;
pub(crate) mod ids;
pub(crate) mod image_name;
pub(crate) mod keys;
pub(crate) mod known_service;
pub(crate) mod merged;
pub(crate) mod networks;
pub(crate) mod node_id;
pub(crate) mod parent_map;
pub(crate) mod pods;
pub(crate) mod processes;
pub(crate) mod scratch;
pub(crate) mod stages;
pub(crate) mod volumes;
pub(crate) mod weave;
