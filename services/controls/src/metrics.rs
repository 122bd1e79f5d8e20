//! What controls count.

use prometheus::{IntCounterVec, IntGauge, Opts};
use runtime::Runtime;

/// Registered once in a process.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    invoked: IntCounterVec,
    probes: IntGauge,
    replicas: IntGauge,
}

impl Metrics {
    pub(crate) fn register(rt: &Runtime) -> Result<Self, prometheus::Error> {
        let invoked = IntCounterVec::new(
            Opts::new("weft_controls_invocations_total", "Controls invoked."),
            &["outcome"],
        )?;
        let probes = IntGauge::new(
            "weft_controls_connections",
            "Connections of probes to this replica.",
        )?;
        let replicas = IntGauge::new(
            "weft_controls_replicas",
            "Replicas that this one knows of, itself included.",
        )?;
        rt.registry.register(Box::new(invoked.clone()))?;
        rt.registry.register(Box::new(probes.clone()))?;
        rt.registry.register(Box::new(replicas.clone()))?;
        replicas.set(1);
        Ok(Metrics {
            invoked,
            probes,
            replicas,
        })
    }

    /// A call ended so.
    pub(crate) fn invoked(&self, outcome: &str) {
        self.invoked.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn probes(&self, count: usize) {
        self.probes.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn replicas(&self, count: usize) {
        self.replicas.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
