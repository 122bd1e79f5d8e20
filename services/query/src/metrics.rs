use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) followed_tenants: IntGauge,
    pub(crate) render_seconds: Histogram,
    pub(crate) missed_reports: IntCounter,
    pub(crate) repeated_reports: IntCounter,
    pub(crate) past_hits: IntCounter,
    pub(crate) past_misses: IntCounter,
    pub(crate) past_bytes: IntGauge,
    pub(crate) past_load_seconds: Histogram,
    pub(crate) players: IntGauge,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let to = Registering(registry);
        Ok(Metrics {
            followed_tenants: to.gauge(
                "weft_query_followed_tenants",
                "Tenants that somebody reads.",
            )?,
            render_seconds: to.seconds(
                "weft_query_render_seconds",
                "Time under a tenant's lock: decoding, merging, rendering, encoding.",
            )?,
            missed_reports: to.counter(
                "weft_query_reports_missed_total",
                "Reports that collection could not hand over in time.",
            )?,
            repeated_reports: to.counter(
                "weft_query_reports_repeated_total",
                "Reports that collection sent again, as it does when it restarts.",
            )?,
            past_hits: to.counter(
                "weft_query_past_hits_total",
                "Past moments that were there when asked for.",
            )?,
            past_misses: to.counter(
                "weft_query_past_misses_total",
                "Past moments that had to be loaded when asked for.",
            )?,
            past_bytes: to.gauge("weft_query_past_bytes", "Memory of past moments, in bytes.")?,
            past_load_seconds: to.seconds(
                "weft_query_past_load_seconds",
                "Time to load a past moment: fetching, decoding, merging.",
            )?,
            players: to.gauge("weft_query_players", "Watches that play history.")?,
        })
    }
}

struct Registering<'a>(&'a Registry);

impl Registering<'_> {
    fn add<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::new(name, help)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::new(name, help)?)
    }

    fn seconds(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        let buckets = prometheus::exponential_buckets(0.000_25, 2.0, 17)?;
        self.add(Histogram::with_opts(
            HistogramOpts::new(name, help).buckets(buckets),
        )?)
    }
}
