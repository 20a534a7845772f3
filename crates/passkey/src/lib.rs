//! Passkeys: the ceremonies of WebAuthn (W3C Web Authentication, Level 3), registration and sign-in.
//!
//! A passkey is found by the authenticator itself (discoverable), under a random user handle that says nothing of its
//! owner, and the authenticator has verified its user: it is two factors in one, and no address has to be typed. The
//! state between the two steps of a ceremony is the caller's to keep: on the server, once, for five minutes.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use url::Url;
use uuid::Uuid;
use webauthn_rs::{
    Webauthn, WebauthnBuilder,
    prelude::{DiscoverableAuthentication, Passkey, PasskeyRegistration, WebauthnError},
};
use webauthn_rs_proto::{PublicKeyCredential, RegisterPublicKeyCredential, ResidentKeyRequirement};

#[cfg(feature = "testing")]
pub mod testing;

/// The ceremonies of one relying party.
#[derive(Debug)]
pub struct Passkeys {
    webauthn: Webauthn,
}

/// Who registers a passkey.
#[derive(Debug)]
pub struct Owner<'a> {
    /// A random name for the account, which the authenticator keeps and shows to nobody.
    pub handle: Uuid,
    /// What the authenticator shows: the e-mail, say.
    pub name: &'a str,
    /// What people call the owner.
    pub display_name: &'a str,
    /// The passkeys that the account has already.
    pub existing: Vec<Vec<u8>>,
}

/// The first step of a ceremony.
#[derive(Debug)]
pub struct Begun {
    /// For `navigator.credentials` in the browser: `{"publicKey": …}`.
    pub options: Json,
    /// For the second step; never for the client.
    pub state: String,
}

/// A passkey to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// By which it is found.
    pub credential_id: Vec<u8>,
    /// The public key and the counter: opaque text.
    pub credential: String,
}

/// Which passkey an answer says that it is of. Not proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The account's handle.
    pub handle: Uuid,
    /// The passkey's id.
    pub credential_id: Vec<u8>,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings don't fit each other.
    #[error("the passkey settings can't be used: {0}")]
    Settings(String),
    /// The answer has not the form of a credential.
    #[error("the answer is no credential")]
    Form,
    /// The answer is not to be believed: another challenge, origin or relying party, no verified user, a wrong signature
    /// or a counter that ran backwards.
    #[error("the credential is not valid")]
    Refused(#[source] WebauthnError),
    /// What was kept can't be read.
    #[error("the kept state can't be read")]
    State,
}

impl Passkeys {
    /// The ceremonies of a relying party: its id is a domain, and each origin lies within it. Origins are `https` URLs,
    /// `http://localhost` for development, or `android:apk-key-hash:…`.
    ///
    /// # Errors
    /// [`Error::Settings`]
    pub fn new(rp_id: &str, rp_name: &str, origins: &[String]) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Settings(what.to_owned());
        let mut urls = Vec::with_capacity(origins.len());
        for origin in origins {
            let url: Url = origin.parse().map_err(|_| wrong(&format!("`{origin}` is no origin")))?;
            let within = match url.scheme() {
                "android" => origin.starts_with("android:apk-key-hash:"),
                "https" | "http" => {
                    let host = url.domain().unwrap_or_default();
                    host == rp_id || host.ends_with(&format!(".{rp_id}"))
                }
                _ => false,
            };
            if !within {
                return Err(wrong(&format!("the origin `{origin}` is not within `{rp_id}`, which has to be a domain")));
            }
            urls.push(url);
        }
        let Some(first) = urls.iter().find(|url| url.scheme() != "android") else {
            return Err(wrong("there is no origin of a page"));
        };
        let failed = |_| wrong(&format!("`{rp_id}` can't be a relying party with these origins"));
        let mut builder = WebauthnBuilder::new(rp_id, first).map_err(failed)?.rp_name(rp_name);
        for url in &urls {
            builder = builder.append_allowed_origin(url);
        }
        Ok(Self { webauthn: builder.build().map_err(failed)? })
    }

    /// Begins to register a passkey.
    ///
    /// # Errors
    /// The owner's name is empty.
    pub fn begin_registration(&self, owner: Owner<'_>) -> Result<Begun, Error> {
        let Owner { handle, name, display_name, existing } = owner;
        let (mut challenge, state) = self
            .webauthn
            .start_passkey_registration(handle, name, display_name, Some(existing))
            .map_err(Error::Refused)?;
        // One that the authenticator could not find by itself would be of no use: nobody is asked for an address.
        if let Some(selection) = &mut challenge.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Required);
            selection.require_resident_key = true;
        }
        begun(&challenge, &state)
    }

    /// Finishes a registration with the browser's answer. The caller makes sure that the id is new to all accounts.
    ///
    /// # Errors
    /// [`Error::Form`], [`Error::Refused`], [`Error::State`]
    pub fn finish_registration(&self, answer: &Json, state: &str) -> Result<Registered, Error> {
        let answer: RegisterPublicKeyCredential = parse(answer)?;
        let state: PasskeyRegistration = serde_json::from_str(state).map_err(|_| Error::State)?;
        let passkey = self.webauthn.finish_passkey_registration(&answer, &state).map_err(Error::Refused)?;
        Ok(Registered { credential_id: passkey.cred_id().as_slice().to_vec(), credential: keep(&passkey)? })
    }

    /// Begins a sign-in; nothing is asked of whom it may be.
    ///
    /// # Errors
    /// None that are expected.
    pub fn begin_sign_in(&self) -> Result<Begun, Error> {
        let (mut challenge, state) = self.webauthn.start_discoverable_authentication().map_err(Error::Refused)?;
        // Whether a button or the browser's autofill asks is the page's to say.
        challenge.mediation = None;
        begun(&challenge, &state)
    }

    /// Which passkey the browser's answer claims to be of, for the caller to find.
    ///
    /// # Errors
    /// [`Error::Form`]
    pub fn claimed(&self, answer: &Json) -> Result<Claimed, Error> {
        let answer: PublicKeyCredential = parse(answer)?;
        let (handle, credential_id) =
            self.webauthn.identify_discoverable_authentication(&answer).map_err(|_| Error::Form)?;
        Ok(Claimed { handle, credential_id: credential_id.to_vec() })
    }

    /// Finishes a sign-in with the passkey that was kept under the claimed id. Where something of it has changed (its
    /// counter), it comes back to be kept anew.
    ///
    /// # Errors
    /// [`Error::Form`], [`Error::Refused`], [`Error::State`]
    pub fn finish_sign_in(&self, answer: &Json, state: &str, credential: &str) -> Result<Option<String>, Error> {
        let answer: PublicKeyCredential = parse(answer)?;
        let state: DiscoverableAuthentication = serde_json::from_str(state).map_err(|_| Error::State)?;
        let mut passkey: Passkey = serde_json::from_str(credential).map_err(|_| Error::State)?;
        let result =
            self.webauthn.finish_discoverable_authentication_v2(&answer, state, &passkey).map_err(Error::Refused)?;
        if !result.user_verified() {
            return Err(Error::Refused(WebauthnError::UserNotVerified));
        }
        match passkey.update_credential(&result) {
            Some(true) => keep(&passkey).map(Some),
            Some(false) | None => Ok(None),
        }
    }
}

fn begun(challenge: &impl serde::Serialize, state: &impl serde::Serialize) -> Result<Begun, Error> {
    let options = serde_json::to_value(challenge).map_err(|_| Error::State)?;
    let state = serde_json::to_string(state).map_err(|_| Error::State)?;
    Ok(Begun { options, state })
}

fn keep(passkey: &Passkey) -> Result<String, Error> {
    serde_json::to_string(passkey).map_err(|_| Error::State)
}

fn parse<T: DeserializeOwned>(answer: &Json) -> Result<T, Error> {
    serde_json::from_value(answer.clone()).map_err(|_| Error::Form)
}

#[cfg(test)]
mod tests;
