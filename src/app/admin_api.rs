//! The admin API over the parts of this process.

use std::sync::Arc;

use crate::admin::Admin;
use crate::config::Config;
use crate::envelope::EnvelopeQueue;
use crate::ports::{Clock, DeliveryMethod, Store};
use crate::repair::Repairs;
use crate::token::Links;

use super::{AppContext, settings};

/// The parts that the admin API uses.
pub(super) struct Parts {
    pub(super) store: Arc<dyn Store>,
    /// `None` if this process cannot publish, because it only opens the files and RabbitMQ holds the queue.
    pub(super) queue: Option<EnvelopeQueue>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) links: Links,
    pub(super) delivery_method: DeliveryMethod,
}

/// The admin API of this process.
pub(super) fn admin(config: &Config, parts: Parts, context: &AppContext) -> Arc<Admin> {
    let repairs = Repairs::new(
        Arc::clone(&parts.store),
        parts.queue,
        Arc::clone(&parts.clock),
        config.dead_letters.replay_per_second,
    );
    Arc::new(Admin {
        store: parts.store,
        repairs,
        readiness: Arc::clone(&context.readiness),
        metrics: Arc::clone(&context.metrics),
        clock: parts.clock,
        schedule: settings::policy(config, parts.delivery_method).schedule,
        links: parts.links,
    })
}
