//! Totals that SQLite lacks: sums that are exact and can't overflow, means rounded as the contract says.
//!
//! Exact numbers come out wide ([`crate::functions::wide_bytes`]), so that they sort as numbers; nulls don't count.

use model::decimal::power_of_ten;
use rules::aggregate::MORE_DIGITS;
use rusqlite::{
    Connection,
    functions::{Aggregate, Context, FunctionFlags},
    types::{Value as Kept, ValueRef},
};

use crate::functions::wide_bytes;

/// Makes the totals known to a connection.
///
/// # Errors
/// Those of SQLite: out of memory, or statements running on the connection.
pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    let whole: [(&str, EndOfWhole); 3] = [
        ("mainstay_sum", |sum| Some(Kept::Blob(wide_bytes(sum.sum).to_vec()))),
        ("mainstay_mean", |sum| Some(Kept::Real(sum.sum as f64 / sum.count as f64))),
        ("mainstay_mean_decimal", |sum| Some(Kept::Blob(wide_bytes(sum.mean()?).to_vec()))),
    ];
    for (name, end) in whole {
        connection.create_aggregate_function(name, 1, flags, Wholes(end))?;
    }
    let floats: [(&str, EndOfFloats); 2] =
        [("mainstay_sum_float", |sum, _| sum), ("mainstay_mean_float", |sum, count| sum / count as f64)];
    for (name, end) in floats {
        connection.create_aggregate_function(name, 1, flags, Floats(end))?;
    }
    Ok(())
}

/// What becomes of a sum of whole numbers, and of a sum of doubles with their number.
type EndOfWhole = fn(Whole) -> Option<Kept>;
type EndOfFloats = fn(f64, i64) -> f64;

/// Totals of integers, and of decimals as their digits.
struct Wholes(EndOfWhole);

/// An exact sum: 2^63 values of 64 bits fit into 128.
#[derive(Debug, Clone, Copy, Default)]
struct Whole {
    sum: i128,
    count: i64,
}

impl Whole {
    /// The mean with more digits, half-even.
    fn mean(self) -> Option<i128> {
        let (count, more) = (i128::from(self.count), power_of_ten(MORE_DIGITS)?);
        let (whole, rest) = (self.sum / count, self.sum % count * more);
        let truncated = whole.checked_mul(more)?.checked_add(rest / count)?;
        let step = match ((rest % count).abs() * 2).cmp(&count) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => truncated % 2,
            std::cmp::Ordering::Greater => rest.signum(),
        };
        truncated.checked_add(step)
    }
}

impl Aggregate<Whole, Option<Kept>> for Wholes {
    fn init(&self, _context: &mut Context<'_>) -> rusqlite::Result<Whole> {
        Ok(Whole::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Whole) -> rusqlite::Result<()> {
        if let ValueRef::Integer(number) = context.get_raw(0) {
            total.sum += i128::from(number);
            total.count += 1;
        }
        Ok(())
    }

    fn finalize(&self, _context: &mut Context<'_>, total: Option<Whole>) -> rusqlite::Result<Option<Kept>> {
        Ok(total.filter(|total| total.count > 0).and_then(self.0))
    }
}

/// Totals of doubles.
struct Floats(EndOfFloats);

/// Nine digits a place, the least at 10^-342: the shortest form of a double has 17 digits, the last at 10^-324 at least.
const PLACES: usize = 77;
const FIRST: i32 = -342;
const PLACE: i64 = 1_000_000_000;

/// The exact sum of the shortest decimals of doubles, so that 0.1 + 0.2 is 0.3 in whatever order.
#[derive(Debug, Clone)]
struct Sum {
    places: [i64; PLACES],
    /// Values since carries were last moved up.
    loose: u32,
    count: i64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(value.abs());
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let first = exponent.parse::<i32>().unwrap_or(0) - fraction.len() as i32 - FIRST;
        let sign = if value < 0.0 { -1 } else { 1 };
        for (position, digit) in (first..).zip(fraction.bytes().rev().chain(whole.bytes().rev())) {
            let place = usize::try_from(position / 9).unwrap_or(0).min(PLACES - 1);
            self.places[place] += sign * i64::from(digit - b'0') * 10_i64.pow((position % 9) as u32);
        }
        self.count += 1;
        self.loose += 1;
        if self.loose == 1 << 30 {
            self.carry();
        }
    }

    fn carry(&mut self) {
        self.loose = 0;
        let mut carried = 0;
        let last = self.places.len() - 1;
        for place in &mut self.places[..last] {
            *place += carried;
            carried = place.div_euclid(PLACE);
            *place = place.rem_euclid(PLACE);
        }
        self.places[last] += carried;
    }

    /// The nearest double; none beyond them.
    fn rounded(mut self) -> Option<f64> {
        self.carry();
        let negative = self.places[PLACES - 1] < 0;
        if negative {
            self.places.iter_mut().for_each(|place| *place = -*place);
            self.carry();
        }
        let mut text = String::with_capacity(PLACES * 9 + 8);
        for place in self.places.iter().rev() {
            text.push_str(&format!("{place:09}"));
        }
        text.push_str(&format!("e{FIRST}"));
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
        Some(if negative { -value } else { value })
    }
}

impl Aggregate<Box<Sum>, Option<f64>> for Floats {
    fn init(&self, _context: &mut Context<'_>) -> rusqlite::Result<Box<Sum>> {
        Ok(Box::new(Sum { places: [0; PLACES], loose: 0, count: 0 }))
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Box<Sum>) -> rusqlite::Result<()> {
        match context.get_raw(0) {
            ValueRef::Real(number) => total.add(number),
            // SQLite keeps whole doubles as integers.
            ValueRef::Integer(number) => total.add(number as f64),
            _ => {}
        }
        Ok(())
    }

    fn finalize(&self, _context: &mut Context<'_>, total: Option<Box<Sum>>) -> rusqlite::Result<Option<f64>> {
        let Some(total) = total.filter(|total| total.count > 0) else { return Ok(None) };
        let count = total.count;
        Ok(total.rounded().map(|sum| (self.0)(sum, count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> Option<f64> {
        let mut sum = Sum { places: [0; PLACES], loose: 0, count: 0 };
        values.iter().for_each(|value| sum.add(*value));
        sum.rounded()
    }

    #[test]
    fn sums_of_doubles_are_those_of_their_decimals() {
        assert_eq!(sum(&[0.1, 0.2]), Some(0.3));
        assert_eq!(sum(&[1e308, 1.0, -1e308]), Some(1.0));
        assert_eq!(sum(&[f64::MAX, f64::MAX]), None);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), Some(f64::MAX));
        assert_eq!(sum(&[5e-324, 5e-324]), Some(1e-323));
        assert_eq!(sum(&[-0.5, 0.25]), Some(-0.25));
        assert_eq!(sum(&[-f64::MAX]), Some(-f64::MAX));
        assert_eq!(sum(&[]), Some(0.0));
    }

    #[test]
    fn means_of_decimals_round_half_to_even() {
        let mean = |sum, count| Whole { sum, count }.mean();
        assert_eq!(mean(10, 4), Some(2_500_000));
        assert_eq!(mean(1, 3), Some(333_333));
        assert_eq!(mean(-2, 3), Some(-666_667));
        // 1 / 2,000,000 = 0.0000005 and 3 / 2,000,000 = 0.0000015
        assert_eq!(mean(1, 2_000_000), Some(0));
        assert_eq!(mean(3, 2_000_000), Some(2));
        assert_eq!(mean(-3, 2_000_000), Some(-2));
        assert_eq!(mean(-1, 2_000_000), Some(0));
    }
}
