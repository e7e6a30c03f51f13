//! /auth/recording/fetch and getDownloadToken (src/plugnmeet/README.md, "Recordings").

use std::sync::Arc;

use super::{DATABASE_DOWN, Page, is_asked_for, nothing_found, token_answer, understand};
use crate::plugnmeet::Backend;
use crate::plugnmeet::answer::{Answer, common};
use crate::plugnmeet::json::{Object, array};
use crate::plugnmeet::schema::{FETCH_RECORDINGS, RECORD};
use crate::plugnmeet::state::Shared;

pub(super) fn fetch(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "recording.fetch", FETCH_RECORDINGS, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let state = shared.lock();
    if state.is_down(Backend::Database) {
        return Answer::internal(DATABASE_DOWN);
    }
    let asked = state
        .recordings
        .iter()
        .filter(|one| is_asked_for(&request, &one.room_sid, &one.room_id));
    let rows: Vec<String> = asked.map(|recording| recording.row()).collect();
    if rows.is_empty() {
        return nothing_found("no recording found");
    }
    let page = Page::of(&request);
    let result = Object::new()
        .put("total_recordings", rows.len().to_string())
        .put("from", page.from)
        .put("limit", page.limit)
        .put("order_by", page.order_by)
        .raw("recordings_list", &array(page.cut(rows)))
        .finish();
    Answer::json(
        common(true, "success", "SUCCESS")
            .raw("result", &result)
            .finish(),
    )
}

pub(super) fn download_token(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "recording.token", RECORD, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let state = shared.lock();
    if state.is_down(Backend::Database) {
        return Answer::internal(DATABASE_DOWN);
    }
    let record_id = request.text("record_id");
    match state
        .recordings
        .iter()
        .find(|recording| recording.record_id == record_id)
    {
        Some(recording) => token_answer(&shared.download_token(
            &recording.file_path,
            shared.options.recording_token_validity,
        )),
        None => nothing_found("recording not found"),
    }
}
