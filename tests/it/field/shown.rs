//! What cards, threads and recaps show.
