//! `meetrelay check`

use super::outcome::{CommandResult, Failure};
use crate::config::{
    Config, DeliveryConfig, NoticeFormatSetting, QueueUrl, Sources, StoreUrl, load,
};

pub(super) fn check(sources: &Sources) -> CommandResult {
    let loaded = load(sources)?;
    let config = &loaded.config;
    let file = match &sources.file {
        Some(path) => path.display().to_string(),
        None => "no file, only the environment and defaults".to_owned(),
    };
    let mut details = summary(config);
    if let Some(public_url) = &config.server.public_url {
        details.push_str(&addresses(public_url, config.mattermost.enabled));
    }
    for warning in loaded.warnings() {
        details.push_str(&format!("\nWarning: {warning}\n"));
    }
    match config.essentials() {
        Ok(_) => Ok(format!(
            "OK: the configuration has no errors ({file}).\n{details}"
        )),
        // There are no errors, but `serve` would end at once. A script that checks first must see this in the exit
        // code.
        Err(missing) => Err(Failure::usage(format!(
            "the configuration has no errors ({file}), but is not enough to serve.\n{details}\nStill missing to serve:\n{missing}"
        ))),
    }
}

/// The addresses to copy into Mattermost and plugNmeet. `public_url` ends in one `/`.
fn addresses(public_url: &url::Url, is_mattermost_served: bool) -> String {
    let of_mattermost = [
        ("outgoing webhook's callback", "mattermost/outgoing"),
        ("slash command's request URL", "mattermost/command"),
    ];
    // The relay sets the address for each room. This one is for plugNmeet's own configuration, which has one address
    // for all rooms.
    let of_plugnmeet = [("plugNmeet's webhook", "plugnmeet/webhook")];
    let of_mattermost = of_mattermost.iter().filter(|_| is_mattermost_served);
    let rows = of_mattermost.chain(&of_plugnmeet);
    let rows = rows.map(|(name, path)| format!("  {name:<28} {public_url}{path}\n"));
    format!("Addresses to copy:\n{}", rows.collect::<String>())
}

/// The broker without its password, or the embedded queue's file.
fn queue(config: &Config) -> String {
    match &config.queue.url {
        QueueUrl::Embedded => config.queue_path().display().to_string(),
        QueueUrl::Amqp(url) => url.shown().to_owned(),
    }
}

/// The database without its password, or the store's file.
fn store(config: &Config) -> String {
    match config.store_url() {
        StoreUrl::Sqlite(path) => path.display().to_string(),
        StoreUrl::Postgres(url) => url.shown().to_owned(),
    }
}

/// The setting in force, and its effect.
fn delivery_method(config: &Config) -> String {
    let notices = |format| match format {
        NoticeFormatSetting::Mattermost => "notices that are never edited",
        NoticeFormatSetting::Slack => "notices in Slack's format, which name no channel",
    };
    let (key, shows) = match config.delivery_method() {
        None => return "not set".to_owned(),
        Some(DeliveryConfig::Bot { .. }) => ("bot_token", "cards that are edited"),
        Some(DeliveryConfig::Login { .. }) => ("login_id", "cards that are edited"),
        Some(DeliveryConfig::Plugin { format, .. }) => ("plugin_url", notices(format)),
        Some(DeliveryConfig::IncomingWebhook { format, .. }) => {
            ("incoming_webhook_url", notices(format))
        }
    };
    format!("mattermost.{key}: {shows}")
}

fn summary(config: &Config) -> String {
    let or_not = |url: &Option<url::Url>| match url {
        Some(url) => url.to_string(),
        None => "not set".to_owned(),
    };
    let mattermost = match config.mattermost.enabled {
        true => or_not(&config.mattermost.url),
        false => "disabled".to_owned(),
    };
    let rows = [
        ("listen", config.server.listen.to_string()),
        ("admin listen", config.server.admin_listen.to_string()),
        ("public URL", or_not(&config.server.public_url)),
        ("Mattermost", mattermost),
        ("delivery method", delivery_method(config)),
        ("plugNmeet", or_not(&config.plugnmeet.url)),
        ("queue", queue(config)),
        ("store", store(config)),
        ("rules", config.rules.len().to_string()),
    ];
    rows.iter()
        .map(|(name, value)| format!("  {name:<16} {value}\n"))
        .collect()
}
