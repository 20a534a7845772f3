//! By which fields a client may mean one record, besides its id.

use model::{FieldIndex, IdKind, Problem, Resource, ResourceIndex};

use crate::visibility::{Sight, Visibility};

/// The fields of these names, where no two records agree in all of them and the caller may read every one.
///
/// # Errors
/// A 400 for `parameter`, with the nearest name or what is unique here.
pub fn unique_key(
    visibility: &Visibility<'_>,
    resource: ResourceIndex,
    names: &[String],
    parameter: &str,
) -> Result<Vec<FieldIndex>, Problem> {
    let declared = visibility.catalog().schema.get(resource);
    let known = |field: &FieldIndex| visibility.field(resource, *field) != Sight::Unknown;
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        let Some(field) = declared.field(name).filter(known) else {
            let readable = declared.indices().filter(known).map(|field| declared.get(field).name.as_str());
            let near = crate::nearest(name, readable);
            let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            return Err(Problem::parameter(parameter, format!("{} has no field `{name}`{help}", declared.name)));
        };
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let keys = keys(declared);
    let same = |key: &Vec<FieldIndex>| key.len() == fields.len() && key.iter().all(|field| fields.contains(field));
    if keys.iter().any(same) {
        return Ok(fields);
    }
    let open = keys.iter().filter(|key| key.iter().all(known));
    let words = |key: &Vec<FieldIndex>| {
        let names: Vec<&str> = key.iter().map(|field| declared.get(*field).name.as_str()).collect();
        format!("`{}`", names.join(","))
    };
    let open: Vec<String> = open.map(words).collect();
    let help = match open.as_slice() {
        [] => format!("{} has no unique field", declared.name),
        open => format!("unique here: {}", open.join(", ")),
    };
    Err(Problem::parameter(parameter, format!("`{}` is not unique; {help}", names.join(","))))
}

/// Every set of fields that no two records agree in.
fn keys(resource: &Resource) -> Vec<Vec<FieldIndex>> {
    // A serial number is never sent by a client.
    let id = (resource.id_kind != IdKind::Integer).then_some(Resource::ID);
    let single = resource.indices().filter(|field| resource.get(*field).unique && *field != Resource::ID);
    let indexes = resource.indexes.iter().filter(|index| index.unique);
    let indexes = indexes.map(|index| index.columns.iter().map(|(field, _)| *field).collect());
    id.into_iter().chain(single).map(|field| vec![field]).chain(indexes).collect()
}
