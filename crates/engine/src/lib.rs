//! The path that every request takes.
