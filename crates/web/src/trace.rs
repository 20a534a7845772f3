//! W3C Trace Context: the trace of a caller is continued, or one is begun.

use std::fmt;

use http::HeaderMap;

/// The place of a request in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The trace, the same for everything that one cause had done anywhere.
    pub trace_id: u128,
    /// The caller's part of it; none where the trace begins here.
    pub parent_id: Option<u64>,
    /// Our part of it.
    pub span_id: u64,
    /// Whether the caller records it; ours are always in the log.
    pub flags: u8,
}

impl Trace {
    /// Continues the trace of `traceparent`; begins one where that is absent, stands twice or is none. `first` and
    /// `second` are chance.
    pub(crate) fn of(headers: &HeaderMap, first: u64, second: u64) -> Self {
        let span_id = first.max(1);
        let mut sent = headers.get_all("traceparent").iter();
        let continued = match (sent.next(), sent.next()) {
            (Some(only), None) => only.to_str().ok().and_then(parse),
            _ => None,
        };
        match continued {
            Some((trace_id, parent, flags)) => Self { trace_id, parent_id: Some(parent), span_id, flags },
            None => {
                let trace_id = (u128::from(second) << 64 | u128::from(mix(second))).max(1);
                Self { trace_id, parent_id: None, span_id, flags: 1 }
            }
        }
    }
}

/// As `traceparent` has it, with our part as the parent of what follows.
impl fmt::Display for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Trace, parent and flags.
fn parse(text: &str) -> Option<(u128, u64, u8)> {
    let text = text.trim();
    let lower = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let good = [(version, 2), (trace, 32), (parent, 16), (flags, 2)];
    if !good.iter().all(|(part, length)| part.len() == *length && lower(part)) || version == "ff" {
        return None;
    }
    // Later versions may say more; this one may not.
    if version == "00" && parts.next().is_some() {
        return None;
    }
    let (trace, parent) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(parent, 16).ok()?);
    let flags = u8::from_str_radix(flags, 16).ok()? & 1;
    (trace != 0 && parent != 0).then_some((trace, parent, flags))
}

/// `SplitMix64`: spreads a number over all bits.
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_traceparent_is_continued() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(parse(good), Some((0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, 1)));
        assert!(parse(&format!("{good}-more")).is_none());
        assert!(parse(&good.replacen("00-", "cc-", 1)).is_some());
        assert!(parse(&format!("{}-more", good.replacen("00-", "cc-", 1))).is_some());
        for bad in [
            "",
            "00",
            &good.replacen("00-", "ff-", 1),
            &good.to_ascii_uppercase(),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e47é6-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
