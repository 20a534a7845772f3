//! Exact decimals: an unscaled integer and the number of digits after the point.
//!
//! Stored values have at most 18 digits; intermediate results of rules up to 38, which an `i128` holds.

use std::{cmp::Ordering, fmt};

/// `unscaled / 10^scale`, exactly.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// All digits as one number.
    pub unscaled: i128,
    /// Digits after the point, 0–38.
    pub scale: u8,
}

/// The most digits that any decimal has.
pub const MAX_DIGITS: u32 = 38;

impl Decimal {
    /// A decimal from its digits.
    #[must_use]
    pub fn new(unscaled: i128, scale: u8) -> Self {
        Self { unscaled, scale }
    }

    /// Reads `-?digits[.digits]`; no exponent, no sign `+`, no bare point. None where it is anything else or longer than
    /// 38 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) =
            digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || fraction.is_some_and(|part| !all_digits(part)) {
            return None;
        }
        let fraction = fraction.unwrap_or("");
        if whole.trim_start_matches('0').len() + fraction.len() > MAX_DIGITS as usize {
            return None;
        }
        let mut unscaled: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        Some(Self { unscaled: if negative { -unscaled } else { unscaled }, scale: fraction.len() as u8 })
    }

    /// The same value with another scale, where that is exact and fits.
    #[must_use]
    pub fn rescale(self, scale: u8) -> Option<Self> {
        let unscaled = match scale.cmp(&self.scale) {
            Ordering::Equal => self.unscaled,
            Ordering::Greater => self.unscaled.checked_mul(power_of_ten(scale - self.scale)?)?,
            Ordering::Less => {
                let divisor = power_of_ten(self.scale - scale)?;
                if self.unscaled % divisor != 0 {
                    return None;
                }
                self.unscaled / divisor
            }
        };
        Some(Self { unscaled, scale })
    }

    /// How many digits the unscaled number has (0 has one).
    #[must_use]
    pub fn digits(self) -> u32 {
        self.unscaled.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
    }

    /// The shortest equal decimal: no zeros at the end of the fraction.
    #[must_use]
    pub fn normalize(self) -> Self {
        let mut shortest = self;
        while shortest.scale > 0 && shortest.unscaled % 10 == 0 {
            shortest.unscaled /= 10;
            shortest.scale -= 1;
        }
        shortest
    }
}

/// Ten to a power, where an `i128` holds it.
#[must_use]
pub fn power_of_ten(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(exponent))
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    /// By value: `1.5` equals `1.50`.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.unscaled.cmp(&other.unscaled);
        }
        let scale = self.scale.max(other.scale);
        match (self.rescale(scale), other.rescale(scale)) {
            (Some(left), Some(right)) => left.unscaled.cmp(&right.unscaled),
            // Scaling up overflowed 38 digits, so that side is the greater in size.
            (None, _) => self.unscaled.cmp(&0),
            (_, None) => 0.cmp(&other.unscaled),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let magnitude = self.unscaled.unsigned_abs();
        if self.scale == 0 {
            return write!(formatter, "{sign}{magnitude}");
        }
        let width = self.scale as usize + 1;
        let digits = format!("{magnitude:0width$}");
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        write!(formatter, "{sign}{whole}.{fraction}")
    }
}
