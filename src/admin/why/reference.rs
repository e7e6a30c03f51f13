//! From what a person has in hand to ids that the store can look for.

use crate::admin::api::Refused;
use crate::domain::{EventId, JobId, MeetingId, Timestamp};
use crate::token::Link;

/// What a text may be the reference of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reference {
    /// Ids to look for, the likeliest first; never empty.
    pub(super) ids: Vec<String>,
    /// The meeting that a job's id names.
    pub(super) meeting: Option<MeetingId>,
    /// It was a link of ours.
    pub(super) is_link: bool,
}

/// Reads an id, a permalink, a link of ours, or a text as it is shown to people (`... ref <id>`).
///
/// # Errors
/// A link of ours with a token that is not: nothing of it may be looked for.
pub(super) fn read(
    text: &str,
    verify: impl Fn(&str) -> Option<Link>,
) -> Result<Reference, Refused> {
    let text = text.trim();
    let link = match token_in(text) {
        Some(token) => Some(verify(token).ok_or_else(|| {
            Refused::bad(
                "this link is none of this relay's: its token was changed, cut, or signed with another secret",
            )
        })?),
        // A token alone; nothing else of ours verifies.
        None => verify(text),
    };
    if let Some(link) = link {
        let id = match (link.request(), link) {
            (Some(request), _) => request.to_string(),
            (None, Link::Artifact(id, _)) => id.to_string(),
            // Every other link has a request.
            (None, _) => String::new(),
        };
        return Ok(Reference {
            ids: vec![id],
            meeting: None,
            is_link: true,
        });
    }
    if let Some(post) = post_in(text) {
        return Ok(Reference {
            ids: vec![post.to_owned()],
            ..Reference::default()
        });
    }
    // `... ref <id>`, as every error that people see ends.
    let text = text
        .rsplit_once("ref ")
        .map_or(text, |(_, id)| id)
        .trim_matches(|c: char| {
            c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '.' | ',' | ')' | '(')
        });
    if text.contains(char::is_whitespace) || text.is_empty() {
        return Err(Refused::bad(
            "this is no id: give an event, meeting, request, room, session, artifact, post or job id, a permalink, a \
             link of this relay, or an error text with its ref",
        ));
    }
    let mut ids = vec![text.to_owned()];
    let lower = text.to_ascii_lowercase();
    if lower != text {
        ids.push(lower);
    }
    let job: Option<JobId> = text.parse().ok();
    Ok(Reference {
        ids,
        meeting: job.map(|job| job.meeting),
        is_link: false,
    })
}

/// When an id of ours was made, by the clock of the instance that made it; `None` for anything else.
pub(super) fn made_at(id: &str, now: Timestamp) -> Option<Timestamp> {
    let id: EventId = id.parse().ok()?;
    if id.uuid().get_version_num() != 7 {
        return None;
    }
    // A time to come is no time of making: another program's UUID.
    let at = id.made_at();
    (at.since(now).as_secs() < 3600).then_some(at)
}

/// The token of `.../join/<token>`, `.../artifact/<token>` or `.../artifact/<token>/file`.
fn token_in(text: &str) -> Option<&str> {
    let (_, rest) = text
        .split_once("/join/")
        .or_else(|| text.split_once("/artifact/"))?;
    rest.split(['/', '?', '#', ')', '>', ' ']).next()
}

/// The post of `https://chat/<team>/pl/<post>`, or of the client's `/_redirect/pl/<post>`.
fn post_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("/pl/")?;
    let post = rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
    (!post.is_empty()).then_some(post)
}
