//! Turns the configuration into the settings of each part.

use std::num::NonZeroU32;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::config::{
    self, AmqpUrl, Config, DeliveryConfig, MattermostAccess, NoticeFormatSetting, PlugNmeetAccess,
};
use crate::domain::DeliveryMethod;
use crate::domain::apply::Policy;
use crate::domain::owed::Schedule;
use crate::domain::retry::RetryPolicy;
use crate::http::HttpSettings;
use crate::queue::rabbitmq::{BrokerSettings, Declare};
use crate::worker::{BreakerSettings, CardFace, WorkerSettings};
use crate::{mattermost, plugnmeet};

/// The most events that are applied in one transaction.
const BATCH_MAX: usize = 64;
/// A message that was redelivered and started this many times without a verdict is poison.
const POISON_MAX: u32 = 5;

/// The settings of the broker that `url` names. Everything else is as configured.
pub(super) fn broker(config: &Config, url: &AmqpUrl) -> BrokerSettings {
    let queue = &config.queue;
    BrokerSettings {
        url: url.url().clone(),
        shown: url.shown().to_owned(),
        ca_file: queue.ca_file.clone(),
        declare: match queue.declare {
            config::DeclareSetting::Create => Declare::Create,
            config::DeclareSetting::Verify => Declare::Verify,
        },
        connect_timeout: queue.connect_timeout,
        heartbeat: queue.heartbeat,
        call_timeout: queue.call_timeout,
        confirm_timeout: queue.confirm_timeout,
        publish_window: queue.publish_window as usize,
        prefetch: u16::try_from(queue.prefetch).unwrap_or(u16::MAX),
        reconnect_max: queue.reconnect_max,
    }
}

pub(super) fn worker(
    config: &Config,
    delivery_method: DeliveryMethod,
    instance: Uuid,
) -> WorkerSettings {
    let retry = &config.retry;
    WorkerSettings {
        policy: policy(config, delivery_method),
        retry: RetryPolicy {
            attempts_max: retry.attempts_max,
            age_max: retry.age_max,
            // The facts of a meeting are kept for this long.
            rest_max: config.dedup.keep.max(retry.age_max),
            hint_max: retry.hint_max,
        },
        backoff: Backoff {
            initial: retry.initial,
            max: retry.max,
        },
        outage_backoff: Backoff {
            initial: retry.initial,
            max: retry.unavailable_max,
        },
        breaker: BreakerSettings {
            failures: config.breaker.failures,
            probe_every: config.breaker.probe_every,
        },
        mattermost_concurrency: config.mattermost.concurrency as usize,
        plugnmeet_concurrency: config.plugnmeet.concurrency as usize,
        batch_max: BATCH_MAX,
        sweep_every: config.sweep.every,
        lease: config.mattermost.call_timeout * 2,
        poison_max: POISON_MAX,
        tidy_after: config.mattermost.tidy_after,
        notice_again_after: config.mattermost.notice_again_after,
        outside_again_after: config.mattermost.outside_again_after,
        keep: config.dedup.keep,
        face: CardFace {
            public_url: config
                .server
                .public_url
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            time_zone: config.card.time_zone.clone(),
            late_after: config.card.late_after,
        },
        catch_up: None,
        instance: instance.to_string(),
    }
}

pub(super) fn policy(config: &Config, delivery_method: DeliveryMethod) -> Policy {
    Policy {
        schedule: Schedule {
            delivery_method,
            first_card_after: config.card.first_card_after,
            end_again_after: config.plugnmeet.end_again_after,
            poll_first_after: config.plugnmeet.poll_first_after,
            poll_every: config.plugnmeet.poll_every,
            artifact_polls: config.plugnmeet.artifact_polls.clone().into(),
        },
        publish_ahead: config.sweep.publish_ahead,
        wake_after: config.sweep.wake_after.clone().into(),
    }
}

pub(super) fn http(deadline: Duration) -> HttpSettings {
    HttpSettings {
        deadline,
        ..HttpSettings::default()
    }
}

pub(super) fn mattermost(
    access: &MattermostAccess,
    credential: mattermost::Credential,
    post_secret: SecretString,
) -> mattermost::MattermostSettings {
    mattermost::MattermostSettings {
        url: access.url.clone(),
        credential,
        post_secret,
    }
}

/// `None` for a delivery method with an account.
pub(super) fn notices(access: &MattermostAccess) -> Option<mattermost::NoticeSettings> {
    let (way, format) = match &access.delivery_method {
        DeliveryConfig::IncomingWebhook { url, format } => {
            let address = url.address().clone();
            (mattermost::NoticeWay::IncomingWebhook { address }, *format)
        }
        DeliveryConfig::Plugin {
            url,
            authorization,
            format,
        } => {
            let way = mattermost::NoticeWay::Plugin {
                address: url.address().clone(),
                authorization: authorization.clone(),
            };
            (way, *format)
        }
        DeliveryConfig::Bot { .. } | DeliveryConfig::Login { .. } => return None,
    };
    Some(mattermost::NoticeSettings {
        url: access.url.clone(),
        way,
        format: match format {
            NoticeFormatSetting::Mattermost => mattermost::NoticeFormat::Mattermost,
            NoticeFormatSetting::Slack => mattermost::NoticeFormat::Slack,
        },
    })
}

/// # Errors
/// The webhook's path cannot be appended to the public address.
pub(super) fn plugnmeet(
    config: &Config,
    access: &PlugNmeetAccess,
    public_url: &url::Url,
) -> Result<plugnmeet::PlugNmeetSettings, url::ParseError> {
    Ok(plugnmeet::PlugNmeetSettings {
        url: access.url.clone(),
        external_url: access.external_url.clone(),
        api_key: access.api_key.expose_secret().to_owned(),
        api_secret: access.api_secret.clone(),
        webhook_url: public_url.join("plugnmeet/webhook")?,
        download_hosts: config
            .plugnmeet
            .download_hosts
            .iter()
            .map(|host| host.as_str().to_owned())
            .collect(),
        room: room(config),
    })
}

fn room(config: &Config) -> plugnmeet::RoomSettings {
    let room = &config.room;
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).ok();
    let unless_empty = |text: &String| (!text.is_empty()).then(|| text.clone());
    plugnmeet::RoomSettings {
        empty_timeout_seconds: seconds(room.empty_timeout).and_then(NonZeroU32::new),
        max_participants: NonZeroU32::new(room.max_participants),
        duration_minutes: seconds(room.duration).and_then(|s| NonZeroU32::new(s.div_ceil(60))),
        welcome_message: unless_empty(&room.welcome_message),
        mute_on_start: room.mute_on_start,
        waiting_room: room.waiting_room,
        waiting_room_message: unless_empty(&room.waiting_room_message),
        webcams: room.webcams,
        admin_only_webcams: room.admin_only_webcams,
        screen_share: room.screen_share,
        recording: room.recording,
        cloud_recording: room.recording,
        local_recording: room.recording,
        auto_cloud_recording: room.auto_recording,
        chat: room.chat,
        chat_file_upload: room.chat_file_upload,
        shared_notepad: room.shared_notepad,
        whiteboard: room.whiteboard,
        external_media_player: room.external_media_player,
        external_link: room.external_link,
        breakout_rooms: room.breakout_rooms,
        polls: room.polls,
        raise_hand: room.raise_hand,
        reactions: room.reactions,
        virtual_background: room.virtual_background,
        ingress: room.ingress,
        broadcasting: room.broadcasting,
        sip_dial_in: room.sip_dial_in,
        transcription: room.transcription,
        chat_translation: room.chat_translation,
        ai_text_chat: room.ai_text_chat,
        summary: room.summary,
        analytics: room.analytics,
        end_to_end_encryption: room.end_to_end_encryption,
        locks: plugnmeet::LockSettings::default(),
    }
}
