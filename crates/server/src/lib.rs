//! The program: command line, configuration, assembly, serving, shutdown.

pub mod assemble;
pub mod cli;
pub mod logging;
pub mod mount;
mod pages;
mod pause;
mod public;
mod retention;
pub mod serve;
mod stalled;
