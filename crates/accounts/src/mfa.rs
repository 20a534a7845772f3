//! The further proof: which one a sign-in asks for, and how it is brought.
//!
//! An `mfa_token` is a ticket like those of mailed codes: five minutes, five tries, counted by one statement, and good for
//! `/auth/mfa/verify` alone. It says which factors were asked for; no other counts with it.

use auth::{
    People, Person,
    attempts::Attempt,
    audit,
    code::{self, Purpose, Tried},
    recovery, totp,
};
use engine::AccountChange;
use http::{Response, StatusCode};
use model::{Flaw, Problem};
use serde_json::{Value as Json, json};
use store::{Beside, Statement};
use web::{Body, Request};

use crate::{
    Accounts,
    complete::{Entry, complete},
    errand::{Errand, Slip},
    fields::Fields,
    note_failure, reply,
};

/// A further proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Factor {
    /// A code of an authenticator app.
    Totp,
    /// One of the codes for the day on which the app is gone.
    Recovery,
    /// A code by mail.
    Mail,
}

impl Factor {
    const ALL: [(&'static str, Self); 3] =
        [("totp", Self::Totp), ("recovery_code", Self::Recovery), ("email_code", Self::Mail)];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, factor)| *factor == self).map_or("", |(name, _)| name)
    }

    fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, factor)| *factor)
    }
}

/// Which further proofs somebody has to choose from; none where the sign-in is done.
///
/// The mailed code comes first where the address itself has to be proved. An account that is under attack asks devices it
/// does not know for one, too, unless its owner has an authenticator app, which is asked for in any case.
pub(crate) async fn factors(
    accounts: &Accounts,
    people: &People,
    entry: &Entry,
    now: i64,
) -> Result<Vec<Factor>, Problem> {
    let did = |way: &str| entry.amr.iter().any(|done| done == way);
    let can_be_mailed = entry.person.email.is_some() && !did("otp");
    let unproved = people.settings()?.verify_email && !entry.person.verified;
    if unproved && can_be_mailed {
        return Ok(vec![Factor::Mail]);
    }
    // A passkey is two factors in one.
    if did("hwk") {
        return Ok(Vec::new());
    }
    let store = accounts.auth.store();
    if !store.own_read(totp::find(&entry.person.id)).await?.is_empty() {
        let codes = store.own_read(recovery::find(&entry.person.id)).await?;
        let left = codes.first().and_then(|row| row.integer(1)).unwrap_or(0);
        return Ok(if left > 0 { vec![Factor::Totp, Factor::Recovery] } else { vec![Factor::Totp] });
    }
    if entry.known_device || !can_be_mailed {
        return Ok(Vec::new());
    }
    let attacked = match entry.attempt.as_ref().and_then(Attempt::is_under_attack) {
        Some(attacked) => attacked,
        None => accounts.auth.is_under_attack(&entry.person.id, now).await?,
    };
    Ok(if attacked { vec![Factor::Mail] } else { Vec::new() })
}

/// Asks for a further proof.
pub(crate) async fn ask(
    accounts: &Accounts,
    request: &Request<'_>,
    entry: Entry,
    factors: &[Factor],
) -> Result<Response<Body>, Problem> {
    let Entry { person, amr, mut before, attempt, .. } = entry;
    before.extend(attempt.iter().flat_map(Attempt::give_back));
    let names: Vec<&str> = factors.iter().map(|factor| factor.name()).collect();
    let email = person.email.clone().unwrap_or_default();
    let data = json!({ "amr": amr, "factors": names }).to_string().into_bytes();
    let by_mail = factors.contains(&Factor::Mail);
    let way = if by_mail { code::Way::Mail } else { code::Way::AtHand };
    let asked = code::ask(Purpose::Further, way, Some(&person.id), &email, Some(data), request.now);
    let slip = Slip::of(&asked);
    before.push(asked.insert);
    if by_mail {
        let template = if person.verified { "new_device" } else { "verify_email" }.to_owned();
        let errand = Errand::Further { template, email, code: slip };
        before.push(accounts.desk.lay_up(&errand, request.now)?);
    }
    accounts.auth.store().own(before).await?;
    accounts.desk.wake();
    Ok(reply::json(StatusCode::OK, &json!({ "mfa_token": asked.ticket, "factors": names })))
}

/// `POST /auth/mfa/verify`
pub(crate) async fn verify(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::read(request).await?;
    let (ticket, typed) = (fields.required("mfa_token"), fields.required("code"));
    let named = fields.text("factor");
    let wanted = named.as_deref().and_then(Factor::find);
    if named.is_some() && wanted.is_none() {
        let names: Vec<&str> = Factor::ALL.iter().map(|(name, _)| *name).collect();
        let detail = format!("factor must be one of {}", names.join(", "));
        fields.flaw(Flaw::pointer("/factor", "values", detail));
    }
    fields.finish()?;
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let store = &**accounts.auth.store();
    let tried = code::charge(store, &[Purpose::Further], &ticket, request.now).await?;
    let person = match &tried.person {
        Some(id) => people.find(&accounts.engine, id).await?,
        None => None,
    };
    let person = person.filter(|person| person.identity.is_some()).ok_or_else(code::wrong)?;
    let laid = Laid::read(&tried);
    let factor = laid.choose(wanted, &typed);
    let proof = Proof { ticket: &ticket, typed: &typed, tried };
    let proved = match factor {
        Some(Factor::Mail) => by_mail(accounts, request, people, person.clone(), proof).await,
        Some(Factor::Totp) => by_app(accounts, request, person.clone(), proof).await,
        Some(Factor::Recovery) => by_recovery(accounts, request, person.clone(), &proof),
        None => Err(code::wrong()),
    };
    let (owner, before) = proved.inspect_err(|_| {
        note_failure(accounts, request, "mfa_failed", &person.actor());
    })?;
    let entry = Entry {
        person: owner,
        amr: laid.and_further(),
        // The address is proved, or the device made sure of; the owner's own factor may still be asked for.
        asks_factor: factor == Some(Factor::Mail),
        known_device: false,
        attempt: Some(attempt),
        before,
    };
    let answer = complete(accounts, request, people, entry).await?;
    if factor == Some(Factor::Recovery) {
        accounts.desk.wake();
    }
    Ok(answer)
}

/// What a ticket keeps of the sign-in that it belongs to.
struct Laid {
    amr: Vec<String>,
    factors: Vec<Factor>,
}

impl Laid {
    fn read(tried: &Tried) -> Self {
        let data: Json = serde_json::from_slice(tried.data.as_deref().unwrap_or(b"{}")).unwrap_or_default();
        let texts = |name: &str| data[name].as_array().cloned().unwrap_or_default();
        Self {
            amr: texts("amr").iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            factors: texts("factors").iter().filter_map(Json::as_str).filter_map(Factor::find).collect(),
        }
    }

    /// The factor that a code is of: the one that the client names, or the one that it looks like. None that was not asked for.
    fn choose(&self, wanted: Option<Factor>, typed: &str) -> Option<Factor> {
        let letters = typed.chars().filter(|letter| !letter.is_whitespace());
        let looks_timely = letters.clone().count() <= 8 && letters.clone().all(|letter| letter.is_ascii_digit());
        let fits = |factor: &Factor| match wanted {
            Some(wanted) => *factor == wanted,
            None => (*factor == Factor::Recovery) != looks_timely,
        };
        self.factors.iter().copied().find(fits)
    }

    /// How the person has proved who it is, by the words of RFC 8176.
    fn and_further(self) -> Vec<String> {
        let mut amr = self.amr;
        for word in ["otp", "mfa"] {
            if !amr.iter().any(|known| known == word) {
                amr.push(word.to_owned());
            }
        }
        amr
    }
}

/// What a client brings.
struct Proof<'a> {
    ticket: &'a str,
    typed: &'a str,
    tried: Tried,
}

/// The person, and what has to hold for its sign-in.
type Proved = (Person, Vec<Statement>);

async fn by_mail(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    person: Person,
    proof: Proof<'_>,
) -> Result<Proved, Problem> {
    let known = proof.tried.redeem(proof.ticket, proof.typed)?;
    // The code went to the address of the account.
    let proves = !person.verified && person.email.as_deref() == Some(&*known.email);
    if !proves {
        return Ok((person, vec![known.spend]));
    }
    let change = AccountChange::Email { id: person.key.clone(), email: None, verified: true };
    let line = audit::line("email_verified", &request.caller(), &person.actor(), &Json::Null);
    let beside = Beside { before: vec![known.spend, line], ..Beside::default() };
    accounts.engine.keep_account(request.caller(), change, beside).await?;
    let person = people.find(&accounts.engine, &person.id).await?.ok_or_else(code::wrong)?;
    Ok((person, Vec::new()))
}

async fn by_app(
    accounts: &Accounts,
    request: &Request<'_>,
    person: Person,
    proof: Proof<'_>,
) -> Result<Proved, Problem> {
    let used = use_app(accounts, request, &person, proof.typed).await?;
    let mut before = vec![proof.tried.spend()];
    before.extend(used);
    Ok((person, before))
}

/// The statements that use a code of somebody's authenticator app up.
pub(crate) async fn use_app(
    accounts: &Accounts,
    request: &Request<'_>,
    person: &Person,
    typed: &str,
) -> Result<Vec<Statement>, Problem> {
    let store = &**accounts.auth.store();
    let used = totp::verify(store, accounts.auth.master()?, &person.id, typed, request.now).await?;
    let line = audit::line("factor_used", &request.caller(), &person.actor(), &json!({ "factor": "totp" }));
    Ok(vec![used, line])
}

fn by_recovery(
    accounts: &Accounts,
    request: &Request<'_>,
    person: Person,
    proof: &Proof<'_>,
) -> Result<Proved, Problem> {
    let mut before = vec![
        proof.tried.spend(),
        recovery::spend(&person.id, proof.typed, request.now),
        // The owner is here: guesses of others hold nobody up any longer.
        totp::forgive(&person.id),
        audit::line("recovery_code_used", &request.caller(), &person.actor(), &Json::Null),
    ];
    before.extend(accounts.desk.tell("recovery_code_used", &person, "a recovery code", request.now)?);
    Ok((person, before))
}

#[cfg(test)]
mod tests {
    use super::{Factor, Laid};

    #[test]
    fn a_code_is_of_the_factor_that_it_looks_like() {
        let laid = |factors: &[Factor]| Laid { amr: vec!["pwd".to_owned()], factors: factors.to_vec() };
        let own = laid(&[Factor::Totp, Factor::Recovery]);
        assert_eq!(own.choose(None, "123 456"), Some(Factor::Totp));
        assert_eq!(own.choose(None, "abcd-efgh-jkmn-pqrs"), Some(Factor::Recovery));
        assert_eq!(own.choose(Some(Factor::Recovery), "123456"), Some(Factor::Recovery));
        assert_eq!(own.choose(Some(Factor::Mail), "123456"), None, "it was not asked for");
        assert_eq!(laid(&[Factor::Mail]).choose(None, "123456"), Some(Factor::Mail));
        assert_eq!(laid(&[Factor::Mail]).choose(Some(Factor::Totp), "123456"), None);
        assert_eq!(own.and_further(), ["pwd", "otp", "mfa"]);
    }
}
