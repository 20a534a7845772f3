//! What the audit log speaks of: one table of words, for those who write it, read it, and set alerts on it.

/// What can stand in the log, and what it means. Those that count failures and refusals are folded by minute.
pub const EVENTS: &[(&str, &str)] = &[
    ("access_denied", "403: a rule, a scope or a role stopped somebody who is known"),
    ("account_deleted", "somebody deleted their own account"),
    ("account_taken_over", "an unverified account lost all its credentials to whoever proved the address"),
    ("admin_changed", "an administrator changed records"),
    ("admin_created", "an administrator made records"),
    ("admin_deleted", "an administrator deleted records"),
    ("admin_overruled", "an administrator wrote records where a rule would have denied anybody else"),
    ("credentials_refused", "401: a token, key or cookie that is unknown, wrong or over"),
    ("csrf_refused", "403: the session cookie came from no page of the app"),
    ("email_changed", "another address was proved"),
    ("email_verified", "an address was proved"),
    ("factor_added", "a second factor or passkey was added"),
    ("factor_removed", "a second factor or passkey was removed"),
    ("factor_used", "a second factor or passkey was used"),
    ("identity_linked", "an account at a provider was linked"),
    ("identity_unlinked", "an account at a provider was unlinked"),
    ("invite_withdrawn", "an invitation was withdrawn"),
    ("invited", "somebody was invited"),
    ("key_deleted", "an API key was revoked"),
    ("key_made", "an API key was made"),
    ("mfa_failed", "a second factor was wrong"),
    ("oauth_refused", "a provider's answer was not believed"),
    ("oauth_state_refused", "a provider's answer came to no sign-in that had begun"),
    ("own_record_changed", "somebody changed their own record"),
    ("passkey_failed", "a passkey's answer was wrong"),
    ("password_change_failed", "a password change named the wrong current password"),
    ("password_changed", "a password was changed"),
    ("password_forgotten", "a link to set a password was asked for"),
    ("password_reset", "a password was set by a mailed link"),
    ("person_changed", "the e-mail or the claims of a person changed"),
    ("person_deleted", "a person's record is gone"),
    ("person_disabled", "a person was disabled"),
    ("person_enabled", "a person was enabled again"),
    ("rate_limited", "429: too many requests, or too many tries of codes and links"),
    ("reauth", "somebody proved again who they are"),
    ("recovery_code_used", "a recovery code was used"),
    ("refresh_token_reused", "a used refresh token came again, and its session was ended"),
    ("roles_changed", "a person has other roles"),
    ("sign_in", "somebody signed in"),
    ("sign_in_failed", "a password or mailed code was wrong, or the account is unknown or disabled"),
    ("sign_in_refused", "a lockout: too many failed sign-ins, refused before any password was looked at"),
    ("sign_out", "a session ended, or all of somebody"),
    ("sign_up", "somebody signed up"),
    ("signing_keys_rotated", "`mainstay keys rotate`"),
    ("stranger_denied", "401: a rule stopped a stranger"),
    ("unknown_record", "404: a record that is not there for whoever asked, which may be one that it may not read"),
    ("user_add", "`mainstay user add`"),
    ("user_disable", "`mainstay user disable`"),
    ("user_enable", "`mainstay user enable`"),
    ("user_password_link", "`mainstay user password`"),
    ("user_reset_mfa", "`mainstay user reset-mfa`"),
    ("user_role", "`mainstay user role`"),
];

/// Whether a word stands in the table.
#[must_use]
pub fn is_event(word: &str) -> bool {
    EVENTS.iter().any(|(name, _)| *name == word)
}

/// The events that a pattern names: one by its name, all that begin alike by `admin_*`, all by `*`. None where it names
/// nothing.
#[must_use]
pub fn events_of(pattern: &str) -> Vec<&'static str> {
    let names = EVENTS.iter().map(|(name, _)| *name);
    match pattern.strip_suffix('*') {
        Some(beginning) => names.filter(|name| name.starts_with(beginning)).collect(),
        None => names.filter(|name| *name == pattern).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_nothing_twice() {
        assert!(EVENTS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn patterns_name_one_or_some_or_all() {
        assert_eq!(events_of("key_*"), ["key_deleted", "key_made"]);
        assert_eq!(events_of("sign_in"), ["sign_in"]);
        assert_eq!(events_of("*").len(), EVENTS.len());
        assert!(events_of("nothing").is_empty() && events_of("x*").is_empty());
    }
}
