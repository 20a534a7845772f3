//! Names of types and operations, made from the names of resources: `order_lines` → `OrderLine`, `listOrderLines`.

use std::collections::HashSet;

use model::Schema;

/// What the types of a resource end with.
pub(crate) const SHAPES: [&str; 6] = ["", "Part", "Create", "Replace", "Patch", "Page"];

/// Words that end in `s` and are no plurals by the rules below, with their singulars.
const IRREGULAR: [(&str, &str); 10] = [
    ("children", "child"),
    ("cookies", "cookie"),
    ("data", "data"),
    ("media", "media"),
    ("men", "man"),
    ("movies", "movie"),
    ("news", "news"),
    ("people", "person"),
    ("series", "series"),
    ("species", "species"),
];

/// The names of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The type of a record: `OrderLine`.
    pub(crate) one: String,
    /// The same in words: `order_line`.
    pub(crate) word: String,
    /// Many of them: `OrderLines`.
    pub(crate) many: String,
}

/// The names of every resource, in the schema's order; no two agree, nor does any with one of `taken`.
pub(crate) fn of(schema: &Schema, taken: &[&str]) -> Vec<Names> {
    let mut taken: HashSet<String> = taken.iter().map(|name| (*name).to_owned()).collect();
    let mut methods = HashSet::new();
    schema
        .resources()
        .iter()
        .map(|resource| {
            let many = pascal(&resource.name);
            let word = singular(&resource.name);
            let one = pascal(&word);
            let numbered = (2..).map(|number| format!("{many}{number}"));
            let free = |base: &String| {
                let types = SHAPES.iter().all(|shape| !taken.contains(&format!("{base}{shape}")));
                types && !methods.contains(&base.to_lowercase())
            };
            let one = [one, many.clone()].into_iter().chain(numbered).find(free).unwrap_or_default();
            taken.extend(SHAPES.iter().map(|shape| format!("{one}{shape}")));
            methods.extend([one.to_lowercase(), many.to_lowercase()]);
            Names { one, word, many }
        })
        .collect()
}

/// `order_lines` → `OrderLines`
fn pascal(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        })
        .collect()
}

/// The singular of the last word, as far as simple rules know it.
fn singular(name: &str) -> String {
    let (rest, word) = name.rfind('_').map_or(("", name), |at| name.split_at(at + 1));
    let irregular = IRREGULAR.iter().find(|(plural, _)| *plural == word).map(|(_, singular)| (*singular).to_owned());
    let word = irregular.unwrap_or_else(|| {
        let cut = |ending: &str| word.strip_suffix(ending).filter(|stem| stem.len() > 1);
        if let Some(stem) = cut("ies") {
            return format!("{stem}y");
        }
        let hissing = ["sses", "shes", "ches", "xes", "zzes", "uses"];
        if hissing.iter().any(|ending| word.ends_with(ending)) && word != "houses" && word != "causes" {
            return word[..word.len() - 2].to_owned();
        }
        match cut("s") {
            Some(stem) if !stem.ends_with(['s', 'u', 'i']) => stem.to_owned(),
            _ => word.to_owned(),
        }
    });
    format!("{rest}{word}")
}

#[cfg(test)]
mod tests {
    use super::singular;

    #[test]
    fn the_singular_of_common_names_is_found_and_others_stay() {
        let pairs = [
            ("posts", "post"),
            ("order_lines", "order_line"),
            ("categories", "category"),
            ("addresses", "address"),
            ("boxes", "box"),
            ("statuses", "status"),
            ("status", "status"),
            ("people", "person"),
            ("movies", "movie"),
            ("news", "news"),
            ("houses", "house"),
            ("staff", "staff"),
            ("x", "x"),
            ("s", "s"),
        ];
        for (plural, expected) in pairs {
            assert_eq!(singular(plural), expected, "{plural}");
        }
    }
}
