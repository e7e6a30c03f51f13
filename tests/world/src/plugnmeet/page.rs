//! GET /?access_token=...: in place of the client, a small page that says who joined what, or why not.

use axum::http::Method;

use super::FakePlugNmeet;
use super::answer::Answer;

/// The client page. Opening it (GET) joins, as the real client does from the browser; a HEAD does nothing. The
/// status is 200 whatever the token is (src/plugnmeet/README.md, "Joining").
pub(crate) fn client(fake: &FakePlugNmeet, method: &Method, path: &str) -> Answer {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let fields: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let token = fields
        .iter()
        .find(|(name, _)| name == "access_token")
        .map(|(_, token)| token.as_str());
    let Some(token) = token.filter(|_| method == Method::GET) else {
        return page(
            "No meeting",
            "<p>There is no access token in this address.</p>",
        );
    };
    match fake.join_with_token(token) {
        Ok((room_id, name)) => page("In the meeting", &joined(&room_id, &name, token)),
        Err(why) => page(
            "Not in the meeting",
            &format!("<p id=\"reason\">{}</p>", escape(why)),
        ),
    }
}

/// A page with a heading and a body.
pub(crate) fn page(title: &str, body: &str) -> Answer {
    Answer::html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{{font:16px system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;background:#122;\
         color:#eee}}button{{font:inherit;padding:.5rem 1rem;margin-right:.5rem}}</style></head>\
         <body><p>plugNmeet (fake)</p><h1>{title}</h1>{body}</body></html>"
    ))
}

/// Text as HTML text.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn joined(room_id: &str, name: &str, token: &str) -> String {
    let button = |verb: &str, label: &str| {
        format!(
            "<form method=\"post\" action=\"/demo/{verb}\" style=\"display:inline\">\
             <input type=\"hidden\" name=\"access_token\" value=\"{}\"><button id=\"{verb}\">{label}</button></form>",
            escape(token)
        )
    };
    format!(
        "<p><strong id=\"name\">{}</strong> joined room <code id=\"room\">{}</code>.</p><p>{}{}</p>",
        escape(name),
        escape(room_id),
        button("leave", "Leave"),
        button("end", "End meeting")
    )
}
