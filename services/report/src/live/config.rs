//! How long things are shown.

/// How long a tenant's reports are shown, and how much of them. Times are in nanoseconds.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// How long a report is shown.
    pub window: i64,
    /// How long a probe that fell silent is shown as stale after that.
    pub stale_for: i64,
    /// How long a full report is kept for deltas that only make sense with it.
    pub rehydrate_for: i64,
    /// Nodes of one kind, per host that reports; 0 for any number.
    pub max_nodes_per_topology: usize,
    /// Bytes of strings that nothing needs any more, beyond as many as are needed, that are put up with.
    pub litter_bytes: usize,
}

impl Default for LiveConfig {
    fn default() -> Self {
        const SECOND: i64 = 1_000_000_000;
        LiveConfig {
            window: 15 * SECOND,
            stale_for: 15 * SECOND,
            rehydrate_for: 30 * SECOND,
            max_nodes_per_topology: 10_000,
            litter_bytes: 1 << 20,
        }
    }
}
