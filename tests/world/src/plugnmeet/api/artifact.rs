//! /auth/artifact/fetch and getDownloadToken (src/plugnmeet/README.md, "Artifacts").

use std::sync::Arc;

use super::{DATABASE_DOWN, Page, is_asked_for, nothing_found, token_answer, understand};
use crate::plugnmeet::Backend;
use crate::plugnmeet::answer::{Answer, common};
use crate::plugnmeet::json::{Object, array};
use crate::plugnmeet::schema::{ARTIFACT, ARTIFACT_TYPES, FETCH_ARTIFACTS};
use crate::plugnmeet::state::Shared;

pub(super) fn fetch(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "artifact.fetch", FETCH_ARTIFACTS, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let state = shared.lock();
    if state.is_down(Backend::Database) {
        return Answer::internal(DATABASE_DOWN);
    }
    let kind = request.number("type");
    let asked = state
        .artifacts
        .iter()
        .filter(|one| is_asked_for(&request, &one.room_sid, &one.room_id));
    let rows: Vec<String> = asked
        .filter(|one| kind.is_none_or(|kind| kind == one.kind))
        .map(|artifact| artifact.row())
        .collect();
    if rows.is_empty() {
        return nothing_found("no artifact found");
    }
    let page = Page::of(&request);
    let name = kind.and_then(|kind| ARTIFACT_TYPES.get(usize::try_from(kind).ok()?));
    // from and limit are 64-bit here, hence texts.
    let result = Object::new()
        .put("total_artifacts", rows.len().to_string())
        .put("from", page.from.to_string())
        .put("limit", page.limit.to_string())
        .put("order_by", page.order_by)
        .put_some("type", name)
        .raw("artifacts_list", &array(page.cut(rows)))
        .finish();
    Answer::json(
        common(true, "success", "SUCCESS")
            .raw("result", &result)
            .finish(),
    )
}

pub(super) fn download_token(shared: &Arc<Shared>, body: &[u8]) -> Answer {
    let request = match understand(shared, "artifact.token", ARTIFACT, body) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let state = shared.lock();
    if state.is_down(Backend::Database) {
        return Answer::internal(DATABASE_DOWN);
    }
    let artifact_id = request.text("artifact_id");
    let Some(artifact) = state
        .artifacts
        .iter()
        .find(|artifact| artifact.artifact_id == artifact_id)
    else {
        return nothing_found("artifact not found");
    };
    match (&artifact.metadata.file, artifact.kind) {
        (Some((path, _, _)), 1 | 2 | 4) => {
            token_answer(&shared.download_token(path, shared.options.artifact_token_validity))
        }
        (None, 1 | 2 | 4) => Answer::internal("artifact has no downloadable file"),
        _ => Answer::internal(&format!(
            "'{}' artifact type is not downloadable",
            artifact.kind_name()
        )),
    }
}
