//! The program: command line, configuration, assembly, serving, shutdown.

mod alerts;
pub mod assemble;
pub mod cli;
mod connection;
mod identity;
mod lobby;
pub mod logging;
pub mod mount;
mod pages;
mod pause;
mod problems;
mod public;
mod retention;
pub mod serve;
