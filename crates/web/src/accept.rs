//! Content negotiation (RFC 9110, 12.5.1).

use http::{HeaderMap, header};

/// Whether a client takes answers of a type such as `application/json`.
#[must_use]
pub fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    choose(headers, &[media_type]).is_some()
}

/// The position of the type that a client likes best, of those that can be made: by quality, then the one that it names
/// itself rather than by `text/*` or `*/*`, then the first. None where it takes none.
#[must_use]
pub fn choose(headers: &HeaderMap, types: &[&str]) -> Option<usize> {
    let mut values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    // No header, or an empty one, is no wish.
    if values.peek().is_none() {
        return (!types.is_empty()).then_some(0);
    }
    let ranges: Vec<Range<'_>> = values.flat_map(split).filter_map(Range::parse).collect();
    if ranges.is_empty() {
        return (!types.is_empty()).then_some(0);
    }
    let mut best: Option<(usize, Liking)> = None;
    for (position, media_type) in types.iter().enumerate() {
        // The most specific range decides about a type.
        let liking = ranges.iter().filter_map(|range| range.of(media_type)).max_by_key(|liking| liking.rank);
        let Some(liking) = liking.filter(|liking| liking.quality > 0) else { continue };
        if best.is_none_or(|(_, known)| (liking.quality, liking.rank) > (known.quality, known.rank)) {
            best = Some((position, liking));
        }
    }
    best.map(|(position, _)| position)
}

/// How much a client likes a type, and how closely it named it.
#[derive(Debug, Clone, Copy)]
struct Liking {
    /// 3 for the type itself, 2 for its family, 1 for anything.
    rank: u8,
    /// Thousandths.
    quality: u16,
}

struct Range<'a> {
    name: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        // Other parameters (`charset`, `header`) ask for what is answered anyway, or for nothing that we know.
        let quality = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        Some(Self { name, quality: quality.map_or(1000, thousandths) })
    }

    fn of(&self, media_type: &str) -> Option<Liking> {
        let family = media_type.split('/').next().unwrap_or("");
        let rank = if self.name.eq_ignore_ascii_case(media_type) {
            3
        } else if self.name.strip_suffix("/*").is_some_and(|of| of.eq_ignore_ascii_case(family)) {
            2
        } else if self.name == "*/*" {
            1
        } else {
            return None;
        };
        Some(Liking { rank, quality: self.quality })
    }
}

/// What can't be read as a quality is 1, as if it were not there.
fn thousandths(text: &str) -> u16 {
    match text.parse::<f32>() {
        Ok(quality) if (0.0..=1.0).contains(&quality) => (quality * 1000.0).round() as u16,
        Ok(quality) if quality < 0.0 => 0,
        _ => 1000,
    }
}

/// The ranges of one header; commas in quoted parameters separate nothing.
fn split(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TYPES: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];

    #[test]
    fn the_best_liked_type_is_chosen() {
        for (accept, chosen) in [
            ("*/*", Some(0)),
            ("", Some(0)),
            ("text/csv", Some(2)),
            ("Text/CSV; charset=utf-8", Some(2)),
            ("text/*", Some(2)),
            ("text/csv, */*", Some(2)),
            ("text/csv, application/json", Some(0)),
            ("text/csv, application/json;q=0.9", Some(2)),
            ("text/csv;q=0.5, application/x-ndjson ; q=0.8, */*;q=0.1", Some(1)),
            ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", Some(0)),
            ("application/json;q=0, */*", Some(1)),
            ("application/*;q=0, text/*;q=0.1", Some(2)),
            ("text/csv;q=0", None),
            ("text/html", None),
            ("image/png, text/plain;q=0.9", None),
            ("text/csv;x=\"a,application/json\"", Some(2)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(choose(&headers, &TYPES), chosen, "{accept}");
        }
        assert_eq!(choose(&HeaderMap::new(), &TYPES), Some(0));
    }
}
