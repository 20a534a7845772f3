//! Tests that read as stories: an app in a temporary directory, people who call it, replies.

mod app;
mod listener;
mod person;
mod reply;

pub use app::{Database, TestApp};
pub use listener::{Listener, Told};
pub use person::Person;
pub use reply::Reply;
