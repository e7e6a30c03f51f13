//! Summaries, transcripts and analytics (src/plugnmeet/README.md, "Artifacts" and "Summaries").

use std::sync::Arc;

use uuid::Uuid;

use crate::plugnmeet::FakePlugNmeet;
use crate::plugnmeet::artifact::{Artifact, ArtifactMetadata};
use crate::plugnmeet::json::{Object, array};
use crate::plugnmeet::session::Session;
use crate::plugnmeet::state::{Shared, State};
use crate::plugnmeet::webhook::RoomPart;

const ANALYTICS: u64 = 1;
const SUMMARY: u64 = 2;
const SUMMARY_USAGE: u64 = 3;
const TRANSCRIPTION: u64 = 4;
const TRANSCRIPTION_USAGE: u64 = 5;

impl FakePlugNmeet {
    /// The AI service delivers a summary in HTML: MEETING_SUMMARY and its _USAGE, past the room's queue. The artifact's
    /// id. `provider_job_info` holds a server path with CANARY.
    pub fn make_summary(&self, room: &str, html: &str) -> Option<String> {
        let now = self.shared.now_ms();
        self.shared.change(|state| {
            let session = state.find(room)?;
            let (room_id, sid) = (session.room_id.clone(), session.sid.clone());
            let job = (Uuid::new_v4().to_string(), format!("/srv/CANARY-provider-path/{room_id}/mixed_audio.wav"));
            let content = format!("Meeting Summary for: {room_id}\n\n---\n\n{html}");
            let path = format!("meeting_summary/{room_id}/summary_{sid}-{now}.txt");
            let file = store(state, path, content, "text/plain");
            let metadata =
                ArtifactMetadata { provider_job: Some(job.clone()), file: Some(file), ..ArtifactMetadata::default() };
            let id = add(&self.shared, state, &sid, SUMMARY, metadata)?;
            let costs = r#""prompt_tokens_estimated_cost":0.0182,"completion_tokens_estimated_cost":0.00049,"total_tokens_estimated_cost":0.01869}"#;
            let tokens = r#"{"prompt_tokens":52000,"completion_tokens":700,"total_tokens":52820,"#;
            let usage = ("token_usage", format!("{tokens}{costs}"), format!(r#"{tokens}"breakdown":{{}},{costs}"#));
            let metadata = ArtifactMetadata {
                provider_job: Some(job),
                usage: Some(usage),
                reference: Some(id.clone()),
                ..ArtifactMetadata::default()
            };
            add(&self.shared, state, &sid, SUMMARY_USAGE, metadata)?;
            Some(id)
        })
    }

    /// A transcript is stored: SPEECH_TRANSCRIPTION and its _USAGE. `cues` is what follows the WebVTT header. The id.
    pub fn make_transcript(&self, room: &str, cues: &str) -> Option<String> {
        let now = self.shared.now_ms();
        self.shared.change(|state| {
            let session = state.find(room)?;
            let (room_id, sid) = (session.room_id.clone(), session.sid.clone());
            let content = format!("WEBVTT\n\nNOTE Transcription for meeting: {room_id}\n\n{cues}");
            let path = format!("speech_transcription/{room_id}/transcription_{sid}-{now}.vtt");
            let file = store(state, path, content, "text/vtt");
            let metadata = ArtifactMetadata { file: Some(file), ..ArtifactMetadata::default() };
            let id = add(&self.shared, state, &sid, TRANSCRIPTION, metadata)?;
            let usage = r#"{"duration_sec":3400,"breakdown":{"total_usage":"3400"},"duration_sec_estimated_cost":0.944444}"#;
            let usage = Some(("duration_usage", usage.to_owned(), usage.to_owned()));
            let metadata = ArtifactMetadata { usage, reference: Some(id.clone()), ..ArtifactMetadata::default() };
            add(&self.shared, state, &sid, TRANSCRIPTION_USAGE, metadata)?;
            Some(id)
        })
    }

    /// The analytics are exported (in truth ~51 s after the end): MEETING_ANALYTICS and analytics_proceeded. The id.
    pub fn make_analytics(&self, room: &str) -> Option<String> {
        let now = self.shared.now_ms();
        self.shared.change(|state| {
            let session = state.find(room)?;
            let (room_id, sid) = (session.room_id.clone(), session.sid.clone());
            let content = analytics(session, now / 1000);
            let path = format!("meeting_analytics/{room_id}/analytics-{sid}-{now}.json");
            let file = store(state, path, content, "application/json");
            let metadata = ArtifactMetadata {
                file: Some(file),
                ..ArtifactMetadata::default()
            };
            let id = add(&self.shared, state, &sid, ANALYTICS, metadata)?;
            let part = Object::new().put("file_id", &id).finish();
            let session = state.session(&sid)?;
            self.shared.emit(
                session,
                "analytics_proceeded",
                RoomPart::Names,
                &[("analytics", part)],
            );
            Some(id)
        })
    }
}

fn store(
    state: &mut State,
    path: String,
    content: String,
    mime: &'static str,
) -> (String, u64, &'static str) {
    let size = content.len() as u64;
    state
        .files
        .insert(("artifact", path.clone()), content.into_bytes());
    (path, size, mime)
}

fn add(
    shared: &Arc<Shared>,
    state: &mut State,
    sid: &str,
    kind: u64,
    metadata: ArtifactMetadata,
) -> Option<String> {
    let artifact_id = Uuid::new_v4().to_string();
    let created = shared.now();
    let session = state.session(sid)?;
    let (room_id, room_sid) = (session.room_id.clone(), sid.to_owned());
    let artifact = Artifact {
        artifact_id: artifact_id.clone(),
        room_id,
        room_sid,
        kind,
        created,
        metadata,
    };
    let part = Object::new()
        .put("type", artifact.kind_name())
        .put("artifact_id", &artifact_id)
        .raw("metadata", &artifact.metadata.in_webhook())
        .finish();
    let parts = [("room_artifact", part)];
    if matches!(kind, SUMMARY | SUMMARY_USAGE) {
        shared.emit_forced(session, "artifact_created", &parts);
    } else {
        shared.emit(session, "artifact_created", RoomPart::Names, &parts);
    }
    state.artifacts.push(artifact);
    Some(artifact_id)
}

/// Counts bots as users, as the real one does.
fn analytics(session: &Session, now: u64) -> String {
    let ended = session.ended.unwrap_or(now);
    let room = Object::new()
        .put("room_id", &session.room_id)
        .put("room_title", &session.title)
        .put("room_total_users", session.attended.len().to_string())
        .put("room_creation", session.creation_time.to_string())
        .put("room_ended", ended.to_string())
        .put(
            "room_duration",
            ended.saturating_sub(session.creation_time).to_string(),
        )
        .raw("enabled_e2ee", "false")
        .raw("events", "[]")
        .finish();
    let users = array(session.attended.iter().map(|(user_id, name)| {
        let is_admin = session
            .users
            .get(user_id)
            .is_some_and(|user| user.metadata.is_true("is_admin"));
        let user = Object::new()
            .put("user_id", user_id)
            .put("name", name)
            .put("is_admin", is_admin);
        user.raw("events", "[]").finish()
    }));
    Object::new()
        .raw("room", &room)
        .raw("users", &users)
        .finish()
}
