//! `/livez`, `/readyz`, `/startupz`, `/metrics`.

use std::sync::Arc;

use http::StatusCode;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::Readiness;
use crate::telemetry::Metrics;

/// Content type of the text format 0.0.4.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The parts that health and metrics are read from.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) readiness: Arc<Readiness>,
    pub(super) metrics: Arc<Metrics>,
}

pub(super) fn routes(
    health: Health,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let with_health = warp::any().map(move || health.clone());
    // Alive means that the process answers and its watching loop runs. A worker or watcher that ends by itself ends the
    // process. A dependency is never checked here, because a restart does not repair a peer.
    let livez = warp::path!("livez")
        .and(with_health.clone())
        .map(|health: Health| match health.readiness.is_alive() {
            true => plain(StatusCode::OK, "ok\n"),
            false => plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "the watching loop of this process has stopped\n",
            ),
        });
    let readyz = warp::path!("readyz")
        .and(with_health.clone())
        .and(super::call::raw_query())
        .map(|health: Health, query: String| ready(&health, &query));
    let startupz = warp::path!("startupz")
        .and(with_health.clone())
        .map(|health: Health| match health.readiness.is_started() {
            true => plain(StatusCode::OK, "ok\n"),
            false => plain(StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        });
    let metrics = warp::path!("metrics")
        .and(with_health)
        .map(|health: Health| metrics(&health));
    super::call::reading().and(
        livez
            .or(readyz)
            .unify()
            .or(startupz)
            .unify()
            .or(metrics)
            .unify(),
    )
}

fn ready(health: &Health, query: &str) -> Response {
    let status = match health.readiness.is_ready() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let is_verbose = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "verbose");
    let word = if status.is_success() {
        "ok"
    } else {
        "not ready"
    };
    let details = if is_verbose {
        health.readiness.verbose()
    } else {
        String::new()
    };
    plain(status, &format!("{details}{word}\n"))
}

fn metrics(health: &Health) -> Response {
    match health.metrics.encode() {
        Ok(text) => warp::reply::with_header(text, "content-type", METRICS_TYPE).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics cannot be written\n",
            )
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    warp::reply::with_status(text.to_owned(), status).into_response()
}
