//! Content negotiation (RFC 9110, 12.5.1), for answers of one type.

use http::{HeaderMap, header};

/// Whether a client takes answers of a type such as `application/json`.
#[must_use]
pub fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values = headers.get_all(header::ACCEPT).iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let family = media_type.split('/').next().unwrap_or("");
    let mut best: Option<(u8, bool)> = None;
    for value in values {
        let Ok(value) = value.to_str() else { continue };
        if value == "*/*" {
            return true;
        }
        for range in value.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let range = parts.next().unwrap_or("");
            let rank = if range.eq_ignore_ascii_case(media_type) {
                3
            } else if range.strip_suffix("/*").is_some_and(|of| of.eq_ignore_ascii_case(family)) {
                2
            } else if range == "*/*" {
                1
            } else {
                continue;
            };
            let refused = parts
                .filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
                .any(|quality| quality.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0));
            // The most specific range decides.
            if best.is_none_or(|(known, _)| rank > known) {
                best = Some((rank, !refused));
            }
        }
    }
    best.is_some_and(|(_, taken)| taken)
}
