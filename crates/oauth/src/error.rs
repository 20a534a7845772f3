//! Why a sign-in with a provider came to nothing.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider can't be reached or answers with an error of its own: another try may succeed.
    #[error("the provider can't be asked: {0}")]
    Provider(String),
    /// The call to the provider failed.
    #[error("the provider can't be reached")]
    Call(#[from] outgoing::Error),
    /// What came back is not to be believed.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
}

/// What about an answer is not to be believed. The names go into the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The discovery document names another issuer than the one that was asked.
    #[error("the discovery document is another issuer's")]
    DiscoveredIssuer,
    /// The provider sent the browser back with an error, the person's refusal among them.
    #[error("the provider reports an error")]
    Reported,
    /// The callback's `iss` (RFC 9207) is another one's, or missing where it was promised.
    #[error("the callback is another issuer's")]
    CallbackIssuer,
    /// The token endpoint refused the code.
    #[error("the code is not accepted")]
    Code,
    /// The ID token is no signed JWT of an algorithm that is allowed.
    #[error("the ID token's algorithm is not allowed")]
    Algorithm,
    /// No key of the provider's has made the signature.
    #[error("the ID token's signature is not the provider's")]
    Signature,
    /// `iss` is another one's.
    #[error("the ID token is another issuer's")]
    Issuer,
    /// `aud` or `azp` is another client's.
    #[error("the ID token is for another client")]
    Audience,
    /// `exp` has passed.
    #[error("the ID token has expired")]
    Expired,
    /// `iat` or `nbf` lies in the future.
    #[error("the ID token is not valid yet")]
    NotYet,
    /// `nonce` is another attempt's, or missing.
    #[error("the ID token is of another attempt")]
    Nonce,
    /// `sub` is missing, too long, or not that of the userinfo.
    #[error("the subject is missing or another")]
    Subject,
    /// An answer has not the form that the standard says.
    #[error("the answer is not understood")]
    Form,
}

impl Refusal {
    /// A short name for logs and redirects.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DiscoveredIssuer => "discovered_issuer",
            Self::Reported => "provider_error",
            Self::CallbackIssuer => "callback_issuer",
            Self::Code => "code",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Nonce => "nonce",
            Self::Subject => "subject",
            Self::Form => "form",
        }
    }
}
