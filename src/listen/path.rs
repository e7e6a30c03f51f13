//! Normalizes paths, because people and proxies write `//mattermost/outgoing` and `/mattermost/command/`.

use http::Uri;
use http::uri::PathAndQuery;

/// Replaces repeated slashes by one, and removes one at the end.
pub(super) fn normalize(uri: &mut Uri) {
    let path = uri.path();
    let is_normal = !path.contains("//") && (path.len() <= 1 || !path.ends_with('/'));
    if is_normal || !path.starts_with('/') {
        return;
    }
    let mut target = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        target.push('/');
        target.push_str(segment);
    }
    if target.is_empty() {
        target.push('/');
    }
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    if let Ok(target) = PathAndQuery::try_from(target) {
        parts.path_and_query = Some(target);
        if let Ok(normal) = Uri::from_parts(parts) {
            *uri = normal;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn f17_every_spelling_of_a_path_is_one() {
        for (given, expected) in [
            ("/mattermost/outgoing", "/mattermost/outgoing"),
            ("//mattermost/outgoing", "/mattermost/outgoing"),
            (
                "///mattermost///outgoing//?a=//b/",
                "/mattermost/outgoing?a=//b/",
            ),
            ("/mattermost/command/", "/mattermost/command"),
            ("/join/a%2F%2Fb/", "/join/a%2F%2Fb"),
            ("/", "/"),
            ("//", "/"),
            ("/?a=b", "/?a=b"),
            (
                "http://relay.example.org//plugnmeet/webhook/",
                "http://relay.example.org/plugnmeet/webhook",
            ),
            ("*", "*"),
        ] {
            let mut uri: Uri = given.parse().unwrap();
            normalize(&mut uri);
            assert_eq!(uri.to_string(), expected, "{given}");
        }
    }
}
