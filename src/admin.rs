//! The admin listeners: health, metrics, and the API that the repair commands use. They must never be public.
//!
//! The commands of this program use a Unix socket, whose permissions decide who may connect. Over TCP `/livez`,
//! `/readyz`, `/startupz` and `/metrics` are open to everybody who reaches the listener. `/api/...` needs the bearer
//! token of [`AdminToken`].

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

/// The parts that the admin listeners use.
pub struct Admin {
    /// Holds the meetings and dead letters that are listed and shown.
    pub store: Arc<dyn Store>,
    /// Carries out the actions: replay, discard, end.
    pub repairs: Repairs,
    /// The readiness of this replica.
    pub readiness: Arc<Readiness>,
    /// The metrics that `/metrics` answers.
    pub metrics: Arc<Metrics>,
    /// The relay's clock.
    pub clock: Arc<dyn Clock>,
    /// When a meeting owes each job.
    pub schedule: Schedule,
    /// Verifies the relay's own links.
    pub links: Links,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// What an admin listener serves while the relay waits for its store: health and metrics only.
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

/// Everything that an admin listener serves. Unknown paths are answered with 404, wrong methods with 405.
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
