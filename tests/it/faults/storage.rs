//! The relay's own files in trouble, and death at any step: rows Q13 to Q21.
