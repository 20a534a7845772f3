//! PostgreSQL's binary `numeric`: groups of four decimal digits, without a detour through text.

use bytes::{BufMut, BytesMut};
use model::{Decimal, decimal::power_of_ten};

const POSITIVE: u16 = 0;
const NEGATIVE: u16 = 0x4000;
/// Digits in a group.
const GROUP: u8 = 4;

/// Appends the binary form of a decimal.
pub fn write(decimal: Decimal, out: &mut BytesMut) {
    let fraction_groups = decimal.scale.div_ceil(GROUP);
    // The point has to stand between groups. 38 digits and 3 zeros may be more than 128 bits hold, so the fraction is
    // filled up on its own.
    let power = power_of_ten(decimal.scale).map_or(u128::MAX, i128::unsigned_abs);
    let magnitude = decimal.unscaled.unsigned_abs();
    let (whole, fraction) = (magnitude / power, magnitude % power);
    let mut groups = groups_of(whole);
    let weight = groups.len() as i16 - 1;
    groups.extend(fraction_groups_of(fraction, decimal.scale, fraction_groups));
    // Zeros at either end are not written.
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let groups = &groups[leading..];
    let trailing = groups.iter().rev().take_while(|group| **group == 0).count();
    let groups = &groups[..groups.len() - trailing];
    let weight = if groups.is_empty() { 0 } else { weight - leading as i16 };
    out.put_i16(groups.len() as i16);
    out.put_i16(weight);
    out.put_u16(if decimal.unscaled < 0 { NEGATIVE } else { POSITIVE });
    out.put_u16(u16::from(decimal.scale));
    for group in groups {
        out.put_u16(*group);
    }
}

/// Reads the binary form; none for NaN, infinities and what 38 digits don't hold.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Decimal> {
    let word = |position: usize| {
        let pair = bytes.get(position * 2..position * 2 + 2)?;
        Some(u16::from_be_bytes([pair[0], pair[1]]))
    };
    let (count, weight, sign, scale) = (word(0)?, word(1)? as i16, word(2)?, word(3)?);
    let negative = match sign {
        POSITIVE => false,
        NEGATIVE => true,
        _ => return None,
    };
    let scale = u8::try_from(scale).ok()?;
    let mut unscaled: i128 = 0;
    for position in 0..count {
        let group = i128::from(word(4 + usize::from(position))?);
        // How far the group's last digit stands from the last digit kept.
        let places = i32::from(scale) + i32::from(GROUP) * (i32::from(weight) - i32::from(position));
        let digits = match u8::try_from(places.unsigned_abs()).ok().and_then(power_of_ten) {
            Some(power) if places >= 0 => group.checked_mul(power)?,
            Some(power) => group / power,
            None if places >= 0 && group != 0 => return None,
            None => 0,
        };
        unscaled = unscaled.checked_add(digits)?;
    }
    Some(Decimal::new(if negative { -unscaled } else { unscaled }, scale))
}

/// The groups of a whole number, the highest first; none for zero.
fn groups_of(mut whole: u128) -> Vec<u16> {
    let mut groups = Vec::new();
    while whole > 0 {
        groups.push((whole % 10_000) as u16);
        whole /= 10_000;
    }
    groups.reverse();
    groups
}

/// The groups after the point: the last one is filled up with zeros.
fn fraction_groups_of(mut fraction: u128, scale: u8, count: u8) -> Vec<u16> {
    let mut groups = vec![0; usize::from(count)];
    for position in (0..count).rev() {
        let end = (position + 1) * GROUP;
        let here = GROUP - end.saturating_sub(scale);
        let power = 10_u128.pow(u32::from(here));
        groups[usize::from(position)] = (fraction % power) as u16 * 10_u16.pow(u32::from(GROUP - here));
        fraction /= power;
    }
    groups
}

#[cfg(test)]
mod tests;
