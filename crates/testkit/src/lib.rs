//! Tests that read as stories: an app in a temporary directory, people who call it, replies.

#![expect(clippy::expect_used, reason = "a test that can't be set up has to say so and end")]

mod app;
mod listener;
mod person;
mod reply;

pub use app::{Database, TestApp};
pub use listener::{Listener, Told};
pub use person::Person;
pub use reply::Reply;
