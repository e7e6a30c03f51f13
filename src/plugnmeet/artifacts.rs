//! Lists the recordings and artifacts of a session, page by page (src/plugnmeet/README.md, "Recordings" and
//! "Artifacts").

use serde_json::{Value, json};

use super::PlugNmeet;
use super::answer::{AnswerBody, unreadable};
use crate::domain::{ArtifactKind, Sid};
use crate::http::Operation;
use crate::ports::{ConferenceError, FoundArtifact};

/// Most recordings and artifacts of one session that are returned.
pub(super) const FOUND_MAX: usize = 200;

/// Entries per page, the most that plugNmeet returns.
const PAGE: usize = 100;

/// Most pages that are read. The list of artifacts also has usage records, which take up entries.
const PAGES_MAX: usize = 10;

/// The path and the field names of one of the two lists.
pub(super) struct ArtifactList {
    path: &'static str,
    total: &'static str,
    items: &'static str,
    id: &'static str,
    kind: fn(&Value) -> Option<ArtifactKind>,
}

/// The list of recordings.
pub(super) const RECORDINGS: ArtifactList = ArtifactList {
    path: "recording/fetch",
    total: "total_recordings",
    items: "recordings_list",
    id: "record_id",
    kind: |_| Some(ArtifactKind::Recording),
};

/// The list of artifacts.
pub(super) const ARTIFACTS: ArtifactList = ArtifactList {
    path: "artifact/fetch",
    total: "total_artifacts",
    items: "artifacts_list",
    id: "artifact_id",
    kind: |item| {
        let kind = item.get("type")?;
        ArtifactKind::of_plugnmeet(kind.as_str(), kind.as_i64())
    },
};

/// One page of a list.
struct Page {
    found: Vec<FoundArtifact>,
    /// The number of entries of all kinds on the page.
    entries: usize,
    /// The number of entries in the whole list, if the answer has it.
    total: Option<usize>,
}

impl PlugNmeet {
    /// All pages of one list, oldest first.
    pub(super) async fn fetch_all(
        &self,
        sid: &Sid,
        list: &'static ArtifactList,
    ) -> Result<Vec<FoundArtifact>, ConferenceError> {
        let (mut found, mut from) = (Vec::new(), 0);
        for _ in 0..PAGES_MAX {
            let body = json!({ "room_sid": sid, "from": from, "limit": PAGE, "order_by": "ASC" });
            let page = self
                .call(Operation::Ask, list.path, &body, |envelope| {
                    list.read(envelope)
                })
                .await?;
            found.extend(page.found);
            from += page.entries;
            let is_last = page
                .total
                .map_or(page.entries < PAGE, |total| from >= total);
            if is_last || page.entries == 0 || found.len() >= FOUND_MAX {
                break;
            }
        }
        found.truncate(FOUND_MAX);
        Ok(found)
    }
}

impl ArtifactList {
    fn read(&self, envelope: AnswerBody) -> Result<Page, ConferenceError> {
        let mut envelope = match envelope.succeeded() {
            Ok(envelope) => envelope,
            // plugNmeet answers "no artifact found" for an empty list.
            Err(ConferenceError::NotFound) => {
                return Ok(Page {
                    found: Vec::new(),
                    entries: 0,
                    total: Some(0),
                });
            }
            Err(error) => return Err(error),
        };
        let result: Value = envelope.take("result")?;
        let items = result
            .get(self.items)
            .and_then(Value::as_array)
            .ok_or_else(|| unreadable(self.items))?;
        let found = items.iter().filter_map(|item| {
            Some(FoundArtifact {
                id: item.get(self.id)?.as_str()?.parse().ok()?,
                kind: (self.kind)(item)?,
            })
        });
        Ok(Page {
            found: found.collect(),
            entries: items.len(),
            total: result.get(self.total).and_then(count),
        })
    }
}

/// A count, given as a number or as text.
fn count(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => usize::try_from(other.as_u64()?).ok(),
    }
}
