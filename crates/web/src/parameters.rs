//! Query strings: names and values, in order, percent-decoded as HTML forms write them.

use model::{Code, Problem};
use percent_encoding::percent_decode;

/// The parameters of a request.
#[derive(Debug, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a query string.
    ///
    /// # Errors
    /// 400 for bytes that are no UTF-8, or NUL.
    pub fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut pairs = Vec::new();
        for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self { pairs })
    }

    /// Takes the value of a parameter that may stand once.
    ///
    /// # Errors
    /// 400 where it stands twice.
    pub fn take(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut found = None;
        let mut position = 0;
        while position < self.pairs.len() {
            if self.pairs[position].0 != name {
                position += 1;
                continue;
            }
            let (_, value) = self.pairs.remove(position);
            if found.replace(value).is_some() {
                return Err(Problem::parameter(name, format!("`{name}` stands twice")));
            }
        }
        Ok(found)
    }

    /// Takes every value of a parameter that may stand several times, in order.
    #[must_use]
    pub fn take_all(&mut self, name: &str) -> Vec<String> {
        self.pairs.extract_if(.., |(known, _)| known == name).map(|(_, value)| value).collect()
    }

    /// Takes every parameter below a name, as in `expand[comments][limit]`: what stands in the brackets, and the values.
    ///
    /// # Errors
    /// 400 where one has no closing bracket.
    pub fn take_below(&mut self, name: &str) -> Result<Vec<(Vec<String>, String)>, Problem> {
        let mut found = Vec::new();
        let mut kept = Vec::with_capacity(self.pairs.len());
        for (parameter, value) in std::mem::take(&mut self.pairs) {
            let Some(inner) = parameter.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')) else {
                kept.push((parameter, value));
                continue;
            };
            let Some(inner) = inner.strip_suffix(']') else {
                return Err(Problem::parameter(&parameter, format!("`{parameter}` has no closing bracket")));
            };
            found.push((inner.split("][").map(str::to_owned).collect(), value));
        }
        self.pairs = kept;
        Ok(found)
    }

    /// What has not been taken, in order.
    #[must_use]
    pub fn rest(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// Refuses what has not been taken, with the nearest of the names that are known here.
    ///
    /// # Errors
    /// 400 where anything is left.
    pub fn finish(self, known: &[&str]) -> Result<(), Problem> {
        let Some((name, _)) = self.pairs.first() else { return Ok(()) };
        let help = match known {
            [] => "; this call takes no parameters".to_owned(),
            known => match rules::nearest(name, known.iter().copied()) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!("; known here: {}", known.join(", ")),
            },
        };
        Err(Problem::parameter(name, format!("unknown parameter `{name}`{help}")))
    }
}

fn decode(text: &str) -> Result<String, Problem> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode(spaced.as_bytes()).decode_utf8();
    match decoded {
        Ok(decoded) if !decoded.contains('\0') => Ok(decoded.into_owned()),
        _ => Err(Problem::new(Code::BadParameter, "the query string has bytes that are no UTF-8 text, or a NUL")),
    }
}
