//! What administrators write, marked in the audit log: in the same transaction, whichever door it came through.
//!
//! Every record that a write of theirs makes, changes or deletes is in a line, together with the others of its resource that had
//! the same done to them. Where a rule would have stopped the same person without the role, the line says so
//! (`admin_overruled`). Who is no person, an operator's key or the command line, stands outside the rules, and is not held
//! against them.

use std::collections::BTreeSet;

use model::{Action, Caller, FieldIndex, Problem, Record};
use rules::plan::{Otherwise, WritePlan};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::Path;
use crate::{
    own::{
        Statement,
        audit::{AuditLine, audit},
    },
    transaction::Tx,
};

/// The most ids that a line names: all of one request. Of more, as of an import, it says how many they were.
const IDS: usize = 1000;

/// Lines on their way.
#[derive(Debug, Default)]
pub struct Marks(Vec<Mark>);

/// What was done alike to records of one resource.
#[derive(Debug)]
struct Mark {
    resource: String,
    action: Action,
    overruled: bool,
    count: usize,
    ids: Vec<String>,
    fields: BTreeSet<String>,
    revision: i64,
}

/// Whether a caller's writes by a plan are marked. What the sign-in machinery does has lines of its own.
pub(super) fn are_made(caller: &Caller, plan: &WritePlan) -> bool {
    caller.identity.is_admin() && !plan.by_keeper
}

/// A record as it was or will be, for the rules that are asked about it.
pub(super) struct Deed<'a> {
    pub(super) action: Action,
    pub(super) old: Option<&'a Record>,
    pub(super) new: Option<&'a Record>,
    /// Which fields are set.
    pub(super) fields: &'a [FieldIndex],
}

impl<T: Tx> Path<'_, T> {
    /// Whether a rule would have stopped this caller without the role that passes every rule; asked before the write.
    pub(super) async fn overrules(&mut self, deed: &Deed<'_>) -> Result<bool, Problem> {
        let plan = self.plan;
        let Some(otherwise) = plan.otherwise.as_deref() else { return Ok(false) };
        if self.caller.identity.id.is_null() || !are_made(self.caller, plan) {
            return Ok(false);
        }
        let Deed { action, old, new, fields } = *deed;
        let Otherwise { read, create, update, delete, field_writes } = otherwise;
        let rule = match action {
            Action::Created => create,
            Action::Updated => update,
            Action::Deleted => delete,
        };
        if old.is_some() && !self.holds(read, old, None).await? || !self.holds(rule, old, new).await? {
            return Ok(true);
        }
        for (_, rule) in field_writes.iter().filter(|(field, _)| fields.contains(field)) {
            if !self.holds(rule, old, new).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes what was done, for the audit log.
    pub(super) fn mark(&mut self, action: Action, record: &Record, fields: &[FieldIndex], overruled: bool) {
        if !are_made(self.caller, self.plan) {
            return;
        }
        let resource = self.resource();
        let fields = fields.iter().map(|field| resource.get(*field).name.clone()).collect();
        let (resource, revision) = (resource.name.clone(), record.revision);
        let ids = vec![crate::id_text(record.id())];
        self.marks.add(Mark { resource, action, overruled, count: 1, ids, fields, revision });
    }
}

impl Marks {
    fn add(&mut self, one: Mark) {
        let same = |mark: &&mut Mark| {
            (&mark.resource, mark.action, mark.overruled) == (&one.resource, one.action, one.overruled)
        };
        match self.0.iter_mut().find(same) {
            Some(mark) => {
                mark.count += one.count;
                // One more than is named, so that it shows that there were more.
                let room = (IDS + 1).saturating_sub(mark.ids.len());
                mark.ids.extend(one.ids.into_iter().take(room));
                mark.fields.extend(one.fields);
            }
            None => self.0.push(one),
        }
    }

    /// Takes what others have noted.
    pub fn merge(&mut self, others: Self) {
        others.0.into_iter().for_each(|other| self.add(other));
    }

    /// The lines, for the transaction of the writes.
    #[must_use]
    pub fn lines(self, caller: &Caller) -> Vec<Statement> {
        self.0.into_iter().map(|mark| mark.line(caller)).collect()
    }
}

impl Mark {
    fn line(self, caller: &Caller) -> Statement {
        let Self { resource, action, overruled, count, ids, fields, revision } = self;
        let first = ids.first().map_or("", String::as_str);
        let (verb, what) = match action {
            Action::Created => ("created", "admin_created"),
            Action::Updated => ("changed", "admin_changed"),
            Action::Deleted => ("deleted", "admin_deleted"),
        };
        let what = if overruled { "admin_overruled" } else { what };
        // The first record's revision is given once.
        let name = format!("{}\0{resource}\0{first}\0{revision}\0{verb}\0{overruled}", caller.request_id);
        let name: String = Sha256::digest(name.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let subject = if count == 1 { format!("{resource}/{first}") } else { resource };
        let mut detail = Map::new();
        if overruled {
            detail.insert("action".to_owned(), verb.into());
        }
        if action == Action::Updated {
            detail.insert("fields".to_owned(), fields.into_iter().map(Json::from).collect());
        }
        if count > 1 && ids.len() <= IDS {
            detail.insert("ids".to_owned(), json!(ids));
        }
        audit(AuditLine {
            id: format!("{:016x}{name}", caller.now),
            what,
            caller,
            subject: &subject,
            address: None,
            count: i64::try_from(count).unwrap_or(i64::MAX),
            detail: if detail.is_empty() { String::new() } else { Json::Object(detail).to_string() },
        })
    }
}
