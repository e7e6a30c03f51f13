//! The text to a person whose card cannot be posted: where, why, and who can change that.

use std::fmt::Display;

use super::{bold, name};

/// Why the bot cannot post in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CannotPost {
    /// It is not in the channel, and only a member can invite it.
    NotInChannel,
    /// It is not in the channel's team.
    NotInTeam,
    /// The channel is public, but the bot has no permission to join by itself.
    MayNotJoin,
    /// It is a member of the channel, but members may not post there.
    MayNotPost,
}

impl CannotPost {
    /// The reason, for the log and the history of the meeting.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::NotInChannel => "the bot is not in the channel: invite it",
            Self::NotInTeam => {
                "the bot is not in the channel's team: a team administrator can add it"
            }
            Self::MayNotJoin => "the bot may not join the channel by itself: invite it",
            Self::MayNotPost => {
                "the bot is in the channel and may not post there: see the channel's moderation settings"
            }
        }
    }
}

/// The channel that the card should be posted in, as it is shown to a person.
#[derive(Debug, Clone)]
pub(crate) struct Spot<'a> {
    /// The team's name in addresses; may be empty.
    pub team: &'a str,
    /// The channel's name in addresses, and its address. `None` if the text is shown in that channel itself.
    pub channel: Option<(&'a str, Option<String>)>,
    /// The bot's user name.
    pub bot: &'a str,
}

impl Spot<'_> {
    /// The channel in a sentence.
    fn channel(&self) -> String {
        let Some((channel, address)) = &self.channel else {
            return "this channel".to_owned();
        };
        let team = match self.team() {
            Some(team) => format!(" (team {team})"),
            None => String::new(),
        };
        match (name(channel), address) {
            (channel, Some(address)) => format!("[~{channel}]({address}){team}"),
            (channel, None) if channel.is_empty() => "the channel of your meeting".to_owned(),
            (channel, None) => format!("~{channel}{team}"),
        }
    }

    fn team(&self) -> Option<String> {
        let team = name(self.team);
        (!team.is_empty()).then(|| format!("**{team}**"))
    }

    /// The word for the channel's location, from the reader's point of view.
    const fn there(&self) -> &'static str {
        match self.channel {
            Some(_) => "there",
            None => "here",
        }
    }
}

/// Reports privately that the card cannot be posted, and what to change. `link` is the person's own.
pub(crate) fn cannot_post(
    obstacle: CannotPost,
    spot: &Spot<'_>,
    title: &str,
    link: &str,
    reference: impl Display,
) -> String {
    let (bot, channel, there, title) = (name(spot.bot), spot.channel(), spot.there(), bold(title));
    let remedy = match obstacle {
        CannotPost::NotInChannel => format!(
            "I cannot post in {channel} yet, because I am not a member: type `/invite @{bot}` {there}, and the card of \
             {title} follows."
        ),
        CannotPost::MayNotJoin => format!(
            "I cannot post in {channel} yet, because I may not join it by myself: type `/invite @{bot}` {there}, and the \
             card of {title} follows."
        ),
        CannotPost::NotInTeam => {
            let team = match spot.team() {
                Some(team) => format!("the team {team}"),
                None => "its team".to_owned(),
            };
            format!(
                "I cannot post in {channel} yet, because I am not in {team}: a team administrator can add @{bot} with \
                 \"Invite people\" in the team's menu. A private channel needs `/invite @{bot}` as well. Then the card \
                 of {title} follows."
            )
        }
        CannotPost::MayNotPost => format!(
            "I may not post in {channel}: I am a member, but its members may not post. A channel or system administrator \
             can allow it (Channel Settings > Moderation > Create Posts), or make me a channel administrator. Then the \
             card of {title} follows."
        ),
    };
    format!(
        "{remedy} The meeting's link works all the same: **[Join the meeting]({link})**. ref {reference}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "https://relay.example.org/join/T";

    fn text_of(obstacle: CannotPost, channel: Option<(&str, Option<String>)>) -> String {
        let spot = Spot {
            team: "engineering",
            channel,
            bot: "meetrelay",
        };
        cannot_post(obstacle, &spot, "Weekly sync", LINK, "0193-ref")
    }

    fn elsewhere() -> Option<(&'static str, Option<String>)> {
        let address = "https://chat.example.org/engineering/channels/dev".to_owned();
        Some(("dev", Some(address)))
    }

    #[test]
    fn f13_member_that_may_not_post_asks_for_no_invitation() {
        insta::assert_snapshot!(text_of(CannotPost::MayNotPost, None), @r#"I may not post in this channel: I am a member, but its members may not post. A channel or system administrator can allow it (Channel Settings > Moderation > Create Posts), or make me a channel administrator. Then the card of **Weekly sync** follows. The meeting's link works all the same: **[Join the meeting](https://relay.example.org/join/T)**. ref 0193-ref"#);
    }

    #[test]
    fn f24_each_case_has_its_remedy_and_a_direct_message_names_the_place() {
        insta::assert_snapshot!(text_of(CannotPost::NotInChannel, None), @"I cannot post in this channel yet, because I am not a member: type `/invite @meetrelay` here, and the card of **Weekly sync** follows. The meeting's link works all the same: **[Join the meeting](https://relay.example.org/join/T)**. ref 0193-ref");
        insta::assert_snapshot!(text_of(CannotPost::NotInChannel, elsewhere()), @"I cannot post in [~dev](https://chat.example.org/engineering/channels/dev) (team **engineering**) yet, because I am not a member: type `/invite @meetrelay` there, and the card of **Weekly sync** follows. The meeting's link works all the same: **[Join the meeting](https://relay.example.org/join/T)**. ref 0193-ref");
        insta::assert_snapshot!(text_of(CannotPost::MayNotJoin, Some(("dev", None))), @"I cannot post in ~dev (team **engineering**) yet, because I may not join it by myself: type `/invite @meetrelay` there, and the card of **Weekly sync** follows. The meeting's link works all the same: **[Join the meeting](https://relay.example.org/join/T)**. ref 0193-ref");
        insta::assert_snapshot!(text_of(CannotPost::NotInTeam, elsewhere()), @r#"I cannot post in [~dev](https://chat.example.org/engineering/channels/dev) (team **engineering**) yet, because I am not in the team **engineering**: a team administrator can add @meetrelay with "Invite people" in the team's menu. A private channel needs `/invite @meetrelay` as well. Then the card of **Weekly sync** follows. The meeting's link works all the same: **[Join the meeting](https://relay.example.org/join/T)**. ref 0193-ref"#);
    }
}
