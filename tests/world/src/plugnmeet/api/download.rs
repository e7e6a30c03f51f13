//! GET and HEAD /download/recording/{token} and /download/artifact/{token}
//! (src/plugnmeet/README.md, "Downloads").

use std::sync::Arc;
use std::time::Duration;

use crate::plugnmeet::answer::Answer;
use crate::plugnmeet::state::Shared;
use crate::plugnmeet::token::{DownloadClaims, Refused, sign, verify};

impl Shared {
    /// A token for a file. It has no audience and can be used again until it expires.
    pub(super) fn download_token(&self, path: &str, validity: Duration) -> String {
        let now = i64::try_from(self.now()).unwrap_or(i64::MAX);
        let exp = now + i64::try_from(validity.as_secs()).unwrap_or(0);
        let claims = DownloadClaims {
            exp,
            iss: self.options.api_key.clone(),
            nbf: now,
            sub: path.to_owned(),
        };
        sign(&self.options.api_secret, &claims)
    }
}

pub(super) fn download(shared: &Arc<Shared>, path: &str) -> Answer {
    let path = path.split('?').next().unwrap_or(path);
    let mut parts = path.trim_start_matches('/').splitn(3, '/').skip(1);
    let store = match parts.next().map(str::to_ascii_lowercase).as_deref() {
        Some("recording") => "recording",
        Some("artifact" | "analytics") => "artifact",
        _ => return Answer::text(404, "not found"),
    };
    let token = parts.next().unwrap_or("");
    let claims: DownloadClaims =
        match verify(&shared.options.api_key, &shared.options.api_secret, token) {
            Ok(claims) => claims,
            Err(why) => return refused(why),
        };
    let path = claims.sub;
    if path.is_empty() {
        return Answer::text(400, "invalid file path");
    }
    if path.contains("..") {
        return Answer::text(400, "invalid file path: contains '..'");
    }
    let state = shared.lock();
    let Some(content) = state.files.get(&(store, path.clone())) else {
        return Answer::text(404, "file not found");
    };
    if let Some(storage) = &state.storage_url {
        let location = format!("{storage}/{path}?X-Signature=CANARY-presigned");
        let headers = vec![("location", location)];
        return Answer {
            status: 307,
            content_type: None,
            headers,
            body: Vec::new(),
        };
    }
    let name = path.rsplit('/').next().unwrap_or("");
    let headers = vec![
        (
            "content-disposition",
            format!("attachment; filename={name}"),
        ),
        ("last-modified", "Sat, 21 Nov 2026 07:24:39 GMT".to_owned()),
    ];
    // hyper leaves the body of a HEAD out and keeps its length.
    Answer {
        status: 200,
        content_type: Some(sniffed(name)),
        headers,
        body: content.clone(),
    }
}

/// The storage that a redirect leads to, at `/storage/<path>`: knows the file only with its signature, and must not
/// be sent the relay's credentials.
pub(super) fn storage(shared: &Arc<Shared>, path: &str) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if query != "X-Signature=CANARY-presigned" {
        return Answer::text(403, "AccessDenied");
    }
    let path = path.trim_start_matches("/storage/").to_owned();
    let state = shared.lock();
    let stored = ["recording", "artifact"]
        .into_iter()
        .find_map(|store| state.files.get(&(store, path.clone())));
    match stored {
        Some(content) => {
            let content_type = Some(sniffed(&path));
            Answer {
                status: 200,
                content_type,
                headers: Vec::new(),
                body: content.clone(),
            }
        }
        None => Answer::text(404, "NoSuchKey"),
    }
}

fn refused(why: Refused) -> Answer {
    let text = match why {
        Refused::Expired => "token expired",
        Refused::Malformed => "go-jose/go-jose: compact JWS format must have three parts",
        Refused::Signature | Refused::Other => "go-jose/go-jose: error in cryptographic primitive",
    };
    Answer::text(401, text)
}

fn sniffed(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("mp4") => "video/mp4",
        Some("vtt") => "text/vtt",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}
