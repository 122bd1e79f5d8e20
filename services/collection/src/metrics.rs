use prometheus::core::Collector;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) accepted: IntCounter,
    pub(crate) rejected: IntCounter,
    pub(crate) refused: IntCounter,
    pub(crate) report_bytes: Histogram,
    pub(crate) append_seconds: Histogram,
    pub(crate) missed: IntCounter,
    pub(crate) backlog_bytes: IntGauge,
    pub(crate) backlog_reports: IntGauge,
    pub(crate) backlog_limit: IntGauge,
    pub(crate) backlog_age: Gauge,
    pub(crate) flush_seconds: Histogram,
    pub(crate) flush_failures: IntCounter,
    pub(crate) objects: IntCounter,
    pub(crate) rows: IntCounter,
    pub(crate) stored_bytes: IntCounter,
    pub(crate) damaged: IntCounter,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let new = New(registry);
        Ok(Metrics {
            accepted: new.counter("reports_accepted_total", "Reports accepted.")?,
            rejected: new.counter(
                "reports_rejected_total",
                "Reports rejected as malformed or too large.",
            )?,
            refused: new.counter(
                "reports_refused_total",
                "Sound reports refused because the log is full or cannot be written.",
            )?,
            report_bytes: new.histogram(
                "report_bytes",
                "Size of accepted reports as sent.",
                prometheus::exponential_buckets(4096.0, 2.0, 12)?,
            )?,
            append_seconds: new.histogram(
                "log_append_seconds",
                "Time until a report is in the log, as safe as the sync policy says.",
                prometheus::exponential_buckets(0.000_25, 2.0, 15)?,
            )?,
            missed: new.counter(
                "reports_missed_total",
                "Reports that a subscriber was too slow to get.",
            )?,
            backlog_bytes: new.gauge(
                "backlog_bytes",
                "Bytes in the log that wait for the stores.",
            )?,
            backlog_reports: new.gauge(
                "backlog_reports",
                "Reports in the log that wait for the stores.",
            )?,
            backlog_limit: new.gauge(
                "backlog_limit_bytes",
                "Bytes that may wait for the stores; more is refused.",
            )?,
            backlog_age: new.register(Gauge::new(
                "weft_collection_backlog_age_seconds",
                "Age of the oldest report that waits for the stores.",
            )?)?,
            flush_seconds: new.histogram(
                "flush_seconds",
                "Time to store a segment of the log.",
                prometheus::exponential_buckets(0.05, 2.0, 12)?,
            )?,
            flush_failures: new
                .counter("flush_failures_total", "Failed tries to store a segment.")?,
            objects: new.counter("objects_written_total", "Objects written.")?,
            rows: new.counter("index_rows_written_total", "Rows of the index written.")?,
            stored_bytes: new.counter("stored_bytes_total", "Bytes of objects written.")?,
            damaged: new.counter(
                "damaged_records_total",
                "Records of the log that were not what was written.",
            )?,
        })
    }
}

/// Makes and registers metrics of this service.
struct New<'a>(&'a Registry);

impl New<'_> {
    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(format!("weft_collection_{name}"), help)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(format!("weft_collection_{name}"), help)?)
    }

    fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: Vec<f64>,
    ) -> Result<Histogram, prometheus::Error> {
        let opts = HistogramOpts::new(format!("weft_collection_{name}"), help).buckets(buckets);
        self.register(Histogram::with_opts(opts)?)
    }
}
