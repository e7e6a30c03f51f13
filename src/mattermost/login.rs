//! Logs in with a name and a password (src/mattermost/README.md, "Sessions").

use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::call::{address, bearer, unreachable};
use super::{errors, form};
use crate::domain::UserId;
use crate::http::{Http, HttpRequest, Operation};
use crate::ports::ChatError;

/// The header of the answer that holds the new session's token.
const TOKEN: &str = "token";
/// Longest token that is accepted, in bytes; Mattermost's tokens have 26.
const TOKEN_BYTES_MAX: usize = 256;

/// The body of a successful login: the account.
#[derive(Deserialize)]
struct LoggedIn {
    #[serde(rename = "id")]
    _id: UserId,
}

/// Makes logins with one account; cheap to clone.
#[derive(Clone)]
pub(super) struct Login(Arc<LoginAccount>);

struct LoginAccount {
    server: Url,
    login_id: String,
    password: SecretString,
    http: Http,
}

impl Login {
    pub(super) fn new(server: &Url, login_id: &str, password: &SecretString, http: &Http) -> Self {
        Self(Arc::new(LoginAccount {
            server: server.clone(),
            login_id: login_id.to_owned(),
            password: password.clone(),
            http: http.clone(),
        }))
    }

    /// Logs in and returns the header `Authorization` of the new session.
    pub(super) async fn log_in(self) -> Result<HeaderValue, ChatError> {
        let started = Instant::now();
        let mut rate_limit = None;
        let result = async {
            let answer = self.0.http.send(self.request()).await.map_err(unreachable)?;
            rate_limit = answer.rate_limit;
            form::read::<LoggedIn>(&self.0.http, &answer)?;
            let token = answer.headers.get(TOKEN).and_then(|token| token.to_str().ok());
            token
                .filter(|token| !token.is_empty() && token.len() <= TOKEN_BYTES_MAX)
                .and_then(bearer)
                .ok_or_else(|| ChatError::Refused {
                    why: format!(
                        "HTTP {} to a login, without the header Token: check whether a proxy removes the header",
                        answer.status
                    ),
                })
        }
        .await;
        errors::report(&self.0.http, Operation::Read, started, rate_limit, &result);
        result
    }

    fn request(&self) -> HttpRequest {
        let LoginAccount {
            login_id, password, ..
        } = self.0.as_ref();
        let body = json!({ "login_id": login_id, "password": password.expose_secret() });
        let url = address(&self.0.server, &["api", "v4", "users", "login"]);
        HttpRequest::new(Method::POST, url).json(body.to_string())
    }
}
