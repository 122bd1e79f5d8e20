use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) followed_tenants: IntGauge,
    pub(crate) render_seconds: Histogram,
    pub(crate) missed_reports: IntCounter,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let buckets = prometheus::exponential_buckets(0.000_25, 2.0, 14)?;
        let metrics = Metrics {
            followed_tenants: IntGauge::new(
                "weft_query_followed_tenants",
                "Tenants that somebody reads.",
            )?,
            render_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "weft_query_render_seconds",
                    "Time under a tenant's lock: decoding, merging, rendering, encoding.",
                )
                .buckets(buckets),
            )?,
            missed_reports: IntCounter::new(
                "weft_query_reports_missed_total",
                "Reports that collection could not hand over in time.",
            )?,
        };
        registry.register(Box::new(metrics.followed_tenants.clone()))?;
        registry.register(Box::new(metrics.render_seconds.clone()))?;
        registry.register(Box::new(metrics.missed_reports.clone()))?;
        Ok(metrics)
    }
}
