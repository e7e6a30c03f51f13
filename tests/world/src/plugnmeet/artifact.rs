//! Recordings and artifacts: rows of the database and their files
//! (src/plugnmeet/README.md, "Recordings" and "Artifacts").

use super::json::Object;

/// A recording whose file is ready.
pub(crate) struct Recording {
    pub(crate) record_id: String,
    pub(crate) room_id: String,
    pub(crate) room_sid: String,
    pub(crate) file_path: String,
    /// What the recorder claims, in MB of 1 000 000 bytes; not measured.
    pub(crate) file_size: f64,
    pub(crate) creation_time: u64,
    pub(crate) room_creation_time: u64,
    pub(crate) title: String,
    pub(crate) room_ended: Option<u64>,
}

impl Recording {
    /// The row in recording/fetch (recorded: api-recording-fetch).
    pub(crate) fn row(&self) -> String {
        let ended = self
            .room_ended
            .map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), rfc3339);
        let extra = Object::new()
            .put("meeting-created", rfc3339(self.room_creation_time))
            .put("meeting-ended", ended)
            .put("meeting-title", &self.title)
            .finish();
        let metadata = Object::new()
            .put("title", &self.title)
            .raw("subtitles", "{}")
            .raw("extra_data", &extra)
            .finish();
        Object::new()
            .put("record_id", &self.record_id)
            .put("room_id", &self.room_id)
            .put("room_sid", &self.room_sid)
            .put("file_path", &self.file_path)
            .put("file_size", self.file_size)
            .put("creation_time", self.creation_time.to_string())
            .put("room_creation_time", self.room_creation_time.to_string())
            .raw("metadata", &metadata)
            .finish()
    }
}

/// An artifact: a file or a cost record.
pub(crate) struct Artifact {
    pub(crate) artifact_id: String,
    pub(crate) room_id: String,
    pub(crate) room_sid: String,
    /// Its number in `ARTIFACT_TYPES`.
    pub(crate) kind: u64,
    pub(crate) created: u64,
    pub(crate) metadata: ArtifactMetadata,
}

/// What an artifact is about.
#[derive(Default)]
pub(crate) struct ArtifactMetadata {
    /// `provider_job_info` as (job_id, file_name); the name is a path on the server and must never leave the relay.
    pub(crate) provider_job: Option<(String, String)>,
    /// `file_info` as (file_path, file_size, mime_type).
    pub(crate) file: Option<(String, u64, &'static str)>,
    /// `token_usage` and the like: name, JSON text in webhooks, JSON text in answers.
    pub(crate) usage: Option<(&'static str, String, String)>,
    pub(crate) reference: Option<String>,
}

impl ArtifactMetadata {
    /// As in webhooks: what is unset is absent (recorded: webhook-34, webhook-35).
    pub(crate) fn in_webhook(&self) -> String {
        let (job, file) = self.parts();
        let object = Object::new()
            .raw_some("provider_job_info", job.as_deref())
            .raw_some("file_info", file.as_deref());
        self.rest(object, false)
    }

    /// As in answers: unset messages are `null` (recorded: api-artifact-fetch).
    pub(crate) fn in_answer(&self) -> String {
        let (job, file) = self.parts();
        let object = Object::new()
            .raw("user_info", "null")
            .raw("provider_job_info", job.as_deref().unwrap_or("null"))
            .raw("file_info", file.as_deref().unwrap_or("null"));
        self.rest(object, true)
    }

    fn parts(&self) -> (Option<String>, Option<String>) {
        let job = self.provider_job.as_ref().map(|(job_id, file_name)| {
            Object::new()
                .put("job_id", job_id)
                .put("file_name", file_name)
                .finish()
        });
        let file = self.file.as_ref().map(|(path, size, mime)| {
            Object::new()
                .put("file_path", path)
                .put("file_size", size.to_string())
                .put("mime_type", mime)
                .finish()
        });
        (job, file)
    }

    fn rest(&self, object: Object, in_answer: bool) -> String {
        let object = match &self.usage {
            Some((name, _, text)) if in_answer => object.raw(name, text),
            Some((name, text, _)) => object.raw(name, text),
            None => object,
        };
        object
            .put_some("reference_artifact_id", self.reference.as_ref())
            .finish()
    }
}

impl Artifact {
    /// The row in artifact/fetch.
    pub(crate) fn row(&self) -> String {
        Object::new()
            .put("artifact_id", &self.artifact_id)
            .put("room_id", &self.room_id)
            .put("type", self.kind_name())
            .put("created", rfc3339(self.created))
            .raw("metadata", &self.metadata.in_answer())
            .finish()
    }

    /// The name of its type.
    pub(crate) fn kind_name(&self) -> &'static str {
        let at = usize::try_from(self.kind).unwrap_or(0);
        super::schema::ARTIFACT_TYPES
            .get(at)
            .copied()
            .unwrap_or("UNKNOWN_ARTIFACT")
    }
}

/// Unix seconds as `2026-11-21T07:24:15Z`.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(0);
    jiff::Timestamp::from_second(seconds)
        .map(|time| time.to_string())
        .unwrap_or_default()
}
