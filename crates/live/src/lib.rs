//! Realtime: server-sent events off the event log.
