//! Recording (src/plugnmeet/README.md, "Recordings").

use std::sync::Arc;

use crate::plugnmeet::FakePlugNmeet;
use crate::plugnmeet::api::leave_reason;
use crate::plugnmeet::artifact::Recording;
use crate::plugnmeet::json::Object;
use crate::plugnmeet::session::{Phase, Session};
use crate::plugnmeet::state::Shared;
use crate::plugnmeet::webhook::RoomPart;

/// What the recorder claims a file's size to be, MB.
const CLAIMED_SIZE: f64 = 84.37;

impl FakePlugNmeet {
    /// A moderator starts a cloud recording: the bot joins, start_recording. The record id; `None` when the room does
    /// not run or is being recorded.
    pub fn start_recording(&self, room: &str) -> Option<String> {
        let now = self.shared.now_ms();
        let sid = self
            .shared
            .lock()
            .find(room)
            .filter(|one| one.recording.is_none())
            .map(|one| one.sid.clone())?;
        self.join_recorder_bot(&sid).ok()?;
        self.shared.change(|state| {
            let session = state
                .session(&sid)
                .filter(|session| session.phase == Phase::Running)?;
            let record_id = format!("{sid}-{now}");
            session.recording = Some(record_id.clone());
            session.metadata.set_bool("is_recording", true);
            self.shared
                .emit_recording(session, "start_recording", &record_id, "success");
            Some(record_id)
        })
    }

    /// The recording stops: end_recording with the recorder's message (`success`, or an error text), the bot leaves.
    /// The record id; `None` when nothing is recorded.
    pub fn stop_recording(&self, room: &str, recorder_msg: &str) -> Option<String> {
        self.shared.change(|state| {
            let session = state.find(room)?;
            let record_id = session.recording.take()?;
            session.metadata.set_bool("is_recording", false);
            self.shared
                .emit_recording(session, "end_recording", &record_id, recorder_msg);
            leave_reason(&self.shared, session, "RECORDER_BOT", "CLIENT_INITIATED");
            let sid = session.sid.clone();
            state.untranscoded.push((sid, record_id.clone()));
            Some(record_id)
        })
    }

    /// A recording becomes ready: stops the one that runs (starting one first if there is none and the room runs),
    /// then recording_proceeded and recording_transcoding_finished. Works after the end too. The record id.
    pub fn finish_recording(&self, room: &str) -> Option<String> {
        let sid = self
            .shared
            .lock()
            .find(room)
            .map(|session| session.sid.clone())?;
        let waiting = |shared: &Shared| {
            let state = shared.lock();
            state
                .untranscoded
                .iter()
                .find(|(of, _)| *of == sid)
                .map(|(_, record_id)| record_id.clone())
        };
        if self.stop_recording(&sid, "success").is_none()
            && waiting(&self.shared).is_none()
            && self.start_recording(&sid).is_some()
        {
            self.stop_recording(&sid, "success");
        }
        // An ended room that was never recorded gets the file of a recording all the same.
        let record_id =
            waiting(&self.shared).unwrap_or_else(|| format!("{sid}-{}", self.shared.now_ms()));
        self.shared.change(|state| {
            state
                .untranscoded
                .retain(|(_, waiting)| *waiting != record_id);
            let now = self.shared.now();
            let session = state.session(&sid)?;
            let recording = recorded(session, &record_id, now);
            state
                .files
                .insert(("recording", recording.file_path.clone()), small_mp4());
            state.recordings.push(recording);
            Some(())
        })?;
        self.announce_recording(&record_id);
        Some(record_id)
    }

    /// The recorder tells of a finished recording, or tells again: new event ids, the same record id.
    pub fn announce_recording(&self, record_id: &str) -> bool {
        self.shared.change(|state| {
            let Some(recording) = state
                .recordings
                .iter()
                .find(|one| one.record_id == record_id)
            else {
                return false;
            };
            let (sid, path) = (recording.room_sid.clone(), recording.file_path.clone());
            let Some(session) = state.session(&sid) else {
                return false;
            };
            let ready = recording_info(record_id, "success", &path, &CLAIMED_SIZE.to_string());
            self.shared
                .emit_forced(session, "recording_proceeded", &[("recording_info", ready)]);
            self.shared.emit_recording(
                session,
                "recording_transcoding_finished",
                record_id,
                "success",
            );
            true
        })
    }

    /// Transcoding fails: recording_transcoding_finished with an error text, and no file (recorded: webhook-32).
    pub fn fail_recording(&self, room: &str, recorder_msg: &str) -> Option<String> {
        let record_id = self.stop_recording(room, "success").or_else(|| {
            self.start_recording(room)?;
            self.stop_recording(room, "success")
        })?;
        self.shared.change(|state| {
            state
                .untranscoded
                .retain(|(_, waiting)| *waiting != record_id);
            let session = state.find(room)?;
            self.shared.emit_recording(
                session,
                "recording_transcoding_finished",
                &record_id,
                recorder_msg,
            );
            Some(record_id.clone())
        })
    }
}

impl Shared {
    /// Sends a recorder's event without a file.
    pub(crate) fn emit_recording(
        self: &Arc<Self>,
        session: &Session,
        event: &str,
        record_id: &str,
        msg: &str,
    ) {
        let info = recording_info(record_id, msg, "", "0");
        self.emit(session, event, RoomPart::Names, &[("recording_info", info)]);
    }
}

fn recording_info(record_id: &str, msg: &str, path: &str, size: &str) -> String {
    Object::new()
        .put("record_id", record_id)
        .put("recorder_id", "node_01")
        .put("recorder_msg", msg)
        .put("file_path", path)
        .raw("file_size", size)
        .finish()
}

fn recorded(session: &Session, record_id: &str, now: u64) -> Recording {
    Recording {
        record_id: record_id.to_owned(),
        room_id: session.room_id.clone(),
        room_sid: session.sid.clone(),
        file_path: format!("node_01/{}/{record_id}.mp4", session.room_id),
        file_size: CLAIMED_SIZE,
        creation_time: now,
        room_creation_time: session.creation_time,
        title: session.title.clone(),
        room_ended: session.ended,
    }
}

/// 1024 bytes that begin like an MP4.
fn small_mp4() -> Vec<u8> {
    let mut file = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom".to_vec();
    file.resize(1024, 0);
    file
}
