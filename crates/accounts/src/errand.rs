//! What somebody is to be mailed, as it waits in the database: an errand first, whose address may turn out to be nobody's, then
//! the mail itself.

use auth::code::{self, Asked};
use mail::Mail;
use model::Caller;
use serde::{Deserialize, Serialize};
use store::Statement;

/// Microseconds of a minute, an hour and a day.
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Something to be mailed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Errand {
    /// A link for a new password, to a typed address, if that is somebody's.
    Reset { email: String, asker: Asker },
    /// A code to sign in, to a typed address, if that is somebody's or may become it.
    SignIn { email: String, code: Slip },
    /// A code for a new account, or word that there is one already.
    SignUp { email: String, code: Slip },
    /// A code that proves an address of somebody's, or word that the address is another's.
    Prove { template: String, person: String, email: String, code: Slip },
    /// A code that a sign-in waits for.
    Further { template: String, email: String, code: Slip },
    /// An invitation.
    Invite { email: String, secret: String },
    /// Word of something that has happened; always sent.
    Tell { template: String, email: String, factor: String },
    /// A mail, ready to go.
    Mail { template: String, email: String, subject: String, text: String, html: Option<String> },
}

/// A code to be mailed, and the ticket that it counts with from then on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Slip {
    pub(crate) text: String,
    key: String,
}

impl Slip {
    /// That of a ticket.
    pub(crate) fn of(asked: &Asked) -> Self {
        Self { text: asked.code.clone(), key: asked.key.clone() }
    }

    /// What makes it count, to be run before the mail goes out.
    pub(crate) fn arm(&self) -> Vec<Statement> {
        code::arm(&self.key).into_iter().collect()
    }
}

/// Who asked for something, for the audit log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Asker {
    actor: Option<String>,
    session: Option<String>,
    address: std::net::IpAddr,
    request: String,
}

impl Errand {
    /// How long it is of use: microseconds. What lies in it may be good for longer, but who still waits then has asked again.
    pub(crate) fn life(&self) -> i64 {
        match self {
            Self::SignIn { .. } | Self::SignUp { .. } | Self::Prove { .. } => 10 * MINUTE,
            Self::Further { .. } => 5 * MINUTE,
            Self::Reset { .. } => 30 * MINUTE,
            Self::Invite { .. } | Self::Tell { .. } | Self::Mail { .. } => 3 * DAY,
        }
    }

    /// What it is, for the log: no address, and no secret.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Reset { .. } => "reset",
            Self::SignIn { .. } => "sign_in",
            Self::SignUp { .. } => "verify_email",
            Self::Invite { .. } => "invite",
            Self::Prove { template, .. }
            | Self::Further { template, .. }
            | Self::Tell { template, .. }
            | Self::Mail { template, .. } => template,
        }
    }

    /// A mail as an errand.
    pub(crate) fn of(mail: &Mail) -> Self {
        let Mail { template, to, subject, text, html } = mail.clone();
        Self::Mail { template: template.to_owned(), email: to, subject, text, html }
    }
}

impl Asker {
    /// Who asks.
    pub(crate) fn of(caller: &Caller) -> Self {
        Self {
            actor: caller.identity.actor.clone(),
            session: caller.identity.session.as_deref().map(str::to_owned),
            address: caller.address,
            request: caller.request_id.to_string(),
        }
    }

    /// The same as a caller at a moment.
    pub(crate) fn caller(&self, now: i64) -> Caller {
        let identity = model::caller::Identity {
            actor: self.actor.clone(),
            session: self.session.as_deref().map(Into::into),
            ..model::caller::Identity::anonymous()
        };
        Caller {
            identity: std::sync::Arc::new(identity),
            address: self.address,
            method: "POST",
            now,
            request_id: self.request.as_str().into(),
        }
    }
}
