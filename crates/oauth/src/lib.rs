//! Sign-in with another provider: the client's side of OAuth 2 (RFC 6749, RFC 9700) and OpenID Connect Core 1.0.
//!
//! A [`Provider`] knows where to send a browser ([`Provider::begin`]) and what to make of it when it comes back
//! ([`Provider::finish`]): the authorization code is exchanged with its PKCE verifier, and what the provider says of the
//! person is believed only once issuer, audience, signature, times and nonce are all as they have to be. Who keeps the
//! secrets of an attempt in between, and binds it to the browser, is the caller.

mod error;
mod github;
mod id_token;
mod metadata;
mod provider;

pub use error::{Error, Refusal};
pub use provider::{Attempt, Begun, Callback, Person, Provider, Settings};

#[cfg(test)]
mod tests;
