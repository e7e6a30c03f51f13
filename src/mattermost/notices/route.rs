//! A validated delivery method for notices. It can be replaced while notices are posted.

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use url::Url;

use super::super::MattermostSettingsError;
use super::NoticeWay;
use super::refusal::Meaning;

/// An address with the header and the interpretation of answers for its calls.
pub(crate) struct NoticeRoute {
    pub(super) way: NoticeWay,
    pub(super) address: Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) meaning: Meaning,
}

impl NoticeRoute {
    /// Validates a configured delivery method.
    ///
    /// # Errors
    /// An address or header value is invalid. The text does not repeat it, because it is a secret.
    pub(crate) fn new(way: NoticeWay) -> Result<Self, MattermostSettingsError> {
        let address = Url::parse(way.address().expose_secret())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(address) = address else {
            return Err(MattermostSettingsError {
                key: way.key(),
                why: "must be an http or https address with a host",
            });
        };
        let mut authorization = None;
        if let NoticeWay::Plugin {
            authorization: Some(value),
            ..
        } = &way
        {
            let Ok(mut value) = HeaderValue::from_str(value.expose_secret()) else {
                return Err(MattermostSettingsError {
                    key: "plugin_authorization",
                    why: "has characters that are not allowed in an HTTP header",
                });
            };
            value.set_sensitive(true);
            authorization = Some(value);
        }
        Ok(Self {
            meaning: Meaning::new(&way, &address),
            way,
            address,
            authorization,
        })
    }
}

impl std::fmt::Debug for NoticeRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Way({})", self.way.key())
    }
}
