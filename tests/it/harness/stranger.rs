//! Another client of the same plugNmeet.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{World, client};

/// Makes a room as another client of the same plugNmeet does; its webhooks come to the relay.
pub async fn make_room(world: &World, room_id: &str) -> String {
    let webhook_url = format!("{}/plugnmeet/webhook", world.relay.ports.public_url());
    let metadata = serde_json::json!({
        "room_title": "Not ours", "room_features": {}, "webhook_url": webhook_url,
    });
    let body = serde_json::json!({"room_id": room_id, "metadata": metadata}).to_string();
    let options = world.conference.options();
    let mac = Hmac::<Sha256>::new_from_slice(options.api_secret.as_bytes()).unwrap();
    let signature = hex::encode(mac.chain_update(body.as_bytes()).finalize().into_bytes());
    let answer = client()
        .post(format!("{}/auth/room/create", world.conference.url()))
        .header("Content-Type", "application/json")
        .header("API-KEY", &options.api_key)
        .header("HASH-SIGNATURE", signature)
        .body(body)
        .send()
        .await
        .unwrap();
    let answer = answer.bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["status"], true, "{answer}");
    answer["room_info"]["sid"].as_str().unwrap().to_owned()
}
