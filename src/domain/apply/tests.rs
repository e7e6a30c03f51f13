//! Claims about how events move meetings.
