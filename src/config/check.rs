//! Checks keys that depend on each other, and what the type of a single key cannot check.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::keys::{Config, Rule};
use super::reader::ConfigReader;
use super::value::QueueUrl;

/// Least length of the secret that signs links, in bytes.
pub(crate) const SIGNING_SECRET_BYTES_MIN: usize = 32;
/// Least length of the admin API's token, in bytes. Guesses of it are not limited.
const ADMIN_TOKEN_BYTES_MIN: usize = 32;
/// The placeholders for secrets in samples.
pub(super) const PLACEHOLDERS: [&str; 5] = [
    "...",
    "access-token-of-the-bot",
    "the-secret-of-plugnmeet",
    "token-of-the-outgoing-webhook",
    "token-of-the-slash-command",
];
/// Most previous secrets of one kind, because each is tried on every request of a stranger.
const PREVIOUS_SECRETS_MAX: usize = 16;

/// Reports every error. A key that is already known to be wrong is not reported twice.
pub(super) fn check_together(config: &Config, reader: &mut ConfigReader) {
    let mut check = ConfigCheck { reader };
    check.server(config);
    check.mattermost(config);
    check.ways_out(config);
    check.queue(config);
    check.plugnmeet(config);
    check.placeholders(config);
    check.times(config);
    for (index, rule) in config.rules.iter().enumerate() {
        check.rule(&format!("rule[{}]", index + 1), rule);
    }
}

struct ConfigCheck<'a> {
    reader: &'a mut ConfigReader,
}

impl ConfigCheck<'_> {
    fn server(&mut self, config: &Config) {
        let secret = config.server.signing_secret.as_ref();
        let length = secret.map_or(SIGNING_SECRET_BYTES_MIN, length_of);
        self.require(
            length >= SIGNING_SECRET_BYTES_MIN,
            "server.signing_secret",
            || format!("has only {length} bytes"),
            "write at least 32, for instance what `openssl rand -hex 32` prints",
        );
        let previous = &config.server.previous_signing_secrets;
        let short = previous
            .iter()
            .position(|secret| length_of(secret) < SIGNING_SECRET_BYTES_MIN);
        self.require(
            short.is_none(),
            "server.previous_signing_secrets",
            || {
                let at = short.unwrap_or_default();
                let length = previous.get(at).map_or(0, length_of);
                format!("number {} has only {length} bytes", at + 1)
            },
            "write each as it once stood in server.signing_secret, with at least 32",
        );
        self.few("server.previous_signing_secrets", previous);
        let token = config.server.admin_token.as_ref();
        let length = token.map_or(ADMIN_TOKEN_BYTES_MIN, length_of);
        self.require(
            length >= ADMIN_TOKEN_BYTES_MIN,
            "server.admin_token",
            || format!("has only {length} bytes"),
            "write at least 32, for instance what `openssl rand -hex 32` prints",
        );
        let [public, admin] = [config.server.listen, config.server.admin_listen];
        self.require(
            public.port() == 0 || public != admin,
            "server.admin_listen",
            || "is the same address as server.listen".to_owned(),
            "write another port",
        );
    }

    fn mattermost(&mut self, config: &Config) {
        let mattermost = &config.mattermost;
        let has_token = mattermost.bot_token.is_some()
            || !mattermost.outgoing_tokens.is_empty()
            || !mattermost.command_tokens.is_empty();
        self.require(
            !mattermost.enabled || !has_token || mattermost.url.is_some(),
            "mattermost.url",
            || "is missing although Mattermost's tokens are given".to_owned(),
            "write the chat server's address, or set mattermost.enabled = false",
        );
        let is_word = |word: &String| !word.is_empty() && !word.contains(char::is_whitespace);
        self.require(
            mattermost.trigger_words.iter().all(is_word),
            "mattermost.trigger_words",
            || "has an entry that is no single word, with which Mattermost calls nobody".to_owned(),
            "write the first word alone: `meet` for the phrase `meet now`",
        );
    }

    fn ways_out(&mut self, config: &Config) {
        let mattermost = &config.mattermost;
        self.require_both(
            [
                ("mattermost.login_id", mattermost.login_id.is_some()),
                ("mattermost.password", mattermost.password.is_some()),
            ],
            "write both, or a mattermost.bot_token instead",
        );
        self.require(
            mattermost.plugin_url.is_some() || mattermost.plugin_authorization.is_none(),
            "mattermost.plugin_url",
            || "is missing although mattermost.plugin_authorization is given".to_owned(),
            "write the address of the plugin's endpoint",
        );
    }

    fn queue(&mut self, config: &Config) {
        let is_tls =
            matches!(&config.queue.url, QueueUrl::Amqp(url) if url.shown().starts_with("amqps:"));
        self.require(
            is_tls || config.queue.ca_file.is_none(),
            "queue.ca_file",
            || "is given although queue.url is not amqps://".to_owned(),
            "write amqps:// into queue.url, or leave queue.ca_file out",
        );
    }

    fn plugnmeet(&mut self, config: &Config) {
        let plugnmeet = &config.plugnmeet;
        self.require_both(
            [
                ("plugnmeet.api_key", plugnmeet.api_key.is_some()),
                ("plugnmeet.api_secret", plugnmeet.api_secret.is_some()),
            ],
            "write both, as plugNmeet's configuration has them",
        );
        let has_pair = plugnmeet.api_key.is_some() && plugnmeet.api_secret.is_some();
        self.require(
            !has_pair || plugnmeet.url.is_some(),
            "plugnmeet.url",
            || "is missing although the API key is given".to_owned(),
            "write plugNmeet's address",
        );
        self.few(
            "plugnmeet.previous_api_secrets",
            &plugnmeet.previous_api_secrets,
        );
        self.require(
            has_pair || plugnmeet.previous_api_secrets.is_empty(),
            "plugnmeet.api_secret",
            || "is missing although plugnmeet.previous_api_secrets are given".to_owned(),
            "write the one that plugNmeet's configuration has now",
        );
        let polls = &plugnmeet.artifact_polls;
        self.require(
            polls.is_sorted() && polls.len() <= 100,
            "plugnmeet.artifact_polls",
            || "do not rise, or are more than 100".to_owned(),
            "write them in rising order, counted from the meeting's end",
        );
    }

    fn times(&mut self, config: &Config) {
        let retry = &config.retry;
        let longest = [
            ("retry.max", retry.max),
            ("retry.unavailable_max", retry.unavailable_max),
        ];
        for (key, max) in longest {
            self.require(
                retry.initial <= max,
                key,
                || "is shorter than retry.initial".to_owned(),
                "write a longer time",
            );
        }
        let pauses = &config.sweep.wake_after;
        self.require(
            !pauses.is_empty() && pauses.iter().all(|pause| *pause >= Duration::from_secs(1)),
            "sweep.wake_after",
            || "is empty or holds less than 1 s".to_owned(),
            "write rising times, like [\"1m\", \"2m\", \"4m\"]",
        );
    }

    fn rule(&mut self, at: &str, rule: &Rule) {
        let is_good = |phrase: &String| {
            let length = phrase.trim().chars().count();
            (1..=100).contains(&length) && !phrase.contains(char::is_control)
        };
        self.require(
            !rule.phrases.is_empty() && rule.phrases.iter().all(is_good),
            &format!("{at}.phrases"),
            || {
                "are none, or hold an empty one, a line break or more than 100 characters"
                    .to_owned()
            },
            "write at least one, like [\"meet now\"]",
        );
    }

    /// Reports the placeholders of `deploy/meetrelay.toml` and the README in the place of a secret.
    fn placeholders(&mut self, config: &Config) {
        let mattermost = &config.mattermost;
        let plugnmeet = &config.plugnmeet;
        let secrets: [(&str, &[SecretString]); 6] = [
            ("mattermost.outgoing_tokens", &mattermost.outgoing_tokens),
            ("mattermost.command_tokens", &mattermost.command_tokens),
            ("mattermost.bot_token", mattermost.bot_token.as_slice()),
            ("mattermost.password", mattermost.password.as_slice()),
            ("plugnmeet.api_key", plugnmeet.api_key.as_slice()),
            ("plugnmeet.api_secret", plugnmeet.api_secret.as_slice()),
        ];
        for (key, secrets) in secrets {
            let is_placeholder =
                |secret: &SecretString| PLACEHOLDERS.contains(&secret.expose_secret());
            self.require(
                !secrets.iter().any(is_placeholder),
                key,
                || "still holds the sample's placeholder".to_owned(),
                "write your own",
            );
        }
    }

    fn few(&mut self, key: &str, secrets: &[SecretString]) {
        self.require(
            secrets.len() <= PREVIOUS_SECRETS_MAX,
            key,
            || format!("holds {} secrets", secrets.len()),
            "write at most 16; leave the oldest out",
        );
    }

    /// Reports one of two keys that must be set together.
    fn require_both(&mut self, pair: [(&str, bool); 2], instead: &str) {
        let [first, second] = pair;
        for ((key, is_there), (other, other_is_there)) in [(first, second), (second, first)] {
            self.require(
                is_there || !other_is_there,
                key,
                || format!("is missing although {other} is given"),
                instead,
            );
        }
    }

    fn require(&mut self, is_fine: bool, key: &str, what: impl Fn() -> String, instead: &str) {
        if !is_fine && !self.reader.is_faulty(key) {
            self.reader.complain(key, what(), instead);
        }
    }
}

fn length_of(secret: &SecretString) -> usize {
    secret.expose_secret().len()
}
