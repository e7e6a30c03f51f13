//! Which words start a meeting, and which do not.
