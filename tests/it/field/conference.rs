//! What plugNmeet, and what stands in front of it, may answer.
