//! One metric with all its series. Every series is made at the start, and found without a lock.

use std::marker::PhantomData;

use prometheus::core::{Collector, Metric, MetricVec, MetricVecBuilder};
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use crate::domain::label::LabelSet;

/// The prefix of every metric's name.
pub(crate) const PREFIX: &str = "meetrelay_";

/// One metric, with one series for each value of `L`.
#[derive(Debug)]
pub struct Family<M, L> {
    series: Box<[M]>,
    labels: PhantomData<fn(L)>,
}

/// A count that only rises.
pub(crate) type Counter<L = ()> = Family<IntCounter, L>;
/// A whole number that rises and falls.
pub(crate) type Level<L = ()> = Family<IntGauge, L>;
/// A point in time: seconds since 1970, 0 for "not yet".
pub(crate) type Moment<L = ()> = Family<Gauge, L>;
/// A distribution of seconds.
pub(crate) type Seconds<L = ()> = Family<Histogram, L>;

impl<M, L: LabelSet> Family<M, L> {
    /// The series of these labels.
    pub fn with(&self, labels: L) -> &M {
        // `index` is less than the number of combinations, and `family` makes a series for each.
        &self.series[labels.index()]
    }
}

/// What `metrics!` needs from each of the four kinds of metrics.
pub(crate) trait MetricKind: Sized {
    /// The name of the kind in the text format.
    const KIND: &'static str;
    /// Makes and registers it with all its series.
    fn make(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<Self>;
}

fn family<B, L>(registry: &Registry, vector: MetricVec<B>) -> prometheus::Result<Family<B::M, L>>
where
    B: MetricVecBuilder + 'static,
    B::M: Metric + Clone + 'static,
    B::P: prometheus::core::Describer + Sync + Send + Clone,
    MetricVec<B>: Collector,
    L: LabelSet,
{
    let series = L::all()
        .into_iter()
        .map(|labels| vector.get_metric_with_label_values(&labels.values()))
        .collect::<prometheus::Result<_>>()?;
    registry.register(Box::new(vector))?;
    Ok(Family {
        series,
        labels: PhantomData,
    })
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("{PREFIX}{name}"), help)
}

macro_rules! kinds {
    ($( $metric:ty, $vector:ty, $kind:literal; )+) => {$(
        impl<L: LabelSet> MetricKind for Family<$metric, L> {
            const KIND: &'static str = $kind;
            fn make(registry: &Registry, name: &str, help: &str, labels: &[&str], _: &[f64]) -> prometheus::Result<Self> {
                family(registry, <$vector>::new(options(name, help), labels)?)
            }
        }
    )+};
}

kinds! {
    IntCounter, IntCounterVec, "counter";
    IntGauge, IntGaugeVec, "gauge";
    Gauge, GaugeVec, "gauge";
}

impl<L: LabelSet> MetricKind for Family<Histogram, L> {
    const KIND: &'static str = "histogram";
    fn make(
        registry: &Registry,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> prometheus::Result<Self> {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        family(registry, HistogramVec::new(options, labels)?)
    }
}
