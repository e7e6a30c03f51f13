//! plugNmeet's part: the calls that the relay makes.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{State, lock};
use crate::body::Room;

impl State {
    pub(super) fn conference(&self, kind: &str, call: &str, body: &Bytes) -> Option<(u16, String)> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let answer = match (kind, call) {
            ("room", "create") => self.create_room(&body)?,
            ("room", "isRoomActive") => self.is_active(&body)?,
            ("recording" | "artifact", "fetch") => {
                json!({"status": false, "msg": "no artifact found", "status_code": "NOT_FOUND"})
            }
            _ => return None,
        };
        Some((200, answer.to_string()))
    }

    fn create_room(&self, body: &Value) -> Option<Value> {
        let room_id = body["room_id"].as_str()?;
        let title = body["metadata"]["room_title"].as_str()?;
        let number = title.strip_prefix("Load ")?.parse().ok()?;
        let (room, is_new) = {
            let mut rooms = lock(&self.rooms);
            let is_new = !rooms.contains_key(room_id);
            let room = rooms.entry(room_id.to_owned()).or_insert_with(|| Room {
                number,
                room: room_id.to_owned(),
                sid: uuid::Uuid::new_v4().to_string(),
                created: jiff::Timestamp::now().as_second(),
            });
            (room.clone(), is_new)
        };
        let answer = json!({
            "status": true, "msg": "success", "status_code": "SUCCESS",
            "room_info": {
                "room_title": title, "room_id": room_id, "sid": room.sid, "joined_participants": "0",
                "is_running": 1, "creation_time": room.created.to_string(),
                "metadata": body["metadata"].to_string(),
            },
        });
        if is_new && let Some(tell) = self.tell.get() {
            tell(room);
        }
        Some(answer)
    }

    fn is_active(&self, body: &Value) -> Option<Value> {
        let number = lock(&self.rooms).get(body["room_id"].as_str()?)?.number;
        // A room is active until the relay has heard of its end. A second start waits before the end in the relay's
        // queue, for seconds under overload, and a room that had ended meanwhile would rightly get a successor.
        let is_active = !self.ledger.note(number, |entry| entry.shows_end)?;
        Some(json!({
            "status": true, "msg": "success", "status_code": "SUCCESS", "is_active": is_active,
        }))
    }
}
