//! The 10,000 commonest passwords of published leaks, most common first (the list of the zxcvbn project, MIT).
//!
//! They stay the text that they are in the program: reading it through costs a hundredth of the hashing that follows, and a set
//! of them would lie in memory for the few new passwords of a day.

static COMMON: &str = include_str!("common.txt");

/// Whether it is one of them, in whatever case.
pub(super) fn is_common(password: &str) -> bool {
    let password = password.to_lowercase();
    COMMON.lines().any(|common| common == password)
}
