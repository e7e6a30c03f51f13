//! Reading recorded exchanges, sending them again, and comparing what comes.

use std::path::Path;

use serde_json::Value;
use world::plugnmeet::FakePlugNmeet;

/// One recorded API call.
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    body: String,
    pub(crate) status: u16,
    content_type: String,
    pub(crate) answer: String,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub(crate) fn text(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/plugnmeet/recorded");
    let path = root.join(format!("{name}.http"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The head and the exact body of a recorded webhook.
pub(crate) fn webhook(name: &str) -> (Vec<(String, String)>, String) {
    let text = text(name);
    let (head, body) = text.split_once("\n\n").unwrap();
    let headers = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    (
        headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body.to_owned(),
    )
}

pub(crate) fn exchange(name: &str) -> Exchange {
    let text = text(name);
    let (request, reply): (Vec<&str>, Vec<&str>) =
        text.split('\n').partition(|line| line.starts_with('>'));
    let mut request = request
        .into_iter()
        .map(|line| line.trim_start_matches('>').trim_start_matches(' '));
    let first = request.next().unwrap();
    let (method, rest) = first.split_once(' ').unwrap();
    let path = rest.rsplit_once(' ').unwrap().0;
    let headers: Vec<_> = request
        .by_ref()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let body = request.next().unwrap_or("").to_owned();
    let reply = reply.join("\n");
    let (head, answer) = reply.trim_start_matches('\n').split_once("\n\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let content_type = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Type: "))
        .unwrap_or("")
        .to_owned();
    let answer = answer.to_owned();
    Exchange {
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body,
        status,
        content_type,
        answer,
    }
}

impl Exchange {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.answer)
            .unwrap_or_else(|error| panic!("{error}: {}", self.answer))
    }

    /// The recorded answer's type.
    pub(crate) fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Changes the recorded request; it is then signed anew when sent.
    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        self.body = self.body.replace(from, to);
        self.headers.clear();
    }

    /// Sends the recorded request, byte for byte, to the fake.
    pub(crate) async fn send(&self, fake: &FakePlugNmeet) -> Reply {
        if self.headers.is_empty() && self.method == "POST" {
            return call(fake, &self.path, &self.body).await;
        }
        let method = self.method.parse().unwrap();
        let mut request = client()
            .request(method, format!("{}{}", fake.url(), self.path))
            .body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        read(request.send().await.unwrap()).await
    }
}

/// Signs and sends a body to a path of the fake.
pub(crate) async fn call(fake: &FakePlugNmeet, path: &str, body: &str) -> Reply {
    read(request(fake, path, body).send().await.unwrap()).await
}

/// The same request, not yet sent.
pub(crate) fn request(fake: &FakePlugNmeet, path: &str, body: &str) -> reqwest::RequestBuilder {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(fake.options().api_secret.as_bytes()).unwrap();
    let signature = hex::encode(mac.chain_update(body.as_bytes()).finalize().into_bytes());
    client()
        .post(format!("{}{path}", fake.url()))
        .header("Content-Type", "application/json")
        .header("API-KEY", &fake.options().api_key)
        .header("HASH-SIGNATURE", signature)
        .body(body.to_owned())
}

/// Creates a room with a webhook URL; its sid.
pub(crate) async fn create(
    fake: &FakePlugNmeet,
    room_id: &str,
    webhook_url: Option<&str>,
) -> String {
    let mut metadata =
        serde_json::json!({"room_title": "T", "room_features": {}, "extra_data": {"id": "1"}});
    if let Some(url) = webhook_url {
        metadata["webhook_url"] = url.into();
    }
    let body = serde_json::json!({"room_id": room_id, "metadata": metadata}).to_string();
    let reply = call(fake, "/auth/room/create", &body).await.json();
    assert_eq!(reply["status"], true, "{reply}");
    reply["room_info"]["sid"].as_str().unwrap().to_owned()
}

/// A GET without following redirects.
pub(crate) async fn get(url: &str) -> Reply {
    read(client().get(url).send().await.unwrap()).await
}

pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

pub(crate) async fn read(reply: reqwest::Response) -> Reply {
    let content_type = reply
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned());
    let status = reply.status().as_u16();
    let body = String::from_utf8_lossy(&reply.bytes().await.unwrap()).into_owned();
    Reply {
        status,
        content_type: content_type.unwrap_or_default(),
        body,
    }
}

/// The fake says exactly what was recorded.
pub(crate) async fn assert_same(fake: &FakePlugNmeet, name: &str) {
    let exchange = exchange(name);
    let reply = exchange.send(fake).await;
    let got = (
        reply.status,
        reply.content_type.as_str(),
        reply.body.trim_end(),
    );
    assert_eq!(
        got,
        (
            exchange.status,
            exchange.content_type.as_str(),
            exchange.answer.trim_end()
        ),
        "{name}"
    );
}

/// Panics unless both values have the same keys, in the same order, and the same types. JSON texts inside are entered;
/// `free` names objects whose keys are free-form.
pub(crate) fn assert_same_shape(recorded: &str, ours: &str, what: &str) {
    let (recorded, ours) = (skeleton(recorded), skeleton(ours));
    assert_eq!(ours, recorded, "{what}");
}

/// A JSON text with every scalar replaced by its type, in its own order of keys.
fn skeleton(json: &str) -> String {
    let raw: &serde_json::value::RawValue =
        serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
    let text = raw.get();
    match text.as_bytes()[0] {
        b'{' => {
            let entries = entries(text);
            let free = entries
                .iter()
                .any(|(key, _)| key == "total_usage" || key == "relay_meeting_id" || key == "id1");
            let inner: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{key}: {}", skeleton(value)))
                .collect();
            if free {
                "{free}".to_owned()
            } else {
                format!("{{{}}}", inner.join(", "))
            }
        }
        b'[' => {
            let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(text).unwrap();
            items.first().map_or("[]".to_owned(), |item| {
                format!("[{}]", skeleton(item.get()))
            })
        }
        b'"' => {
            let inner: String = serde_json::from_str(text).unwrap();
            if inner.starts_with('{') {
                format!("text of {}", skeleton(&inner))
            } else {
                "text".to_owned()
            }
        }
        b't' | b'f' => "bool".to_owned(),
        b'n' => "null".to_owned(),
        _ => "number".to_owned(),
    }
}

fn entries(text: &str) -> Vec<(String, String)> {
    struct Entries(Vec<(String, String)>);
    impl<'de> serde::Deserialize<'de> for Entries {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Collect;
            impl<'de> serde::de::Visitor<'de> for Collect {
                type Value = Entries;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<M: serde::de::MapAccess<'de>>(
                    self,
                    mut map: M,
                ) -> Result<Entries, M::Error> {
                    let mut all = Vec::new();
                    while let Some((key, value)) =
                        map.next_entry::<String, Box<serde_json::value::RawValue>>()?
                    {
                        all.push((key, value.get().to_owned()));
                    }
                    Ok(Entries(all))
                }
            }
            deserializer.deserialize_map(Collect)
        }
    }
    serde_json::from_str::<Entries>(text).unwrap().0
}
