//! Meetings: looking them up and listing them. Only `apply` writes them.

use std::collections::HashMap;

use tokio_postgres::Row;

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, row, rows};
use super::text::Text;
use super::{limit, number, posts};
use crate::domain::choice::CANDIDATES_MAX;
use crate::domain::{ArtifactId, Meeting, MeetingId, RequestId, Timestamp};
use crate::ports::{MeetingFilter, MeetingSummary};
use crate::store::row_json::{self, damaged};
use crate::store::{LISTED_MAX, columns};

/// One statement, so that a meeting and its posts belong to the same moment. Only the first row has the body.
macro_rules! whole_where {
    ($which:literal) => {
        concat!(
            "SELECT m.id, CASE WHEN row_number() OVER (PARTITION BY m.id) = 1 THEN m.body END AS body,
                 p.key, p.body AS post
             FROM meetings AS m LEFT JOIN posts AS p ON p.meeting = m.id WHERE m.id = ",
            $which
        )
    };
}

/// The statement of [`read_whole`] for a list of ids.
pub(super) const WHOLE: &str = whole_where!("ANY($1::text[])");

/// A meeting with its posts.
pub(super) async fn load(
    client: &PostgresClient,
    id: MeetingId,
) -> Result<Option<Meeting>, StoreFailure> {
    let found = rows(client, whole_where!("$1"), &[&Text::shown(id)]).await?;
    only(found)
}

/// The meeting of a request, its first or an alias.
pub(super) async fn of_request(
    client: &PostgresClient,
    request: RequestId,
) -> Result<Option<Meeting>, StoreFailure> {
    let text = whole_where!("(SELECT meeting FROM requests WHERE request = $1)");
    only(rows(client, text, &[&Text::shown(request)]).await?)
}

/// The meeting that an artifact belongs to.
pub(super) async fn of_artifact(
    client: &PostgresClient,
    artifact: &ArtifactId,
) -> Result<Option<Meeting>, StoreFailure> {
    let text = whole_where!("(SELECT meeting FROM artifacts WHERE artifact = $1)");
    only(rows(client, text, &[&artifact.as_str()]).await?)
}

fn only(found: Vec<Row>) -> Result<Option<Meeting>, StoreFailure> {
    Ok(read_whole(&found)?.into_values().next())
}

/// The meetings in the rows of [`WHOLE`], with their posts.
pub(super) fn read_whole(found: &[Row]) -> Result<HashMap<MeetingId, Meeting>, StoreFailure> {
    let mut meetings = HashMap::new();
    for row in found {
        let body: Option<&str> = row.try_get("body")?;
        if let Some(body) = body {
            let id = read_id(row, "id")?;
            let meeting = row_json::read(id, body).map_err(StoreFailure::Refused)?;
            meetings.insert(id, meeting);
        }
    }
    for row in found {
        let id = read_id(row, "id")?;
        if let Some((key, post)) = posts::read(id, row)?
            && let Some(meeting) = meetings.get_mut(&id)
        {
            meeting.posts.insert(key, post);
        }
    }
    Ok(meetings)
}

/// The running meetings of a channel and its threads, newest first: at most [`CANDIDATES_MAX`].
pub(super) async fn running_in(
    client: &PostgresClient,
    channel: &str,
) -> Result<Vec<Meeting>, StoreFailure> {
    // Keys of conversations are `<channel key>|<thread>`, and `}` is the character after `|`.
    let text = whole_where!(
        "ANY(SELECT id FROM meetings WHERE running AND place >= ($1::text || '|') COLLATE \"C\"
                 AND place < ($1::text || '}') COLLATE \"C\"
             ORDER BY requested_at DESC, id DESC LIMIT $2)"
    );
    let most = limit(CANDIDATES_MAX, CANDIDATES_MAX);
    let found = rows(client, text, &[&Text::of(channel), &most]).await?;
    let mut running: Vec<Meeting> = read_whole(&found)?.into_values().collect();
    running.sort_by_key(|meeting| std::cmp::Reverse((meeting.requested_at, meeting.id)));
    Ok(running)
}

/// A listing, newest first.
pub(super) async fn list(
    client: &PostgresClient,
    filter: &MeetingFilter,
) -> Result<Vec<MeetingSummary>, StoreFailure> {
    macro_rules! listed {
        ($which:literal) => {
            concat!(
                "SELECT id, title, state, room, channel_name, starter, requested_at, first_request
                 FROM meetings ",
                $which,
                " ORDER BY requested_at DESC, id DESC LIMIT $1"
            )
        };
    }
    let most = limit(filter.limit, LISTED_MAX);
    // Two statements, so that each uses its own index.
    let text = if filter.running_only {
        listed!("WHERE running")
    } else {
        listed!("")
    };
    let found = rows(client, text, &[&most]).await?;
    found.iter().map(read_summary).collect()
}

/// Meetings that are to be woken; those that wait longest come first.
pub(super) async fn due(
    client: &PostgresClient,
    now: Timestamp,
    most: usize,
) -> Result<Vec<(MeetingId, u32)>, StoreFailure> {
    let text = "SELECT id, round FROM meetings WHERE wake_at <= $1 ORDER BY wake_at, id LIMIT $2";
    let found = rows(client, text, &[&now.millis(), &limit(most, usize::MAX)]).await?;
    let read = |row: &Row| {
        let id = read_id(row, "id")?;
        let round = number(row.try_get("round")?)
            .ok_or_else(|| StoreFailure::Refused(damaged(format_args!("meeting {id}"), "round")))?;
        Ok((id, round))
    };
    found.iter().map(read).collect()
}

/// How many meetings are not over.
pub(super) async fn count_running(client: &PostgresClient) -> Result<u64, StoreFailure> {
    super::count(
        client,
        "SELECT count(*) AS count FROM meetings WHERE running",
    )
    .await
}

/// Finds a meeting by an id that a person gives.
pub(super) async fn id_of(
    client: &PostgresClient,
    text: &str,
    reference: &str,
) -> Result<Option<MeetingId>, StoreFailure> {
    let found = row(client, text, &[&Text::of(reference)]).await?;
    found.map(|row| read_id(&row, "meeting")).transpose()
}

/// The meeting's id in a column.
pub(super) fn read_id(row: &Row, column: &str) -> Result<MeetingId, StoreFailure> {
    row_json::read_id(row.try_get(column)?).map_err(StoreFailure::Refused)
}

/// The same for a column that may be empty.
pub(super) fn read_optional_id(row: &Row, column: &str) -> Result<Option<MeetingId>, StoreFailure> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(row_json::read_id)
        .transpose()
        .map_err(StoreFailure::Refused)
}

fn read_summary(row: &Row) -> Result<MeetingSummary, StoreFailure> {
    let id = read_id(row, "id")?;
    let damaged =
        |column: &str| StoreFailure::Refused(damaged(format_args!("meeting {id}"), column));
    let state: &str = row.try_get("state")?;
    let first: &str = row.try_get("first_request")?;
    Ok(MeetingSummary {
        id,
        title: row.try_get("title")?,
        state: columns::state(state).ok_or_else(|| damaged("state"))?,
        room: row.try_get("room")?,
        channel_name: row.try_get("channel_name")?,
        starter: row.try_get("starter")?,
        requested_at: Timestamp::from_millis(row.try_get("requested_at")?),
        request: first.parse().map_err(|_| damaged("first_request"))?,
    })
}
