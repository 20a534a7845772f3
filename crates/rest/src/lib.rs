//! The REST protocol.
