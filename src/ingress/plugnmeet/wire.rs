//! The bodies of plugNmeet's webhooks: protojson, read with tolerance for the differences between versions
//! (src/plugnmeet/README.md, "Webhook bodies").
//!
//! No type here implements `Debug`, because `metadata` holds the key of end-to-end encryption, pins and stream keys.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The fields that identify the event.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Head {
    pub(super) event: Option<String>,
    pub(super) id: Option<String>,
}

/// The fields of an event that the relay reads.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WebhookBody {
    pub(super) created_at: Option<Number>,
    pub(super) room: Option<WebhookRoom>,
    pub(super) participant: Option<Participant>,
    pub(super) recording_info: Option<RecordingInfo>,
    pub(super) room_artifact: Option<RoomArtifact>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WebhookRoom {
    pub(super) sid: Option<String>,
    pub(super) room_id: Option<String>,
    pub(super) creation_time: Option<Number>,
    pub(super) metadata: Option<String>,
}

/// The two fields of a room's metadata that are read; all others are dropped.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) is_breakout_room: Option<bool>,
    pub(super) parent_room_id: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Participant {
    pub(super) sid: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) name: Option<String>,
    pub(super) joined_at: Option<Number>,
    pub(super) joined_at_ms: Option<Number>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RecordingInfo {
    pub(super) record_id: Option<String>,
    pub(super) recorder_msg: Option<String>,
}

/// An artifact. Its `metadata` (paths on the server, cost) is not read.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RoomArtifact {
    #[serde(rename = "type")]
    pub(super) kind: Option<EnumWord>,
    pub(super) artifact_id: Option<String>,
}

/// An int64, given as a number or as text.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) i64);

/// The value of an enumeration, by name or by number.
pub(super) enum EnumWord {
    Name(String),
    Number(i64),
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        match reader.deserialize_any(Scalar(PhantomData))? {
            EnumWord::Number(number) => Ok(Self(number)),
            EnumWord::Name(text) => text.trim().parse().map(Self).map_err(D::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for EnumWord {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Scalar(PhantomData))
    }
}

struct Scalar(PhantomData<()>);

impl Visitor<'_> for Scalar {
    type Value = EnumWord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<EnumWord, E> {
        Ok(EnumWord::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<EnumWord, E> {
        i64::try_from(number)
            .map(EnumWord::Number)
            .map_err(E::custom)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "only whole numbers far inside i64 pass the check before it"
    )]
    fn visit_f64<E: Error>(self, number: f64) -> Result<EnumWord, E> {
        if number.fract() == 0.0 && number.abs() < 9.0e15 {
            Ok(EnumWord::Number(number as i64))
        } else {
            Err(E::custom("not a whole number"))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<EnumWord, E> {
        Ok(EnumWord::Name(text.to_owned()))
    }
}
