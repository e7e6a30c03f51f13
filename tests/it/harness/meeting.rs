//! What most tests begin with: somebody asks for a meeting, its card comes, its room is made, people join it.

use world::Fault;
use world::mattermost::{Model, Post};
use world::plugnmeet::RoomView;

use super::World;

impl World {
    /// `user` says "meet now" with this title in a channel; gives the card.
    pub async fn card_of(&self, user: &str, channel: &str, title: &str) -> Post {
        let phrase = format!("meet now: {title}");
        self.chat.say(user, channel, &phrase).await;
        self.card(channel, title).await
    }

    /// The same by Ana; gives the card and the room.
    pub async fn meeting(&self, channel: &str, title: &str) -> (Post, RoomView) {
        let card = self.card_of("ana", channel, title).await;
        (card, self.room().await)
    }

    /// Waits until the card's message and frame are so, and gives them.
    pub async fn until(&self, card: &Post, is_so: impl Fn(&str) -> bool) -> String {
        let look = |chat: &Model| {
            let text = shown(chat.post(&card.id)?);
            is_so(&text).then_some(text)
        };
        self.see("the card to change", look).await
    }

    /// Waits until the card says that the meeting is over.
    pub async fn until_over(&self, card: &Post) -> String {
        self.until(card, is_over).await
    }

    /// From now on Mattermost takes no post, for a reason that stays: cards become dead letters.
    pub fn refuse_cards(&self) {
        let body = r#"{"id":"model.post.is_valid.msg.app_error","message":"Invalid message.","detailed_error":"","request_id":"x","status_code":400}"#;
        let refusal = Fault::Answer {
            status: 400,
            body: body.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        };
        self.chat.faults().set("posts.create", refusal);
    }

    /// A person joins the room: Ana as `u-ana`.
    pub fn join(&self, room: &RoomView, name: &str) {
        let identity = format!("u-{}", name.to_lowercase());
        let joined = self.conference.join(&room.room_id, name, &identity);
        joined.unwrap();
    }
}

/// The message and the frame of a card.
pub fn shown(post: &Post) -> String {
    format!("{} {}", post.message, post.attachments()[0])
}

/// What a card shows is the end of its meeting.
pub fn is_over(text: &str) -> bool {
    text.contains("ended") && !text.contains("Join the meeting")
}

/// The first link in `text` whose path contains `path`, such as `/join/`.
pub fn link_in(text: &str, path: &str) -> String {
    let at = text
        .find(path)
        .unwrap_or_else(|| panic!("no {path} in {text}"));
    let start = text[..at].rfind("http").unwrap();
    let end = text[at..].find([')', '"', ' ', '\n', '\\']);
    text[start..end.map_or(text.len(), |end| at + end)].to_owned()
}
