//! The changes of a configuration that a running relay applies: everything that is rotated, and the log level.

use super::keys::Config;

/// The keys whose changes a reload (SIGHUP) applies. Any other key needs a restart.
const RELOADED: [&str; 15] = [
    "server.admin_token",
    "server.signing_secret",
    "server.previous_signing_secrets",
    "mattermost.outgoing_tokens",
    "mattermost.command_tokens",
    "mattermost.bot_token",
    "mattermost.login_id",
    "mattermost.password",
    "mattermost.plugin_url",
    "mattermost.plugin_authorization",
    "mattermost.incoming_webhook_url",
    "plugnmeet.api_key",
    "plugnmeet.api_secret",
    "plugnmeet.previous_api_secrets",
    "log.level",
];

/// Whether a reload applies changes of this key, like `mattermost.bot_token`.
pub fn is_reloaded(key: &str) -> bool {
    RELOADED.contains(&key)
}

impl Config {
    /// The keys that have another value in `other`, in reading order: `server.listen`, `rule[2].phrases`, and `rule`
    /// when there are more or fewer of them.
    pub fn changed_in(&self, other: &Self) -> Vec<String> {
        self.differences(other)
    }
}

impl Config {
    /// This configuration with the other's values of every key that a reload takes over.
    pub fn with_reloaded_keys_of(&self, other: &Self) -> Self {
        let mut next = self.clone();
        let other = other.clone();
        next.server.admin_token = other.server.admin_token;
        next.server.signing_secret = other.server.signing_secret;
        next.server.previous_signing_secrets = other.server.previous_signing_secrets;
        next.mattermost.outgoing_tokens = other.mattermost.outgoing_tokens;
        next.mattermost.command_tokens = other.mattermost.command_tokens;
        next.mattermost.bot_token = other.mattermost.bot_token;
        next.mattermost.login_id = other.mattermost.login_id;
        next.mattermost.password = other.mattermost.password;
        next.mattermost.plugin_url = other.mattermost.plugin_url;
        next.mattermost.plugin_authorization = other.mattermost.plugin_authorization;
        next.mattermost.incoming_webhook_url = other.mattermost.incoming_webhook_url;
        next.plugnmeet.api_key = other.plugnmeet.api_key;
        next.plugnmeet.api_secret = other.plugnmeet.api_secret;
        next.plugnmeet.previous_api_secrets = other.plugnmeet.previous_api_secrets;
        next.log.level = other.log.level;
        next
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use super::*;
    use crate::config::{Environment, Sources, load};

    fn config(variables: &[(&str, &str)]) -> Config {
        let sources = Sources {
            file: None,
            environment: variables.iter().copied().collect::<Environment>(),
        };
        load(&sources).expect("it is faultless").config
    }

    #[test]
    fn every_secret_is_reloaded_but_the_brokers() {
        for section in Config::SECTIONS {
            for key in section.keys {
                let path = key.path();
                let is_exempt = path == "queue.url" || path == "store.url";
                if key.is_secret && !is_exempt {
                    assert!(is_reloaded(&path), "{path} is a secret and needs a restart");
                }
            }
        }
    }

    #[test]
    fn reloaded_keys_exist() {
        let paths: Vec<String> = Config::SECTIONS
            .iter()
            .flat_map(|section| section.keys)
            .map(|key| key.path())
            .collect();
        for key in RELOADED {
            assert!(paths.iter().any(|path| path == key), "{key}");
        }
    }

    #[test]
    fn exactly_the_reloaded_keys_are_taken_over() {
        let value = |key: &str, mark: &str| match key {
            "mattermost.plugin_url" | "mattermost.incoming_webhook_url" => {
                format!("http://127.0.0.1:1/{mark}")
            }
            "log.level" => mark.replace("one", "warn").replace("two", "debug"),
            _ => format!("{mark}-of-32-bytes-and-a-few-more-so-that-it-is-long"),
        };
        let all = |mark: &str| {
            let mut variables = vec![
                (
                    "MEETRELAY__MATTERMOST__URL".to_owned(),
                    "http://127.0.0.1:1".to_owned(),
                ),
                (
                    "MEETRELAY__PLUGNMEET__URL".to_owned(),
                    "http://127.0.0.1:1".to_owned(),
                ),
                (
                    "MEETRELAY__CARD__LATE_AFTER".to_owned(),
                    "20s".replace("20", if mark == "one" { "20" } else { "30" }),
                ),
            ];
            for key in RELOADED {
                let variable = format!("MEETRELAY__{}", key.replace('.', "__").to_uppercase());
                variables.push((variable, value(key, mark)));
            }
            let borrowed: Vec<(&str, &str)> = variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            config(&borrowed)
        };
        let (one, two) = (all("one"), all("two"));
        let next = one.with_reloaded_keys_of(&two);
        let taken = one.changed_in(&next);
        assert!(taken.iter().all(|key| is_reloaded(key)), "{taken:?}");
        assert_eq!(taken.len(), RELOADED.len(), "{taken:?}");
        assert_eq!(next.changed_in(&two), ["card.late_after"]);
    }

    #[test]
    fn secrets_are_compared_by_what_they_hide() {
        let of = |token: &str, url: &str, hook: &str| {
            config(&[
                ("MEETRELAY__MATTERMOST__URL", "http://127.0.0.1:1"),
                ("MEETRELAY__MATTERMOST__OUTGOING_TOKENS", token),
                ("MEETRELAY__QUEUE__URL", url),
                ("MEETRELAY__MATTERMOST__INCOMING_WEBHOOK_URL", hook),
            ])
        };
        let broker = |password| format!("amqp://relay:{password}@127.0.0.1/relay");
        let hook = |id| format!("http://127.0.0.1:1/hooks/{id}");
        let before = of("one,two", &broker("a"), &hook("x"));
        let same = of("one,two", &broker("a"), &hook("x"));
        assert_eq!(before.changed_in(&same), Vec::<String>::new());
        let after = of("one,three", &broker("b"), &hook("y"));
        assert_eq!(
            before.changed_in(&after),
            [
                "mattermost.outgoing_tokens",
                "mattermost.incoming_webhook_url",
                "queue.url"
            ]
        );
    }

    #[test]
    fn rules_are_compared_one_by_one() {
        let one = config(&[("MEETRELAY__RULE", r#"[{"phrases":["a"]}]"#)]);
        let two = config(&[("MEETRELAY__RULE", r#"[{"phrases":["b"]},{}]"#)]);
        assert_eq!(one.changed_in(&two), ["rule", "rule[1].phrases"]);
    }
}
