//! What is no fault of a configuration and probably still not what was meant: told by `check` and in the log at start.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::keys::Config;
use super::problem::Problem;
use super::reader::Reader;

/// Length of every token that Mattermost makes.
const TOKEN_LENGTH: usize = 26;
/// What people copy along with a base address, and what the relay adds to it by itself.
const PUBLIC_ROUTES: [&str; 4] = [
    "mattermost/outgoing/",
    "mattermost/command/",
    "plugnmeet/webhook/",
    "join/",
];
const MATTERMOST_ROUTES: [&str; 2] = ["api/v4/", "api/"];
const PLUGNMEET_ROUTES: [&str; 3] = ["auth/room/", "auth/", "api/"];

/// Notes every doubt, and takes routes off base addresses, so that they work all the same.
pub(super) fn settle(config: &mut Config, reader: &Reader) -> Vec<Problem> {
    let mut doubts = Doubts {
        reader,
        found: Vec::new(),
    };
    let mattermost = &mut config.mattermost;
    let plugnmeet = &mut config.plugnmeet;
    for (key, url, routes) in [
        (
            "server.public_url",
            &mut config.server.public_url,
            &PUBLIC_ROUTES[..],
        ),
        (
            "mattermost.url",
            &mut mattermost.url,
            &MATTERMOST_ROUTES[..],
        ),
        ("plugnmeet.url", &mut plugnmeet.url, &PLUGNMEET_ROUTES[..]),
        (
            "plugnmeet.external_url",
            &mut plugnmeet.external_url,
            &PLUGNMEET_ROUTES[..],
        ),
    ] {
        if let Some(url) = url {
            doubts.take_off(key, url, routes);
        }
    }
    doubts.tokens("mattermost.outgoing_tokens", &mattermost.outgoing_tokens);
    doubts.tokens("mattermost.command_tokens", &mattermost.command_tokens);
    doubts.tokens("mattermost.bot_token", mattermost.bot_token.as_slice());
    for (key, secret) in [
        ("mattermost.password", &mattermost.password),
        ("plugnmeet.api_key", &plugnmeet.api_key),
        ("plugnmeet.api_secret", &plugnmeet.api_secret),
        ("server.signing_secret", &config.server.signing_secret),
    ] {
        doubts.quotes(key, secret.as_ref());
    }
    doubts.found
}

struct Doubts<'a> {
    reader: &'a Reader,
    found: Vec<Problem>,
}

impl Doubts<'_> {
    fn take_off(&mut self, key: &str, url: &mut Url, routes: &[&str]) {
        let path = url.path().to_owned();
        let found = routes
            .iter()
            .find_map(|route| Some((route, path.strip_suffix(route)?)))
            .filter(|(_, base)| base.ends_with('/'));
        if let Some((route, base)) = found {
            url.set_path(base);
            let what = format!("ends in /{route}, which the relay adds by itself");
            self.note(key, what, format!("write \"{url}\", as it is taken now"));
        }
    }

    fn tokens(&mut self, key: &str, tokens: &[SecretString]) {
        for (index, token) in tokens.iter().enumerate() {
            let token = token.expose_secret();
            let is_usual =
                token.len() == TOKEN_LENGTH && token.bytes().all(|b| b.is_ascii_alphanumeric());
            if !is_usual {
                let which = match tokens.len() {
                    1 => String::new(),
                    _ => format!("number {} ", index + 1),
                };
                self.note(
                    key,
                    format!("{which}is no token as Mattermost makes them: {TOKEN_LENGTH} letters and digits"),
                    "copy it again, without quotes and blanks",
                );
            }
        }
    }

    fn quotes(&mut self, key: &str, secret: Option<&SecretString>) {
        let is_quoted = secret.is_some_and(|secret| {
            let secret = secret.expose_secret();
            ['"', '\''].iter().any(|quote| {
                secret.len() > 1 && secret.starts_with(*quote) && secret.ends_with(*quote)
            })
        });
        if is_quoted {
            self.note(
                key,
                "stands in quotes, which count as part of it".to_owned(),
                "leave the quotes out, unless they belong to it",
            );
        }
    }

    fn note(&mut self, key: &str, what: String, instead: impl Into<String>) {
        self.found.push(Problem {
            origin: self.reader.origin(key),
            key: Some(key.to_owned()),
            what,
            instead: instead.into(),
        });
    }
}
