//! HTTP manners that every protocol shares.
