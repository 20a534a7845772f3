//! What a caller asks of the data, ready for a store once the gate has authorised it.
//!
//! A plan holds what is the same for every request of its form and can be kept; what differs from request to request
//! (the caller, inputs, page) stands beside it. A store keeps what it made of a plan (SQL text, say) in its [`Slot`].

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

use model::{Action, Caller, FieldIndex, Flaw, Problem, Record, ResourceIndex, Value};

use crate::{
    expression::{Condition, Expression},
    gate::Allowed,
    policy::Catalog,
};

/// A place for what a store has made of a plan.
#[derive(Default)]
pub struct Slot(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Slot {
    /// What is kept here, made on the first call. A second type asking is a mistake of the program, and gets its own
    /// freshly made one.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(kept) = self.0.get() {
            if let Ok(found) = Arc::clone(kept).downcast() {
                return found;
            }
            return Arc::new(make());
        }
        let made = Arc::new(make());
        // Two at once make it twice; either serves.
        let _ = self.0.set(Arc::clone(&made) as Arc<dyn Any + Send + Sync>);
        made
    }
}

/// A copy makes its own.
impl Clone for Slot {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Slot")
    }
}

/// How records of a resource are read by callers of one profile.
#[derive(Debug)]
pub struct ReadPlan {
    /// The app that it was made for.
    pub catalog: Arc<Catalog>,
    /// Whose records.
    pub resource: ResourceIndex,
    /// Which of them: the read rule and the filter, over [`crate::expression::Root::Record`].
    pub condition: Condition,
    /// The same without the cursor: what a count counts.
    pub counted: Condition,
    /// What is answered of each.
    pub view: View,
    /// The order, total: `id` is its last key.
    pub sort: Vec<SortKey>,
    /// What is answered beside each record: records that it refers to, or that refer to it.
    pub expand: Vec<Expansion>,
    /// Differs wherever the body of the same record at the same revision would.
    pub fingerprint: u64,
    /// The store's own.
    pub prepared: Slot,
}

/// Other records answered beside each record, under the rules of their own resource.
#[derive(Debug)]
pub struct Expansion {
    /// The name that the client gave.
    pub name: String,
    /// How they are found.
    pub link: Link,
    /// What they are found by, over the record: a reference, or the record's id; absent where the caller may not know.
    pub key: Expression,
    /// How many of a list at most.
    pub limit: u32,
    /// Which of them, and what of each; in the order of the reference where a `many` reference's plan has no sort.
    pub plan: ReadPlan,
}

/// How expanded records are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The one whose id is the key.
    One,
    /// Those that a `many` reference of the record names.
    Many {
        /// The record's resource.
        resource: ResourceIndex,
        /// The reference.
        field: FieldIndex,
    },
    /// Those whose reference names the record.
    Reverse {
        /// Their resource.
        from: ResourceIndex,
        /// Their reference, one or many.
        field: FieldIndex,
    },
}

/// Which fields a caller sees.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// In the order of the answer.
    pub fields: Vec<ViewField>,
}

/// One field of a view.
#[derive(Debug, Clone)]
pub struct ViewField {
    /// The field.
    pub field: FieldIndex,
    /// It is left out where this does not hold of the record.
    pub condition: Option<Condition>,
}

/// One key of an order. Nulls are smallest.
#[derive(Debug, Clone)]
pub struct SortKey {
    /// What is compared, over the record.
    pub expression: Expression,
    /// Greatest first.
    pub descending: bool,
}

/// A read as a store gets it.
#[derive(Debug, Clone)]
pub struct Read {
    /// How.
    pub plan: Arc<ReadPlan>,
    /// For whom.
    pub caller: Caller,
    /// Values that conditions name by number.
    pub inputs: Vec<Value>,
    /// Which page; for one record by its id, `limit` is 1.
    pub page: Page,
}

/// A piece of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many records at most, 1–200.
    pub limit: u32,
    /// How many to pass over, 0–10,000.
    pub offset: u32,
    /// Whether to count all that match, too.
    pub count: bool,
}

/// The rules that writes of one profile to a resource meet, and what of the result its writer sees.
#[derive(Debug)]
pub struct WritePlan {
    /// The app that it was made for.
    pub catalog: Arc<Catalog>,
    /// Whose records.
    pub resource: ResourceIndex,
    /// Who sees a record, over `record`.
    pub read: Condition,
    /// Over `new`.
    pub create: Condition,
    /// Over `record` and `new`.
    pub update: Condition,
    /// Over `record`.
    pub delete: Condition,
    /// Fields that not every caller may set, with the rule over `record` (absent on creation) and `new`.
    pub field_writes: Vec<(FieldIndex, Condition)>,
    /// Whole-record rules and their messages.
    pub validations: Vec<(String, Condition)>,
    /// What a writer who may read the result gets of it.
    pub view: View,
    /// As [`ReadPlan::fingerprint`] of a read by id.
    pub fingerprint: u64,
    /// For callers who pass every rule: what would hold of them without that.
    pub otherwise: Option<Box<Otherwise>>,
    /// Whether the sign-in machinery makes it, of a person's record: it may leave out the e-mail (machines), and set one as
    /// verified.
    pub by_keeper: bool,
    /// The store's own.
    pub prepared: Slot,
}

/// The rules for an administrator as they are for anybody: nobody is stopped by them; the audit log says who would have been.
#[derive(Debug, Clone)]
pub struct Otherwise {
    /// As [`WritePlan::read`].
    pub read: Condition,
    /// As [`WritePlan::create`].
    pub create: Condition,
    /// As [`WritePlan::update`].
    pub update: Condition,
    /// As [`WritePlan::delete`].
    pub delete: Condition,
    /// As [`WritePlan::field_writes`].
    pub field_writes: Vec<(FieldIndex, Condition)>,
}

/// Operations to be made together or not at all.
#[derive(Debug, Clone)]
pub struct Write {
    /// By whom.
    pub caller: Caller,
    /// In order.
    pub operations: Vec<Operation>,
}

/// One write.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The rules that it meets.
    pub plan: Arc<WritePlan>,
    /// What is asked.
    pub kind: OperationKind,
    /// The method that its rules see, where it is another than the request's: an operation of a batch has its own.
    pub method: Option<&'static str>,
    /// Where it stands in the input.
    pub position: Position,
    /// Ids of earlier operations that it names and nobody knows yet.
    pub late: Vec<Late>,
}

impl Operation {
    /// The whole of a write.
    pub(crate) fn alone(plan: Arc<WritePlan>, kind: OperationKind) -> Self {
        Self { plan, kind, method: None, position: Position::default(), late: Vec::new() }
    }
}

/// One write before the gate.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Whose records.
    pub resource: ResourceIndex,
    /// What is asked.
    pub kind: OperationKind,
    /// As [`Operation::method`].
    pub method: Option<&'static str>,
    /// Where it stands in the input.
    pub position: Position,
    /// Ids of earlier operations that it names.
    pub late: Vec<Late>,
}

impl From<(ResourceIndex, OperationKind, String)> for Draft {
    fn from((resource, kind, operation): (ResourceIndex, OperationKind, String)) -> Self {
        Self { resource, kind, method: None, position: Position { operation, body: "" }, late: Vec::new() }
    }
}

/// Where an operation stands in the input, for the pointers of problems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The pointer of the operation: empty, `/3` in an array, `/operations/3` in a batch.
    pub operation: String,
    /// What leads from there to its body: empty, or `/body` in a batch.
    pub body: &'static str,
}

impl Position {
    /// A problem of this operation, told as one of the whole input: its pointers are moved under the operation's, and
    /// where it has none it gets one, so that a client knows which of several operations failed.
    #[must_use]
    pub fn place(&self, mut problem: Problem) -> Problem {
        if self.operation.is_empty() {
            return problem;
        }
        if problem.errors.is_empty() && problem.code.status() < 500 {
            let flaw = Flaw::pointer(self.operation.clone(), problem.code.slug(), problem.detail.clone());
            problem.errors.push(flaw);
            return problem;
        }
        problem.under(&format!("{}{}", self.operation, self.body))
    }
}

/// An id that an earlier operation of the same write brings, and the place in a later one that it belongs to. Until then
/// another value of its type stands there, which nothing looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// The number of the earlier operation, from 0.
    pub operation: usize,
    /// Where its id belongs.
    pub place: LatePlace,
}

/// A place in an operation for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatePlace {
    /// The id of the record that is meant.
    Id,
    /// The value of a reference.
    Field(FieldIndex),
    /// An item of a `many` reference, or of what an edit adds to it or takes from it.
    Item(FieldIndex, usize),
}

/// What one write does.
#[derive(Debug, Clone)]
pub enum OperationKind {
    /// A new record.
    Create {
        /// All values, defaults among them; the id is null where the server gives it.
        record: Record,
        /// Which fields the client sent.
        given: Vec<FieldIndex>,
    },
    /// The record that has the same values in some fields, changed, or a new one where there is none.
    Upsert {
        /// All values, defaults among them, as for a creation.
        record: Record,
        /// Which fields the client sent: these are changed.
        given: Vec<FieldIndex>,
        /// The fields by which it is found, unique together and none of them null.
        by: Vec<FieldIndex>,
    },
    /// All of a record anew.
    Replace {
        /// Whose.
        id: Value,
        /// All values, defaults among them, as for a creation.
        record: Record,
        /// Which fields the client sent.
        given: Vec<FieldIndex>,
        /// What must be true of the stored revision.
        precondition: Precondition,
        /// Create what is absent (resources whose clients name the ids).
        or_create: bool,
    },
    /// Some fields of a record.
    Patch {
        /// Whose.
        id: Value,
        /// What becomes of each.
        edits: Vec<(FieldIndex, Edit)>,
        /// What must be true of the stored revision.
        precondition: Precondition,
    },
    /// The record goes.
    Delete {
        /// Whose.
        id: Value,
        /// What must be true of the stored revision.
        precondition: Precondition,
    },
    /// The same for every record that a read means.
    Each {
        /// Which: what the gate has allowed the caller to read.
        select: Box<Allowed<Read>>,
        /// How many at most.
        most: u32,
        /// What is done to each.
        act: Act,
    },
}

/// What is done to each of several records.
#[derive(Debug, Clone)]
pub enum Act {
    /// As [`OperationKind::Patch`].
    Patch(Vec<(FieldIndex, Edit)>),
    /// As [`OperationKind::Delete`].
    Delete,
}

/// What becomes of a field in a patch.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// This value; null clears.
    Set(Value),
    /// A JSON Merge Patch (RFC 7396) of a `json` field, as JSON text.
    Merge(Box<str>),
    /// A number more (or less), atomically.
    Increment(Value),
    /// These items at the end of the list.
    Append(Vec<Value>),
    /// Every item equal to one of these goes.
    Remove(Vec<Value>),
}

impl Edit {
    /// Whether what becomes of the field hangs on what it holds.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        match self {
            Self::Set(_) => false,
            Self::Merge(_) | Self::Increment(_) | Self::Append(_) | Self::Remove(_) => true,
        }
    }
}

/// What must be true of the stored record before a write (RFC 9110, 13.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// `If-Match: *`
    Exists,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match` with entity tags: one of these revisions.
    Revision(Vec<i64>),
}

/// What a write came to.
#[derive(Debug, Clone)]
pub struct Written {
    /// What was done.
    pub action: Action,
    /// The rules it met, for encoding.
    pub plan: Arc<WritePlan>,
    /// The record after (before, where deleted).
    pub record: Record,
    /// Which fields of the view its writer sees; none where the writer may not read the result.
    pub visible: Option<Vec<bool>>,
}

/// Questions about one record at hand, for one caller: whether it is seen, and what of it.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The app.
    pub catalog: Arc<Catalog>,
    /// Whose record.
    pub resource: ResourceIndex,
    /// The record.
    pub record: Arc<Record>,
    /// As it would be stored, where the condition speaks of that, too.
    pub new: Option<Arc<Record>>,
    /// Who sees it: the read rule and the filter.
    pub condition: Condition,
    /// What is seen of it.
    pub view: View,
    /// Values that the condition names by number.
    pub inputs: Vec<Value>,
    /// For whom.
    pub caller: Caller,
}
