//! Calls to integrations as Go's HTTP client makes them
//! (src/mattermost/README.md, "Delivery of integrations").

use super::core::Core;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap,
    HeaderValue, LOCATION, USER_AGENT,
};
use url::Url;

/// MaxIntegrationResponseSize: what is read of an answer.
const ANSWER_MAX: usize = 1024 * 1024;
/// Go gives up at the tenth redirect.
const REDIRECTS_MAX: usize = 10;

/// One call that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    pub(crate) is_get: bool,
    pub(crate) url: String,
    pub(crate) content_type: Option<&'static str>,
    /// The token behind `Authorization: Token `, if it is sent.
    pub(crate) token: Option<String>,
    pub(crate) body: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// `X-Request-Id`, which Mattermost itself does not read.
    pub(crate) request_id: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// One attempt, redirects followed, everything within the integration timeout.
pub(crate) async fn call(core: &Core, outbound: &Outbound) -> Result<Inbound, String> {
    let limit = core.options.integration_timeout;
    match tokio::time::timeout(limit, follow(core, outbound)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", limit.as_secs_f32())),
    }
}

async fn follow(core: &Core, outbound: &Outbound) -> Result<Inbound, String> {
    let mut outbound = outbound.clone();
    let mut url = Url::parse(&outbound.url).map_err(|error| error.to_string())?;
    for _ in 0..REDIRECTS_MAX {
        let method = if outbound.is_get { "GET" } else { "POST" };
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|e| e.to_string())?;
        let mut request = core
            .client
            .request(method, url.clone())
            .headers(head(&outbound, &url)?);
        if !outbound.is_get {
            request = request.body(outbound.body.clone());
        }
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let target = answer
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        match (answer.status().as_u16(), target) {
            (301..=303, Some(target)) => {
                url = url.join(target).map_err(|error| error.to_string())?;
                outbound.is_get = true;
                outbound.content_type = None;
            }
            (307 | 308, Some(target)) => {
                url = url.join(target).map_err(|error| error.to_string())?;
            }
            _ => return read(answer).await,
        }
    }
    Err("stopped after 10 redirects".to_owned())
}

/// The head in the order of the recordings.
fn head(outbound: &Outbound, url: &Url) -> Result<HeaderMap, String> {
    let mut host = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        host = format!("{host}:{port}");
    }
    let mut head = HeaderMap::new();
    head.insert(HOST, text(&host)?);
    head.insert(USER_AGENT, HeaderValue::from_static("Mattermost-Bot/1.1"));
    if !outbound.is_get {
        head.insert(CONTENT_LENGTH, outbound.body.len().into());
    }
    head.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(token) = &outbound.token {
        head.insert(AUTHORIZATION, text(&format!("Token {token}"))?);
    }
    if let Some(content_type) = outbound.content_type {
        head.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    head.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(head)
}

async fn read(mut answer: reqwest::Response) -> Result<Inbound, String> {
    let status = answer.status().as_u16();
    let content_type = answer
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let request_id = answer.headers().get("x-request-id");
    let request_id = request_id
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
        body.extend_from_slice(&chunk);
        if body.len() >= ANSWER_MAX {
            body.truncate(ANSWER_MAX);
            break;
        }
    }
    Ok(Inbound {
        status,
        content_type,
        request_id,
        body,
    })
}

fn text(value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|error| error.to_string())
}
