//! The way from a link into the room.
