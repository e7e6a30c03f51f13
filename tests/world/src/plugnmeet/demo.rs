//! The verbs over plain HTTP, for the demo page: POST `/demo/<verb>` with a form or a JSON object, GET /demo/rooms.
//!
//! This is no part of plugNmeet. Fields: `room_id` (or a sid), `name`, `user_id`, `token` (a join token), `html`.
//! The client page's own buttons send `access_token` and get a page back.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method};

use super::FakePlugNmeet;
use super::answer::Answer;
use super::json::{Object, array};
use super::page::{escape, page};

type Fields = BTreeMap<String, String>;

pub(crate) fn answer(
    fake: &FakePlugNmeet,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let verb = path
        .split('?')
        .next()
        .unwrap_or(path)
        .trim_start_matches("/demo/");
    if method == Method::OPTIONS {
        return open(Answer::json(String::new()));
    }
    if (method, verb) == (&Method::GET, "rooms") {
        return open(Answer::json(rooms(fake)));
    }
    if method != Method::POST {
        return open(refusal("use POST"));
    }
    let json = headers
        .get("content-type")
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let fields: Option<Fields> = if json {
        serde_json::from_slice(body).ok()
    } else {
        serde_urlencoded::from_bytes(body).ok()
    };
    let Some(fields) = fields else {
        return open(refusal(
            "the body is neither a form nor a JSON object of texts",
        ));
    };
    match fields.get("access_token") {
        Some(token) => button(fake, verb, token),
        None => open(carry_out(fake, verb, &fields)),
    }
}

fn carry_out(fake: &FakePlugNmeet, verb: &str, fields: &Fields) -> Answer {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let room = field("room_id");
    let html = if field("html").is_empty() {
        SUMMARY
    } else {
        field("html")
    };
    let result = match verb {
        "join" if !field("token").is_empty() => fake
            .join_with_token(field("token"))
            .map(|(room_id, _)| room_id),
        "join" => fake.join(room, field("name"), field("user_id")),
        "leave" => fake
            .leave(room, field("user_id"))
            .then(String::new)
            .ok_or("that person is not in"),
        "end" => fake
            .end_room(room)
            .then(String::new)
            .ok_or("the room does not run"),
        "recording" => fake.finish_recording(room).ok_or("no such room"),
        "summary" => fake.make_summary(room, html).ok_or("no such room"),
        "transcript" => fake.make_transcript(room, TRANSCRIPT).ok_or("no such room"),
        "analytics" => fake.make_analytics(room).ok_or("no such room"),
        _ => Err("no such verb"),
    };
    match result {
        Ok(id) => Answer::json(Object::new().put("status", true).put("id", id).finish()),
        Err(why) => refusal(why),
    }
}

const SUMMARY: &str = "<h3>Decisions</h3><ul><li><strong>Ship</strong> on Friday</li></ul><p>Ana writes the notes.</p>";
const TRANSCRIPT: &str = "1\n00:00:00.000 --> 00:00:00.000\n<v Ana Müller>Hello team.\n\n";

fn button(fake: &FakePlugNmeet, verb: &str, token: &str) -> Answer {
    match verb {
        "leave" => match fake.leave_with_token(token) {
            Some(room_id) => page(
                "You left",
                &format!("<p>You left room <code>{}</code>.</p>", escape(&room_id)),
            ),
            None => page("Not in the meeting", "<p>You were not in.</p>"),
        },
        "end" => {
            let room =
                super::api::check_join_token(&fake.shared, token).map(|claims| claims.room_id);
            match room {
                Ok(room_id) if fake.end_room(&room_id) => {
                    page("Meeting ended", "<p>The meeting ends for everyone.</p>")
                }
                Ok(_) => page("Meeting ended", "<p>It had ended before.</p>"),
                Err(why) => page("Not in the meeting", &format!("<p>{}</p>", escape(why))),
            }
        }
        _ => refusal("no such button"),
    }
}

fn rooms(fake: &FakePlugNmeet) -> String {
    array(fake.rooms().iter().rev().take(50).map(|room| {
        let people = array(room.participants.iter().map(|(identity, name)| {
            Object::new()
                .put("user_id", identity)
                .put("name", name)
                .finish()
        }));
        Object::new()
            .put("room_id", &room.room_id)
            .put("sid", &room.sid)
            .put("title", &room.title)
            .put("phase", format!("{:?}", room.phase).to_lowercase())
            .raw("participants", &people)
            .finish()
    }))
}

fn refusal(why: &str) -> Answer {
    Answer {
        status: 400,
        ..Answer::json(Object::new().put("status", false).put("msg", why).finish())
    }
}

/// The demo page is served from another port.
fn open(mut answer: Answer) -> Answer {
    answer
        .headers
        .push(("access-control-allow-origin", "*".to_owned()));
    answer
        .headers
        .push(("access-control-allow-headers", "content-type".to_owned()));
    answer
}
