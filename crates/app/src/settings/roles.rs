//! `[roles]`: roles, and the roles that they include.

use std::collections::BTreeMap;

use model::{Roles, identity::ADMIN};

use crate::{
    diagnostic::Report,
    nearest,
    source::Place,
    tree::{Data, Entry, Table, check_keys},
};

/// The most roles of an app.
const MOST: usize = 200;
/// The most characters of a role's name.
const LONGEST: usize = 64;

/// A role and the names in its `includes`, each with its place.
struct Declared<'a> {
    entry: &'a Entry,
    includes: Vec<(&'a str, &'a Place)>,
}

/// Reads `[roles]`; what is wrong in it is told and left out.
pub(super) fn read(file: &Table, report: &mut Report) -> Roles {
    let Some(section) = file.get("roles") else { return Roles::default() };
    let Some(table) = section.node.table(report, "a table of roles, as in `editor = {}`") else {
        return Roles::default();
    };
    if let Some(entry) = table.entries.get(MOST) {
        report.error(&entry.place, format!("an app has at most {MOST} roles"));
        return Roles::default();
    }
    let declared: Vec<Declared<'_>> = table.entries.iter().filter_map(|entry| read_role(entry, report)).collect();
    let names: Vec<&str> = declared.iter().map(|role| role.entry.key.as_str()).chain([ADMIN]).collect();
    let mut includes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for role in &declared {
        let name = role.entry.key.as_str();
        for (included, place) in &role.includes {
            if !names.contains(included) {
                let message = format!("there is no role `{included}`");
                let help = nearest::did_you_mean(included, names.iter().copied())
                    .unwrap_or_else(|| format!("declare it: {included} = {{}}"));
                report.error_with_help(place, message, help);
            } else if reaches(&declared, included, name) {
                let message = match name == *included {
                    true => format!("`{name}` can't include itself"),
                    false => format!("`{included}` includes `{name}` already, so `{name}` can't include it"),
                };
                report.error(place, message);
            } else {
                includes.entry(name.to_owned()).or_default().push((*included).to_owned());
            }
        }
        includes.entry(name.to_owned()).or_default();
    }
    Roles::new(includes)
}

fn read_role<'a>(entry: &'a Entry, report: &mut Report) -> Option<Declared<'a>> {
    let name = entry.key.as_str();
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.bytes().all(good) || name.len() > LONGEST {
        let message = format!("a role's name has 1 to {LONGEST} lower-case letters, digits, `_` and `-`");
        report.error(&entry.place, message);
        return None;
    }
    let Data::Table(role) = &entry.node.data else {
        let message = format!("expected a role, found {}", entry.node.describe());
        report.error_with_help(&entry.node.place, message, "write {} or { includes = [\"editor\"] }");
        return None;
    };
    check_keys(role, &["includes"], &[], report);
    let mut includes = Vec::new();
    if let Some(listed) = role.get("includes") {
        for item in listed.node.list(report, "a list of roles")? {
            includes.push((item.text(report, "the name of a role")?, &item.place));
        }
    }
    Some(Declared { entry, includes })
}

/// Whether one role includes another, at whatever distance.
fn reaches(declared: &[Declared<'_>], from: &str, to: &str) -> bool {
    let (mut seen, mut next) = (Vec::new(), vec![from]);
    while let Some(role) = next.pop() {
        if role == to {
            return true;
        }
        if !seen.contains(&role) {
            seen.push(role);
            let includes = declared.iter().filter(|known| known.entry.key == role).flat_map(|known| &known.includes);
            next.extend(includes.map(|(name, _)| *name));
        }
    }
    false
}
