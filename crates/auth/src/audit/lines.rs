//! The log as it is read: lines, pages of them, and what a reader may ask for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Code, Problem, time};
use serde_json::{Value as Json, json};
use store::{
    Row, Store,
    own::audit::{Wanted, read},
};

/// How many lines are read at a time.
pub const PAGE: u32 = 500;

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its name, in the order of the moments.
    pub id: String,
    /// When it was (last): microseconds of UTC.
    pub at: i64,
    /// How often.
    pub count: i64,
    what: String,
    actor: Option<String>,
    subject: String,
    address: String,
    request_id: String,
    session: Option<String>,
    detail: Json,
}

impl Line {
    fn of(row: &Row) -> Option<Self> {
        let text = |column| row.text(column).map(str::to_owned);
        let detail = match row.text(9).unwrap_or_default() {
            "" => Json::Null,
            // Lines of the first version named fields with commas between.
            text => {
                serde_json::from_str(text).unwrap_or_else(|_| json!({ "fields": text.split(',').collect::<Vec<_>>() }))
            }
        };
        Some(Self {
            id: text(0)?,
            at: row.integer(1)?,
            what: text(2)?,
            actor: text(3),
            subject: text(4)?,
            address: text(5)?,
            request_id: text(6)?,
            session: text(7),
            count: row.integer(8)?,
            detail,
        })
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { at: self.at, id: self.id.clone() }
    }

    /// As JSON, on one line without its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({
            "id": self.id,
            "at": time::format_datetime(self.at),
            "what": self.what,
            "actor": self.actor,
            "subject": self.subject,
            "address": self.address,
            "request_id": self.request_id,
            "session": self.session,
            "count": self.count,
            "detail": self.detail,
        })
        .to_string()
    }
}

/// A place between lines, for the page after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    at: i64,
    id: String,
}

impl Place {
    /// As clients keep it.
    #[must_use]
    pub fn to_cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.at, self.id))
    }

    /// What [`Self::to_cursor`] wrote.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn of_cursor(text: &str) -> Result<Self, Problem> {
        let read = || {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let (at, id) = text.split_once(' ')?;
            (!id.contains('\0')).then_some(())?;
            Some(Self { at: at.parse().ok()?, id: id.to_owned() })
        };
        read().ok_or_else(|| Problem::new(Code::BadCursor, "the cursor is none of this log; begin at the first page"))
    }
}

/// The lines after a place, `limit` at most, oldest first.
///
/// # Errors
/// The database can't be asked.
pub async fn pages(
    store: &dyn Store,
    wanted: &Wanted,
    after: Option<&Place>,
    limit: u32,
) -> Result<Vec<Line>, Problem> {
    let after = after.map(|place| (place.at, place.id.as_str()));
    let rows = store.own_read(read(wanted, after, limit)).await?;
    let unreadable = || Problem::internal("a line of the audit log can't be read");
    rows.iter().map(|row| Line::of(row).ok_or_else(unreadable)).collect()
}

/// The events that patterns name, with commas between: `sign_in_failed,admin_*`.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn patterns(text: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for pattern in text.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        let events = model::audit::events_of(pattern);
        if events.is_empty() {
            let near = rules::nearest(pattern, model::audit::EVENTS.iter().map(|(name, _)| *name));
            let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            return Err(format!("the audit log has no `{pattern}`{help}"));
        }
        all.extend(events.into_iter().map(str::to_owned));
    }
    Ok(all)
}

/// A moment: RFC 3339, a date, or how long ago (`90s`, `15m`, `2h`, `7d`).
///
/// # Errors
/// What is expected, in a sentence.
pub fn moment(text: &str, now: i64) -> Result<i64, String> {
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let number: i64 = number.parse().ok().filter(|number| (0..1_000_000).contains(number))?;
        Some(now - number * seconds * 1_000_000)
    };
    let date = || time::parse_datetime(&format!("{text}T00:00:00Z"));
    time::parse_datetime(text).or_else(ago).or_else(date).ok_or_else(|| {
        format!("expected a moment (2026-03-01T12:00:00Z), a date, or how long ago (90s, 15m, 2h, 7d), not {text:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_three_ways() {
        let now = time::parse_datetime("2026-03-01T12:00:00Z").unwrap();
        for (text, wanted) in [
            ("2026-03-01T11:00:00Z", "2026-03-01T11:00:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("90s", "2026-03-01T11:58:30Z"),
            ("2h", "2026-03-01T10:00:00Z"),
            ("1d", "2026-02-28T12:00:00Z"),
        ] {
            assert_eq!(moment(text, now), Ok(time::parse_datetime(wanted).unwrap()), "{text}");
        }
        for wrong in ["", "yesterday", "-1h", "1w", "h", "99999999d", "é"] {
            assert!(moment(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cursors_come_back_and_others_are_refused() {
        let place = Place { at: 5, id: "abc".to_owned() };
        assert_eq!(Place::of_cursor(&place.to_cursor()), Ok(place));
        for wrong in ["", "x", "AAAA", &URL_SAFE_NO_PAD.encode("five abc"), &URL_SAFE_NO_PAD.encode("5 a\0c")] {
            assert!(Place::of_cursor(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_name_events_and_slips_are_told() {
        assert_eq!(patterns("key_*, sign_in").unwrap(), ["key_deleted", "key_made", "sign_in"]);
        assert!(patterns("sign_in_faild").unwrap_err().contains("`sign_in_failed`"));
        assert!(patterns("").unwrap().is_empty());
    }
}
