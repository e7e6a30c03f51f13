//! The admin listeners: health, metrics, and the API behind the repairing commands. Never open to the outside.
//!
//! The commands of this program come through a Unix socket, whose permissions say who may. Over TCP `/livez`, `/readyz`,
//! `/startupz` and `/metrics` are open to whoever reaches the listener; `/api/...` asks for the bearer token of
//! [`AdminToken`].

mod access;
pub mod answer;
mod api;
mod call;
mod dead_letters;
mod health;
mod meetings;
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
use crate::repair::Repairs;
use crate::telemetry::Metrics;
use crate::token::Links;
pub use access::Access;
pub(crate) use api::CALLER_HEADER;
use health::Health;
pub use readiness::Readiness;
pub use token::{AdminToken, TokenError};

/// What the admin listener shows and does.
pub struct Admin {
    /// What is listed and shown.
    pub store: Arc<dyn Store>,
    /// What is done.
    pub repairs: Repairs,
    /// How this replica is.
    pub readiness: Arc<Readiness>,
    /// What `/metrics` answers.
    pub metrics: Arc<Metrics>,
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
    access: Access,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    access::for_us(access)
        .and(health::routes(Health { readiness, metrics }))
        .recover(async |rejection| Ok::<_, Infallible>(api::refuse_all(&rejection)))
        .unify()
}

/// Everything that an admin listener serves; unknown paths are 404, wrong methods 405.
pub fn routes(
    admin: Arc<Admin>,
    access: Access,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let health = Health {
        readiness: Arc::clone(&admin.readiness),
        metrics: Arc::clone(&admin.metrics),
    };
    let all = health::routes(health)
        .or(api::route(admin, access.clone()))
        .unify();
    access::for_us(access)
        .and(all)
        .recover(async |rejection| Ok::<_, Infallible>(api::refuse(&rejection)))
        .unify()
}
