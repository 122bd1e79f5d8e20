use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) accepted: IntCounter,
    pub(crate) rejected: IntCounter,
    pub(crate) report_bytes: Histogram,
    pub(crate) window_bytes: IntGauge,
    pub(crate) missed: IntCounter,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let sizes = prometheus::exponential_buckets(4096.0, 2.0, 12)?;
        let metrics = Metrics {
            accepted: IntCounter::new(
                "weft_collection_reports_accepted_total",
                "Reports accepted.",
            )?,
            rejected: IntCounter::new(
                "weft_collection_reports_rejected_total",
                "Reports refused as malformed or too large.",
            )?,
            report_bytes: Histogram::with_opts(
                HistogramOpts::new(
                    "weft_collection_report_bytes",
                    "Size of accepted reports as sent.",
                )
                .buckets(sizes),
            )?,
            window_bytes: IntGauge::new(
                "weft_collection_window_bytes",
                "Bytes of reports held for new subscribers.",
            )?,
            missed: IntCounter::new(
                "weft_collection_reports_missed_total",
                "Reports that a subscriber was too slow to get.",
            )?,
        };
        registry.register(Box::new(metrics.accepted.clone()))?;
        registry.register(Box::new(metrics.rejected.clone()))?;
        registry.register(Box::new(metrics.report_bytes.clone()))?;
        registry.register(Box::new(metrics.window_bytes.clone()))?;
        registry.register(Box::new(metrics.missed.clone()))?;
        Ok(metrics)
    }
}
