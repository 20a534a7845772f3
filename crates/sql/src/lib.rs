//! Conditions and plans as SQL text, for any dialect.
