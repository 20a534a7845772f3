//! Everything through the public door, in one binary.

#![expect(clippy::expect_used, reason = "a test that can't go on has to say so and end")]

mod accounts;
mod accounts_app;
mod aggregates;
mod audit;
mod blog;
mod book;
mod closed;
mod expand;
mod exports;
mod factors;
mod faults;
mod guessing;
mod half;
mod house;
mod http;
mod live;
mod mails;
mod manners;
mod matrix;
mod nodes;
mod once;
mod openapi;
mod people;
mod public;
mod reading;
mod refusals;
mod same;
mod secrets;
mod shop;
mod together;
mod writing;

/// A test for each database: `both! { async fn name(app: TestApp) using FILES { … } }`.
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) using $files:ident $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn story($app: &testkit::TestApp) $body

            $(#[$meta])*
            #[tokio::test]
            async fn on_sqlite() {
                let app = testkit::TestApp::start(testkit::Database::Sqlite, $files).await;
                story(&app).await;
                app.stop().await;
            }

            $(#[$meta])*
            #[tokio::test]
            async fn on_postgres() {
                let app = testkit::TestApp::start(testkit::Database::Postgres, $files).await;
                story(&app).await;
                app.stop().await;
            }
        }
    )*};
}
pub(crate) use both;
