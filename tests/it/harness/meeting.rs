//! What most tests begin with: somebody asks for a meeting, its card comes, its room is made, people join it.

use world::mattermost::Post;
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

    /// A person joins the room: Ana as `u-ana`.
    pub fn join(&self, room: &RoomView, name: &str) {
        let identity = format!("u-{}", name.to_lowercase());
        let joined = self.conference.join(&room.room_id, name, &identity);
        joined.unwrap();
    }
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
