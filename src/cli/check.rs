//! `meetrelay check`

use super::outcome::Outcome;
use crate::config::{Config, QueueUrl, Sources, load};

pub(super) fn check(sources: &Sources) -> Outcome {
    let loaded = load(sources)?;
    let config = &loaded.config;
    let file = match &sources.file {
        Some(path) => path.display().to_string(),
        None => "no file, only the environment and defaults".to_owned(),
    };
    let mut text = format!(
        "OK: the configuration has no errors ({file}).\n{}",
        summary(config)
    );
    if let Err(missing) = config.essentials() {
        text.push_str(&format!("\nStill missing to serve:\n{missing}\n"));
    }
    Ok(text)
}

/// The broker without its password, or the embedded queue's file.
fn queue(config: &Config) -> String {
    match &config.queue.url {
        QueueUrl::Embedded => config.queue_path().display().to_string(),
        QueueUrl::Amqp(url) => url.shown().to_owned(),
    }
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
        ("plugNmeet", or_not(&config.plugnmeet.url)),
        ("queue", queue(config)),
        ("store", config.store_path().display().to_string()),
        ("rules", config.rules.len().to_string()),
    ];
    rows.iter()
        .map(|(name, value)| format!("  {name:<13} {value}\n"))
        .collect()
}
