//! The admin listener: health, metrics, and the API behind the repairing commands. Never open to the outside.
//!
//! `/livez`, `/readyz`, `/startupz` and `/metrics` are open to whoever reaches the listener; `/api/...` asks for the
//! bearer token of [`AdminToken`].

pub mod answer;
mod api;
mod dead_letters;
mod health;
mod meetings;
mod operations;
mod readiness;
mod redact;
mod reference;
mod token;
mod why;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use warp::Filter;
use warp::reply::Response;

use crate::domain::owed::Schedule;
use crate::ports::{Clock, Store};
use crate::telemetry::Metrics;
use crate::token::Links;
pub(crate) use api::CALLER_HEADER;
use health::Health;
pub use operations::{OperationError, Operations, Replayed};
pub use readiness::Readiness;
pub use token::{AdminToken, TokenError};

/// What the admin listener shows and does.
pub struct Admin {
    /// What is listed and shown.
    pub store: Arc<dyn Store>,
    /// What is done.
    pub operations: Arc<dyn Operations>,
    /// How this replica is.
    pub readiness: Arc<Readiness>,
    /// What `/metrics` answers.
    pub metrics: Arc<Metrics>,
    /// Who may use the API.
    pub token: AdminToken,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// When meetings owe what.
    pub schedule: Schedule,
    /// Knows our own links again.
    pub links: Links,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// What the admin listener serves while there is nothing yet that could be listed or repaired: health and metrics.
pub fn health_routes(
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    health::routes(Health { readiness, metrics })
        .recover(async |_| Ok::<_, Infallible>(api::refuse_all()))
        .unify()
}

/// Everything that the admin listener serves; unknown paths are 404, wrong methods 405.
pub fn routes(
    admin: Arc<Admin>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let health = Health {
        readiness: Arc::clone(&admin.readiness),
        metrics: Arc::clone(&admin.metrics),
    };
    health::routes(health)
        .or(api::route(admin))
        .unify()
        .recover(async |rejection| Ok::<_, Infallible>(api::refuse(&rejection)))
        .unify()
}
