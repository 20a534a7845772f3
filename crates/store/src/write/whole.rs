//! A whole record in place of another: what stays of the old one.

use model::{FieldIndex, Flaw, Problem, Record};

use super::{
    Path,
    checks::{immutable, not_writable},
};
use crate::transaction::Tx;

impl<T: Tx> Path<'_, T> {
    /// Sets back what the caller may not read or write, and what is set once; and says what of that was sent to be changed.
    pub(super) async fn keep(
        &mut self,
        old: &Record,
        new: &mut Record,
        given: &[FieldIndex],
    ) -> Result<Vec<Flaw>, Problem> {
        let resource = self.resource();
        let seen = self.visible(old).await?;
        let mut flaws = Vec::new();
        let mut keep = |field: FieldIndex, new: &mut Record| {
            let same = seen.contains(&field) && new.get(field) == old.get(field);
            if given.contains(&field) && !same {
                let once = resource.get(field).immutable;
                flaws.push(if once { immutable(resource, field) } else { not_writable(resource, field) });
            }
            new.set(field, old.get(field).clone());
        };
        let mut open = Vec::new();
        for field in resource.indices() {
            let declared = resource.get(field);
            let meant = seen.contains(&field) || given.contains(&field);
            if declared.is_declared() && !declared.immutable && meant {
                open.push(field);
            } else {
                keep(field, new);
            }
        }
        // A rule about `new` means the record that will be written: what has been set back counts in it, so whatever is set
        // back asks the rules of the others anew.
        loop {
            let mut writable = Vec::with_capacity(open.len());
            for field in &open {
                if self.writable(*field, old, new).await? {
                    writable.push(*field);
                }
            }
            if writable.len() == open.len() {
                return Ok(flaws);
            }
            open.iter().filter(|field| !writable.contains(field)).for_each(|field| keep(*field, new));
            open = writable;
        }
    }
}
