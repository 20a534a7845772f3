//! HTTP manners that every protocol shares.
//!
//! One request goes through [`Manners::serve`]: it gets an id, a client address and a time limit, is held against the
//! limits and CORS, is answered by a door (a protocol) and leaves with headers, a log line and a count. Whatever goes
//! wrong on the way, a panic included, is answered as a problem (RFC 9457).

mod accept;
mod body;
mod client;
mod coding;
mod compress;
mod cors;
mod credentials;
mod denials;
mod expand;
mod inflate;
mod json;
mod log;
mod manners;
mod metrics;
mod parameters;
pub mod preconditions;
mod query;
mod rates;
mod reply;
mod request;
mod tags;
mod trace;
mod vary;

pub use accept::{accepts, choose};
pub use body::{Body, Broken, Pieces, Stream};
pub use client::TrustedProxies;
pub use cors::Cors;
pub use credentials::Session;
pub use expand::take_expand;
pub use json::parse as parse_json;
pub use log::{Format, RequestLog};
pub use manners::{Ambiguous, Door, Limits, Manners};
pub use metrics::Metrics;
pub use parameters::Parameters;
pub use query::{parse_sort, short_filters, sort_keys, suggest, take_fields, take_filter, whole_number};
pub use rates::{Per, Rate, Rates};
pub use reply::{json_reply, problem_reply, text_reply, without_body_for_head};
pub use request::Request;
pub use trace::Trace;
pub use vary::add as add_vary;
