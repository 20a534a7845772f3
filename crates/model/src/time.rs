//! Moments and days: RFC 3339 text to numbers and back.
//!
//! Years 0001 to 9999, UTC, microseconds; finer fractions are refused rather than rounded, and the leap second (`:60`)
//! too, since no store keeps it.

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const DAY: i64 = 86_400 * SECOND;
/// 0001-01-01T00:00:00Z.
pub const MIN: i64 = -719_162 * DAY;
/// 9999-12-31T23:59:59.999999Z.
pub const MAX: i64 = 2_932_897 * DAY - 1;
/// 0001-01-01.
pub const MIN_DAY: i32 = -719_162;
/// 9999-12-31.
pub const MAX_DAY: i32 = 2_932_896;

/// Reads an RFC 3339 date-time; none where it is not one, or outside the years 0001–9999.
#[must_use]
pub fn parse_datetime(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() || !matches!(bytes[10], b'T' | b't') {
        return None;
    }
    let day = parse_date(&text[..10])?;
    let (hour, minute, second) = (two(bytes, 11)?, two(bytes, 14)?, two(bytes, 17)?);
    if bytes[13] != b':' || bytes[16] != b':' || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut at = 19;
    let mut micros = 0;
    if bytes[at] == b'.' {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (kept, beyond) = bytes[at + 1..at + 1 + digits].split_at(digits.min(6));
        if digits == 0 || beyond.iter().any(|byte| *byte != b'0') {
            return None;
        }
        for place in 0..6 {
            micros = micros * 10 + i64::from(kept.get(place).map_or(0, |byte| byte - b'0'));
        }
        at += 1 + digits;
    }
    let offset = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && bytes[at + 3] == b':' => {
            let (hours, minutes) = (two(bytes, at + 1)?, two(bytes, at + 4)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = hour * 3600 + minute * 60 + second - offset;
    let moment = i64::from(day) * DAY + seconds * SECOND + micros;
    (MIN..=MAX).contains(&moment).then_some(moment)
}

/// Reads `YYYY-MM-DD`; none where it is no day of the years 0001–9999.
#[must_use]
pub fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = two(bytes, 0)? * 100 + two(bytes, 2)?;
    let (month, day) = (two(bytes, 5)?, two(bytes, 8)?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_from_civil(year, month, day) as i32)
}

fn two(bytes: &[u8], at: usize) -> Option<i64> {
    let (tens, ones) = (bytes.get(at)?, bytes.get(at + 1)?);
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Appends `YYYY-MM-DDTHH:MM:SS[.ffffff]Z`; the fraction only where there is one, always of six digits.
pub fn write_datetime(moment: i64, out: &mut Vec<u8>) {
    let (days, within) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
    let (seconds, micros) = (within / SECOND, within % SECOND);
    write_day(days, out);
    out.push(b'T');
    write_digits(seconds / 3600, 2, out);
    out.push(b':');
    write_digits(seconds / 60 % 60, 2, out);
    out.push(b':');
    write_digits(seconds % 60, 2, out);
    if micros != 0 {
        out.push(b'.');
        write_digits(micros, 6, out);
    }
    out.push(b'Z');
}

/// Appends `YYYY-MM-DD`.
pub fn write_date(day: i32, out: &mut Vec<u8>) {
    write_day(i64::from(day), out);
}

fn write_day(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    write_digits(year, 4, out);
    out.push(b'-');
    write_digits(month, 2, out);
    out.push(b'-');
    write_digits(day, 2, out);
}

/// Two digits by their number.
const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
      2021222324252627282930313233343536373839\
      4041424344454647484950515253545556575859\
      6061626364656667686970717273747576777879\
      8081828384858687888990919293949596979899";

/// Appends an even number of digits, two at a time.
fn write_digits(number: i64, width: u32, out: &mut Vec<u8>) {
    let mut rest = number as u32;
    let mut digits = [b'0'; 6];
    for pair in digits[..width as usize].rchunks_exact_mut(2) {
        let at = (rest % 100) as usize * 2;
        pair.copy_from_slice(&PAIRS[at..at + 2]);
        rest /= 100;
    }
    out.extend_from_slice(&digits[..width as usize]);
}

/// The text of [`write_datetime`].
#[must_use]
pub fn format_datetime(moment: i64) -> String {
    let mut out = Vec::with_capacity(27);
    write_datetime(moment, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The text of [`write_date`].
#[must_use]
pub fn format_date(day: i32) -> String {
    let mut out = Vec::with_capacity(10);
    write_date(day, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
