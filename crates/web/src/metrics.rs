//! Counters and histograms, in the text format of Prometheus.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Upper bounds of the duration's buckets, in seconds.
const BUCKETS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The methods that are told apart.
pub(crate) const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"];
/// Statuses run from 100 to 599.
const STATUSES: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Alerted {
    alert: String,
    outcome: &'static str,
}

/// What is counted of requests.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    /// The counters that were found before, by method and status: a look-up in the family costs a lock and a hash.
    found: Vec<OnceLock<Counter>>,
    duration: Histogram,
    active: Gauge<i64, AtomicI64>,
    connections: Gauge<i64, AtomicI64>,
    refusals: Family<Refusal, Counter>,
    alerts: Family<Alerted, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("mainstay");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let duration = Histogram::new(BUCKETS);
        registry.register("http_request_duration_seconds", "Time to the answer's first byte", duration.clone());
        let active = Gauge::default();
        registry.register("http_requests_active", "Requests under way", active.clone());
        let connections = Gauge::default();
        registry.register("http_connections", "Open connections", connections.clone());
        let refusals = Family::default();
        registry.register("audit_refusals", "Failures and denials noted for the audit log", refusals.clone());
        let alerts = Family::default();
        registry.register("alerts", "Alerts raised, delivered, failed to be delivered, given up", alerts.clone());
        let found = std::iter::repeat_with(OnceLock::new).take(METHODS.len() * STATUSES).collect();
        Self { registry, requests, found, duration, active, connections, refusals, alerts }
    }
}

/// Counts a request as under way until it is dropped.
pub(crate) struct Active(Gauge<i64, AtomicI64>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts a connection as open until it is dropped.
pub struct Connected(Gauge<i64, AtomicI64>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// All metrics as text.
    #[must_use]
    pub fn render(self: &Arc<Self>) -> String {
        let mut out = String::new();
        // Writing into a string can't fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }

    /// Counts a connection while the answer lives.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// Takes over how many failures and denials there have been, by what they were.
    pub fn refusals(&self, counts: &[(&'static str, u64)]) {
        for (what, count) in counts {
            self.refusals.get_or_create_owned(&Refusal { what }).inner().store(*count, Ordering::Relaxed);
        }
    }

    /// Takes over what has become of alerts: name, outcome, and how often.
    pub fn alerts(&self, counts: &[(String, &'static str, u64)]) {
        for (alert, outcome, count) in counts {
            let labels = Alerted { alert: alert.clone(), outcome };
            self.alerts.get_or_create_owned(&labels).inner().store(*count, Ordering::Relaxed);
        }
    }

    pub(crate) fn begin(&self) -> Active {
        self.active.inc();
        Active(self.active.clone())
    }

    pub(crate) fn end(&self, method: &'static str, status: u16, duration: Duration) {
        let find = || self.requests.get_or_create_owned(&Labels { method, status });
        let place = METHODS.iter().position(|known| *known == method).zip(usize::from(status).checked_sub(100));
        match place.and_then(|(method, status)| self.found.get(method * STATUSES + status)) {
            Some(found) => found.get_or_init(find).inc(),
            None => find().inc(),
        };
        self.duration.observe(duration.as_secs_f64());
    }
}
