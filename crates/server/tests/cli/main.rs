//! The command line as its users meet it: the built program in a directory of a test's own.

mod commands;
mod dev;
mod migrate;
mod seed;
mod serve;
mod support;
