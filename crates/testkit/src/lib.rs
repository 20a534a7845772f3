//! Tests that read as stories: apps, people, replies.
