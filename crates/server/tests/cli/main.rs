//! The command line as its users meet it: the built program in a directory of a test's own.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod backup;
mod commands;
mod dev;
mod files;
mod migrate;
mod seed;
mod serve;
mod support;
mod trees;
