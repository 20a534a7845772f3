//! The order of seed files: whatever is referred to comes first.

use std::collections::BTreeSet;

use model::{Field, Resource, Schema};

use super::{SeedFile, read::Lines};
use crate::cli::failure::Failure;

/// Puts files into an order in which every reference finds its record. A reference that no line of a file sets, needs
/// nothing. A resource's references to itself are the loading's concern, which finds their order line by line.
///
/// # Errors
/// Files refer to each other in a circle.
pub(super) fn sort(schema: &Schema, mut waiting: Vec<SeedFile>) -> Result<Vec<SeedFile>, Failure> {
    let mut sorted = Vec::with_capacity(waiting.len());
    // What the files of a circle really use; every reference counts until a circle is found.
    let mut used: Option<Vec<BTreeSet<String>>> = None;
    while !waiting.is_empty() {
        let ready = (0..waiting.len()).find(|&at| {
            let used = used.as_ref().map(|used| &used[at]);
            needs(schema, &waiting[at], used, &waiting).is_empty()
        });
        if let Some(at) = ready {
            sorted.push(waiting.remove(at));
            if let Some(used) = &mut used {
                used.remove(at);
            }
        } else if used.is_none() {
            used = Some(waiting.iter().map(|file| fields_of(schema, file)).collect::<Result<_, _>>()?);
        } else {
            return Err(circle(schema, &waiting, &used.unwrap_or_default()));
        }
    }
    Ok(sorted)
}

/// The references of a file's resource that lead to files that wait, and where to.
fn needs<'a>(
    schema: &'a Schema,
    file: &SeedFile,
    used: Option<&BTreeSet<String>>,
    waiting: &'a [SeedFile],
) -> Vec<(&'a Field, &'a SeedFile)> {
    references(schema.get(file.resource))
        .filter(|field| used.is_none_or(|used| used.contains(&field.name)))
        .filter_map(|field| {
            let target = field.target()?;
            let other = waiting.iter().find(|other| other.resource == target && other.resource != file.resource)?;
            Some((field, other))
        })
        .collect()
}

fn references(resource: &Resource) -> impl Iterator<Item = &Field> {
    resource.fields.iter().filter(|field| field.target().is_some())
}

/// The references that some line of a file sets.
fn fields_of(schema: &Schema, file: &SeedFile) -> Result<BTreeSet<String>, Failure> {
    const AT_ONCE: usize = 1000;
    let names: Vec<&str> = references(schema.get(file.resource)).map(|field| field.name.as_str()).collect();
    let mut found = BTreeSet::new();
    let mut lines = Lines::open(file)?;
    loop {
        let batch = lines.batch(AT_ONCE, u64::MAX)?;
        if batch.is_empty() || found.len() == names.len() {
            return Ok(found);
        }
        for line in batch {
            let set = |name: &&&str| line.record.get(**name).is_some_and(|value| !value.is_null());
            found.extend(names.iter().filter(set).map(|name| (*name).to_owned()));
        }
    }
}

fn circle(schema: &Schema, waiting: &[SeedFile], used: &[BTreeSet<String>]) -> Failure {
    // Each file that waits needs another one that waits, so going on long enough ends in a circle.
    let (mut at, mut path) = (0, Vec::new());
    while !path.contains(&at) {
        path.push(at);
        let next = needs(schema, &waiting[at], used.get(at), waiting).first().map(|(_, other)| other.resource);
        at = waiting.iter().position(|file| Some(file.resource) == next).unwrap_or(0);
    }
    let from = path.iter().position(|step| *step == at).unwrap_or(0);
    let words: Vec<String> = path[from..]
        .iter()
        .filter_map(|step| {
            let (field, other) = needs(schema, &waiting[*step], used.get(*step), waiting).into_iter().next()?;
            Some(format!("`{}` of {} refers to `{}`", field.name, waiting[*step].shown, other.name))
        })
        .collect();
    Failure::new(format!("the seed files refer to each other in a circle: {}", words.join(", ")))
        .help("leave one of these fields out, and set it with PATCH once the records are there")
}
