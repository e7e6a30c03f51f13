//! Turns a reference that a person gives (an id, a link, an error text) into ids that the store can look up.

use super::call::{ApiCall, ApiRefusal};
use crate::domain::{EventId, JobId, Meeting, MeetingId, Timestamp};
use crate::ports::{DeadFilter, DeadLetter, Lookup};
use crate::token::Link;

/// Longest reference that is read, in bytes: a link with its token, or a text around an id.
const REFERENCE_BYTES_MAX: usize = 1000;
/// Most dead letters of one meeting that are named when the caller must choose one.
const LETTERS_NAMED_MAX: usize = 10;

/// What a text may refer to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reference {
    /// Ids to look up, the most likely first; never empty.
    pub(super) ids: Vec<String>,
    /// The meeting that a job's id names.
    pub(super) meeting: Option<MeetingId>,
    /// Whether it was a link of the relay.
    pub(super) is_link: bool,
}

/// Reads `text` and looks its ids up. Returns the first id that is known, or the first id if none is.
pub(super) async fn resolve(
    call: &ApiCall,
    text: &str,
) -> Result<(Reference, String, Lookup), ApiRefusal> {
    if text.trim().is_empty() || text.len() > REFERENCE_BYTES_MAX {
        return Err(ApiRefusal::bad("a reference must have 1 to 1000 bytes"));
    }
    let (links, store) = (&call.admin.links, &call.admin.store);
    let reference = read(text, |token| links.verify(token))?;
    for id in &reference.ids {
        let lookup = store.find(id).await?;
        if lookup != Lookup::default() {
            let id = id.clone();
            return Ok((reference, id, lookup));
        }
    }
    let id = reference.ids.first().cloned().unwrap_or_default();
    let mut lookup = Lookup::default();
    // The dead letter may be gone while its meeting is still stored.
    if let Some(meeting) = reference.meeting
        && store.meeting(meeting).await?.is_some()
    {
        lookup.meeting = Some(meeting);
    }
    Ok((reference, id, lookup))
}

/// The meeting that `text` refers to.
pub(super) async fn meeting(call: &ApiCall, text: &str) -> Result<Meeting, ApiRefusal> {
    if let Ok(id) = text.parse::<MeetingId>()
        && let Some(meeting) = call.admin.store.meeting(id).await?
    {
        return Ok(meeting);
    }
    let (_, id, lookup) = resolve(call, text).await?;
    let meeting = match lookup.meeting {
        Some(meeting) => call.admin.store.meeting(meeting).await?,
        None => None,
    };
    meeting.ok_or_else(|| ApiRefusal::not_found(&format!("meeting of {id}")))
}

/// The dead letter of this id, or the only one of the meeting that `text` refers to.
pub(super) async fn letter(call: &ApiCall, text: &str) -> Result<DeadLetter, ApiRefusal> {
    let store = &call.admin.store;
    if let Some(letter) = store.dead_letter(text).await? {
        return Ok(letter);
    }
    let (reference, id, lookup) = resolve(call, text).await?;
    let none = || ApiRefusal::not_found(&format!("dead letter of {id}"));
    if let Some(letter) = lookup.letter {
        return store.dead_letter(&letter.id).await?.ok_or_else(none);
    }
    // The id of a job or an event stands only for itself: if it has no dead letter, no other one may be used instead.
    if reference.meeting.is_some() || lookup.event.is_some() {
        return Err(none());
    }
    let filter = DeadFilter {
        meeting: Some(lookup.meeting.ok_or_else(none)?),
        ..DeadFilter::newest(LETTERS_NAMED_MAX)
    };
    let letters = store.dead_letters(filter).await?;
    match letters.as_slice() {
        [] => Err(none()),
        [letter] => store.dead_letter(&letter.id).await?.ok_or_else(none),
        several => {
            let ids: Vec<&str> = several.iter().map(|letter| letter.id.as_str()).collect();
            Err(ApiRefusal::bad(&format!(
                "its meeting has several dead letters; name one of them: {}",
                ids.join(", ")
            )))
        }
    }
}

/// Reads an id, a permalink, a link of the relay, or a text as it is shown to people (`... ref <id>`).
///
/// # Errors
/// The text has no id, or it is a link of the relay whose token does not verify: no part of such a link may be looked
/// up.
pub(super) fn read(
    text: &str,
    verify: impl Fn(&str) -> Option<Link>,
) -> Result<Reference, ApiRefusal> {
    let text = text.trim();
    let link = match token_in(text) {
        Some(token) => Some(verify(token).ok_or_else(|| {
            ApiRefusal::bad(
                "this link was not made by this relay: its token was changed, cut, or signed with another secret",
            )
        })?),
        // The text may be a token alone. No other text verifies.
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
    // Every error that people see ends with `... ref <id>`.
    let text = text
        .rsplit_once("ref ")
        .map_or(text, |(_, id)| id)
        .trim_matches(|c: char| {
            c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '.' | ',' | ')' | '(')
        });
    if text.contains(char::is_whitespace) || text.is_empty() {
        return Err(ApiRefusal::bad(
            "this is not an id: give an event, meeting, request, room, session, artifact, post or job id, a permalink, a \
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

/// When an id of the relay was made, on the clock of the instance that made it; `None` for any other text.
pub(super) fn made_at(id: &str, now: Timestamp) -> Option<Timestamp> {
    let id: EventId = id.parse().ok()?;
    if id.uuid().get_version_num() != 7 {
        return None;
    }
    // A UUID with a time in the future was made by another program.
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
