//! Content codings (RFC 9110, 8.4 and 12.5.3): which one a client gets, and which answers are worth one.

use http::{HeaderMap, header};

/// A coding that we can make and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Zstd,
}

/// Those that a request's body may have, and an answer can get, for `Accept-Encoding`.
pub(crate) const CODINGS: &str = "gzip, zstd, identity";

impl Coding {
    pub(crate) const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// The token in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The coding of a token.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        // RFC 9110, 8.4.1.3: `x-gzip` is an old name of it.
        if name.eq_ignore_ascii_case("x-gzip") {
            return Some(Self::Gzip);
        }
        Self::ALL.into_iter().find(|known| name.eq_ignore_ascii_case(known.name()))
    }
}

/// What a client says of codings. Weights are in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Preference {
    gzip: u16,
    zstd: u16,
    /// None where the client does not speak of it: then it is taken, after all others.
    identity: Option<u16>,
}

impl Preference {
    /// Reads `Accept-Encoding`. Without it, an answer is sent as it is.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut own: [Option<u16>; 3] = [None; 3];
        let mut others = None;
        let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for element in values.flat_map(|value| value.split(',')) {
            let mut parts = element.split(';').map(str::trim);
            let name = parts.next().unwrap_or("");
            let Some(weight) = weight(parts) else { continue };
            match (name, Coding::from_name(name)) {
                (_, Some(Coding::Gzip)) => own[0] = Some(weight),
                (_, Some(Coding::Zstd)) => own[1] = Some(weight),
                ("*", None) => others = Some(weight),
                (name, None) if name.eq_ignore_ascii_case("identity") => own[2] = Some(weight),
                (_, None) => {}
            }
        }
        let [gzip, zstd, identity] = own.map(|known| known.or(others));
        Self { gzip: gzip.unwrap_or(0), zstd: zstd.unwrap_or(0), identity }
    }

    /// The coding that it likes best; none where that is no coding at all.
    pub(crate) fn best(self) -> Option<Coding> {
        let coding = if self.zstd >= self.gzip { Coding::Zstd } else { Coding::Gzip };
        let weight = self.zstd.max(self.gzip);
        (weight > 0 && weight >= self.identity.unwrap_or(0)).then_some(coding)
    }

    /// Whether it takes a coding.
    pub(crate) fn takes(self, coding: Coding) -> bool {
        match coding {
            Coding::Gzip => self.gzip > 0,
            Coding::Zstd => self.zstd > 0,
        }
    }

    /// Whether it takes an answer as it is.
    pub(crate) fn takes_identity(self) -> bool {
        self.identity != Some(0)
    }

    /// Whether it takes nothing that we can make.
    pub(crate) fn is_impossible(self) -> bool {
        !self.takes_identity() && self.gzip == 0 && self.zstd == 0
    }
}

/// The weight among the parameters of an element (RFC 9110, 12.4.2), in thousandths; none where it can't be read.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if !name.trim().eq_ignore_ascii_case("q") {
            continue;
        }
        let value = value.trim();
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
        return match whole {
            "0" => Some(thousandths),
            "1" if thousandths == 0 => Some(1000),
            _ => None,
        };
    }
    Some(1000)
}

/// Whether bodies of a media type shrink. Events are left alone: they are small, have to go out at once, and a
/// compressor for each of thousands of listeners would take more memory than everything else.
pub(crate) fn shrinks(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let (family, kind) = essence.split_once('/').unwrap_or((essence, ""));
    match family {
        "text" => kind != "event-stream",
        "application" => {
            matches!(kind, "json" | "x-ndjson" | "ndjson" | "javascript" | "xml" | "openmetrics-text" | "sql" | "wasm")
                || kind.ends_with("+json")
                || kind.ends_with("+xml")
        }
        "image" => kind == "svg+xml",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preference(text: &str) -> Preference {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
        Preference::of(&headers)
    }

    #[test]
    fn the_best_coding_is_the_one_of_the_greatest_weight() {
        let best = |text: &str| preference(text).best();
        assert_eq!(Preference::of(&HeaderMap::new()).best(), None);
        for (text, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("GZIP, deflate, br", Some(Coding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("zstd;q=0.5, gzip;q=0.8", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("gzip;q=0.000, *", Some(Coding::Zstd)),
            ("*", Some(Coding::Zstd)),
            ("*;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0.5, identity;q=0.5", Some(Coding::Gzip)),
            ("identity;q=0, gzip;q=0.001", Some(Coding::Gzip)),
            ("br", None),
            ("", None),
            ("gzip;q=2", None),
            ("gzip;q=nan", None),
            ("gzip;q=-1", None),
            ("gzip; q = 0.3 ,", Some(Coding::Gzip)),
        ] {
            assert_eq!(best(text), coding, "{text}");
        }
    }

    #[test]
    fn identity_is_taken_unless_it_is_refused() {
        for (text, takes, impossible) in [
            ("gzip", true, false),
            ("identity;q=0", false, true),
            ("*;q=0", false, true),
            ("*;q=0, identity;q=0.1", true, false),
            ("identity;q=0, gzip", false, false),
            ("br;q=1, *;q=0", false, true),
        ] {
            let preference = preference(text);
            assert_eq!((preference.takes_identity(), preference.is_impossible()), (takes, impossible), "{text}");
        }
    }

    #[test]
    fn what_is_small_already_or_has_to_go_out_at_once_is_left_alone() {
        for (kind, is) in [
            ("application/json", true),
            ("application/problem+json", true),
            ("text/html; charset=utf-8", true),
            ("text/csv", true),
            ("application/x-ndjson", true),
            ("image/svg+xml", true),
            ("text/event-stream", false),
            ("image/png", false),
            ("application/zip", false),
            ("application/octet-stream", false),
            ("", false),
        ] {
            assert_eq!(shrinks(kind), is, "{kind}");
        }
    }
}
