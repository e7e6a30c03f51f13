//! Sends every recorded body to every route. Each gets the designed answer, and none is mistaken for another kind.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;
use tokio::time::Instant;

use super::{IngressBench, NOW, post, vectors};
use crate::ingress::inbound::{FORM, Inbound, JSON};

/// The files below a folder of tests/vectors, with their folder, sorted.
fn files_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.file_name().unwrap() != "README.md" {
            let name = path.strip_prefix(vectors()).unwrap();
            found.insert(name.to_str().unwrap().to_owned());
        }
    }
}

/// The bodies in a file: that of a recorded request, those of both sides, or the file itself.
fn bodies(name: &str) -> Vec<Vec<u8>> {
    let file = std::fs::read(vectors().join(name)).unwrap();
    if !name.ends_with(".http") {
        return vec![file];
    }
    let text = String::from_utf8_lossy(&file).into_owned();
    let mut asked = text.lines().filter_map(|line| line.strip_prefix("> "));
    let asked = asked.next_back().map(|line| line.as_bytes().to_vec());
    let (_, rest) = text.split_once("\n\n").unwrap_or_default();
    asked
        .into_iter()
        .chain([rest.as_bytes().to_vec()])
        .collect()
}

/// The named fields of a body: of a JSON object or of a form.
fn fields(body: &[u8]) -> Vec<(String, Value)> {
    if let Ok(Value::Object(object)) = serde_json::from_slice(body) {
        return object.into_iter().collect();
    }
    form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), value.into()))
        .collect()
}

/// The fields as a form under a token that the ingress admits.
fn form(fields: &[(String, Value)], token: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.iter().filter(|(name, _)| name != "token") {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(name, &value);
    }
    form.append_pair("token", token).finish()
}

/// The fields as an object under a token that the ingress admits.
fn object(fields: &[(String, Value)], token: &str) -> String {
    let mut object: serde_json::Map<_, _> = fields.iter().cloned().collect();
    object.insert("token".to_owned(), token.into());
    Value::Object(object).to_string()
}

/// A webhook with plugNmeet's signature over the body.
fn signed(body: &[u8]) -> Inbound {
    let seconds = NOW.millis() / 1000;
    let secret = "zumyyYWqv7KR2kUqvYdq4z4sXg7XTBD2ljT6";
    let token = world::plugnmeet::sign_webhook("plugnmeet", secret, body, seconds);
    let mut inbound = post(JSON, body.to_vec());
    let token = HeaderValue::from_str(&token).unwrap();
    inbound.headers.insert("authorization", token);
    inbound
}

/// A command by GET: the fields are in the query.
fn by_get(form: &str) -> Inbound {
    let mut inbound = post(FORM, "");
    inbound.method = Method::GET;
    inbound.headers = HeaderMap::new();
    inbound.query = form.to_owned();
    inbound
}

/// The body as a request to each route that accepts events: the route, the files that belong to it, the request.
fn requests(body: &[u8]) -> Vec<(&'static str, &'static str, Inbound)> {
    let fields = fields(body);
    let as_form = |token| form(&fields, token);
    let as_object = |token| object(&fields, token);
    let mut requests = vec![
        ("outgoing", "/outgoing-", post(FORM, as_form("outgoing-1"))),
        (
            "outgoing",
            "/outgoing-",
            post(JSON, as_object("outgoing-1")),
        ),
        ("command", "/command-", post(JSON, as_object("command-1"))),
        ("webhook", "plugnmeet/", signed(body)),
    ];
    // The fields of a JSON object as a form would be a command that nobody sends: without text it is a start.
    if serde_json::from_slice::<Value>(body).is_err() {
        let form = as_form("command-1");
        requests.push(("command", "/command-", by_get(&form)));
        requests.push(("command", "/command-", post(FORM, form)));
    }
    requests
}

#[tokio::test]
async fn any_recorded_body_at_any_route_is_answered_and_only_its_own_kind_becomes_an_event() {
    let mut names = BTreeSet::new();
    files_below(&vectors(), &mut names);
    assert!(names.len() > 500, "{}", names.len());
    let bench = IngressBench::new(None);
    let ingress = bench.ingress();
    let (mut wrong, mut taken) = (Vec::new(), BTreeSet::new());
    // The requests are far enough apart that no rate limit applies.
    let mut since = Instant::now();
    for name in &names {
        let is_call = name.contains("/rest/") || name.contains("/api-");
        for body in bodies(name) {
            for (route, own, mut inbound) in requests(&body) {
                since += Duration::from_secs(120);
                inbound.since = since;
                let is_json = inbound
                    .headers
                    .get(http::header::CONTENT_TYPE)
                    .is_some_and(|kind| kind == JSON);
                let (answer, fine): (_, &[u16]) = match route {
                    "outgoing" => (ingress.outgoing.answer(inbound).await, &[200, 400]),
                    "command" if is_json => (ingress.command.answer(inbound).await, &[415]),
                    "command" => (ingress.command.answer(inbound).await, &[200, 400]),
                    _ => (ingress.webhook.answer(inbound).await, &[200, 400]),
                };
                let status = answer.status().as_u16();
                let events = bench.sink.take();
                let is_own = name.contains(own) && !is_call;
                if !fine.contains(&status) || !(events.is_empty() || is_own) {
                    wrong.push(format!("{route} {name}: {status} {events:?}"));
                }
                if !events.is_empty() {
                    taken.insert(route);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(taken.len(), 3, "{taken:?}");
}
