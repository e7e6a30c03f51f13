//! Finds values that are allowed and probably not meant. `check` prints them, and the log contains them at start.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::keys::Config;
use super::problem::Problem;
use super::reader::ConfigReader;
use super::source::{RENAMED, RenamedKey};

/// Length of every token that Mattermost makes.
const TOKEN_LENGTH: usize = 26;

/// Paths that people copy with a base address, although the relay adds them itself.
struct Routes {
    /// A base address never ends with these. They are removed.
    certain: &'static [&'static str],
    /// A base address may end with these. They only cause a warning.
    possible: &'static [&'static str],
}

const PUBLIC_ROUTES: Routes = Routes {
    certain: &[
        "mattermost/outgoing/",
        "mattermost/command/",
        "plugnmeet/webhook/",
    ],
    possible: &["join/"],
};
const MATTERMOST_ROUTES: Routes = Routes {
    certain: &["api/v4/"],
    possible: &["api/"],
};
const PLUGNMEET_ROUTES: Routes = Routes {
    certain: &["auth/room/"],
    possible: &["auth/", "api/"],
};

/// Collects the warnings, and removes certain routes from base addresses, so that these work all the same.
pub(super) fn settle(config: &mut Config, reader: &ConfigReader) -> Vec<Problem> {
    let mut warnings = WarningFinder {
        reader,
        found: Vec::new(),
    };
    let mattermost = &mut config.mattermost;
    let plugnmeet = &mut config.plugnmeet;
    for (key, url, routes) in [
        (
            "server.public_url",
            &mut config.server.public_url,
            &PUBLIC_ROUTES,
        ),
        ("mattermost.url", &mut mattermost.url, &MATTERMOST_ROUTES),
        ("plugnmeet.url", &mut plugnmeet.url, &PLUGNMEET_ROUTES),
        (
            "plugnmeet.external_url",
            &mut plugnmeet.external_url,
            &PLUGNMEET_ROUTES,
        ),
    ] {
        if let Some(url) = url {
            warnings.routes(key, url, routes);
        }
    }
    for key in RENAMED {
        warnings.renamed(key);
    }
    warnings.tokens("mattermost.outgoing_tokens", &mattermost.outgoing_tokens);
    warnings.tokens("mattermost.command_tokens", &mattermost.command_tokens);
    warnings.tokens("mattermost.bot_token", mattermost.bot_token.as_slice());
    for (key, secret) in [
        ("mattermost.bot_token", &mattermost.bot_token),
        ("mattermost.password", &mattermost.password),
        (
            "mattermost.plugin_authorization",
            &mattermost.plugin_authorization,
        ),
        ("plugnmeet.api_key", &plugnmeet.api_key),
        ("plugnmeet.api_secret", &plugnmeet.api_secret),
        ("server.signing_secret", &config.server.signing_secret),
        ("server.admin_token", &config.server.admin_token),
    ] {
        warnings.quotes(key, secret.as_ref());
    }
    warnings.found
}

struct WarningFinder<'a> {
    reader: &'a ConfigReader,
    found: Vec<Problem>,
}

impl WarningFinder<'_> {
    fn routes(&mut self, key: &str, url: &mut Url, routes: &Routes) {
        let what = |route: &str| format!("ends in /{route}, which the relay adds by itself");
        if let Some((route, base)) = without(url, routes.certain) {
            *url = base;
            let instead = format!("write \"{url}\", which is used now");
            self.note(key, what(route), instead);
        } else if let Some((route, base)) = without(url, routes.possible) {
            let instead = format!("write \"{base}\", unless the address really ends so");
            self.note(key, what(route), instead);
        }
    }

    fn renamed(&mut self, key: &RenamedKey) {
        for at in self.reader.repeats(key.section) {
            let old = format!("{at}.{}", key.old);
            if self.reader.origin(&old).is_some() {
                let what = "has another name now, and the next version refuses this one".to_owned();
                self.note(&old, what, format!("write {} instead", key.new));
            }
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
                    format!("{which}does not look like a Mattermost token ({TOKEN_LENGTH} letters and digits)"),
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

/// The first of `routes` with which `url` ends, and the address without it.
fn without(url: &Url, routes: &[&'static str]) -> Option<(&'static str, Url)> {
    let (route, path) = routes
        .iter()
        .find_map(|route| Some((*route, url.path().strip_suffix(*route)?)))
        .filter(|(_, path)| path.ends_with('/'))?;
    let mut base = url.clone();
    base.set_path(path);
    Some((route, base))
}
