//! Names of what a resource's table brings with it. PostgreSQL cuts names at 63 bytes without a word, so longer ones are
//! shortened here, in a way that is always the same and keeps different names apart.

/// The longest name, in bytes.
const LONGEST: usize = 63;

/// The join table of a `many` reference.
#[must_use]
pub fn join_table(resource: &str, field: &str) -> String {
    shorten(format!("{resource}__{field}"))
}

/// The sequence that serial ids come from (PostgreSQL).
#[must_use]
pub fn sequence(resource: &str) -> String {
    shorten(format!("{resource}__id"))
}

/// A declared index.
#[must_use]
pub fn index(resource: &str, name: &str) -> String {
    shorten(format!("{resource}__{name}"))
}

/// The index of a unique field.
#[must_use]
pub fn unique(resource: &str, field: &str) -> String {
    shorten(format!("{resource}__{field}__unique"))
}

/// The index of a reference.
#[must_use]
pub fn reference(resource: &str, field: &str) -> String {
    shorten(format!("{resource}__{field}__ref"))
}

/// The index of a join table from the target's side.
#[must_use]
pub fn join_target(resource: &str, field: &str) -> String {
    shorten(format!("{resource}__{field}__target"))
}

/// A primary key (PostgreSQL).
#[must_use]
pub fn primary_key(table: &str) -> String {
    shorten(format!("{table}__key"))
}

/// The foreign key of a column (PostgreSQL).
#[must_use]
pub fn foreign_key(table: &str, column: &str) -> String {
    shorten(format!("{table}__{column}__fk"))
}

/// Keeps the beginning of a name that is too long, and tells it from others by a hash of the whole.
fn shorten(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let hash = format!("_{:08x}", fold(fnv(name.as_bytes())));
    let mut end = LONGEST - hash.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{hash}", &name[..end])
}

/// FNV-1a: names come from the app's author, who has no reason to look for collisions.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn fold(hash: u64) -> u32 {
    ((hash >> 32) ^ (hash & 0xffff_ffff)) as u32
}
