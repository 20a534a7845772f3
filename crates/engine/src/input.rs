//! Bodies into operations: names, types, defaults, and everything else that can be known without the database.

use model::{
    Caller, Field, FieldIndex, Flaw, IdKind, Origin, Problem, Record, Resource, ResourceIndex, Value, accept_field,
    check_required, field::Default,
};
use rules::{
    Catalog,
    plan::{Edit, OperationKind, Precondition},
};
use serde_json::{Map, Value as Json};

use crate::clock::Clock;

/// What a body is read against.
pub(crate) struct Input<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) resource: ResourceIndex,
    pub(crate) caller: &'a Caller,
    pub(crate) clock: &'a dyn Clock,
    /// Loading seeds: every kind of id may be brought.
    pub(crate) loading: bool,
}

impl Input<'_> {
    /// A new record from an object.
    pub(crate) fn create(&self, body: &Json) -> Result<OperationKind, Problem> {
        let mut flaws = Vec::new();
        let (record, given) = self.creation(body, &mut flaws)?;
        let resource = self.declared();
        if resource.id_kind == IdKind::String && record.id().is_null() && !flaws.iter().any(|flaw| in_field(flaw, "id"))
        {
            flaws.push(Flaw::pointer("/id", "required", "id is required: you name these records"));
        }
        for (field, declared) in self.fields() {
            let name = &declared.name;
            // A flawed value is no missing one.
            let flawed = flaws.iter().any(|flaw| in_field(flaw, name));
            if declared.required && declared.is_declared() && !flawed {
                check_required(declared, record.get(field), &mut flaws);
            }
        }
        if flaws.is_empty() { Ok(OperationKind::Create { record, given }) } else { Err(Problem::validation(flaws)) }
    }

    /// A new record, or what becomes of the one that agrees with it in the fields `by`: what that one has already may be
    /// left out.
    pub(crate) fn upsert(&self, body: &Json, by: &[FieldIndex]) -> Result<OperationKind, Problem> {
        let mut flaws = Vec::new();
        let (record, given) = self.creation(body, &mut flaws)?;
        for (field, declared) in self.fields() {
            let name = &declared.name;
            let flawed = flaws.iter().any(|flaw| in_field(flaw, name));
            // An id that the server has just made up finds nothing.
            let finds = !record.get(field).is_null() && (field != Resource::ID || given.contains(&field));
            if by.contains(&field) && !flawed && !finds {
                let detail = format!("{name} is required: the record is found by it");
                flaws.push(Flaw::pointer(pointer(name), "required", detail));
            } else if given.contains(&field) {
                check_required(declared, record.get(field), &mut flaws);
            }
        }
        let by = by.to_vec();
        if flaws.is_empty() { Ok(OperationKind::Upsert { record, given, by }) } else { Err(Problem::validation(flaws)) }
    }

    /// A new record as far as the body goes, with the id that is given to it.
    fn creation(&self, body: &Json, flaws: &mut Vec<Flaw>) -> Result<(Record, Vec<FieldIndex>), Problem> {
        let (mut record, given) = self.whole(body, None, flaws)?;
        // The store gives the serial numbers, and clients the strings.
        if record.id().is_null() && self.declared().id_kind == IdKind::Uuid {
            record.values[0] = Value::Uuid(self.clock.uuid(self.caller.now));
        }
        Ok((record, given))
    }

    /// All of a record anew.
    pub(crate) fn replace(&self, id: Value, body: &Json, precondition: Precondition) -> Result<OperationKind, Problem> {
        let mut flaws = Vec::new();
        let (record, given) = self.whole(body, Some(&id), &mut flaws)?;
        if !flaws.is_empty() {
            return Err(Problem::validation(flaws));
        }
        let or_create = self.declared().id_kind == IdKind::String;
        Ok(OperationKind::Replace { id, record, given, precondition, or_create })
    }

    /// Some fields of a record.
    pub(crate) fn patch(&self, id: Value, body: &Json, precondition: Precondition) -> Result<OperationKind, Problem> {
        Ok(OperationKind::Patch { id, edits: self.edits(body)?, precondition })
    }

    /// What becomes of some fields.
    pub(crate) fn edits(&self, body: &Json) -> Result<Vec<(FieldIndex, Edit)>, Problem> {
        let mut flaws = Vec::new();
        let mut edits = Vec::new();
        for (name, json) in object(body)? {
            let Some(field) = self.find(name, &mut flaws) else { continue };
            let declared = self.declared().get(field);
            if declared.origin != Origin::Declared {
                // One that is sent back as it was read does no harm.
                let value = accept_field(declared, json, name, &mut flaws);
                edits.extend(value.map(|value| (field, Edit::Set(value))));
                continue;
            }
            if let Some(edit) = edit(declared, json, &mut flaws) {
                if let Edit::Set(value) = &edit {
                    check_required(declared, value, &mut flaws);
                }
                edits.push((field, edit));
            }
        }
        if flaws.is_empty() { Ok(edits) } else { Err(Problem::validation(flaws)) }
    }

    /// The id that a body names, null where it names none, and the fields that it gives as a change of that record.
    pub(crate) fn overwrite(&self, body: &Json) -> Result<(Value, Vec<(FieldIndex, Edit)>), Problem> {
        let mut flaws = Vec::new();
        let (record, given) = self.whole(body, None, &mut flaws)?;
        let resource = self.declared();
        let mut edits = Vec::with_capacity(given.len());
        for field in given {
            let declared = resource.get(field);
            if declared.is_declared() {
                check_required(declared, record.get(field), &mut flaws);
                edits.push((field, Edit::Set(record.get(field).clone())));
            }
        }
        if flaws.is_empty() { Ok((record.id().clone(), edits)) } else { Err(Problem::validation(flaws)) }
    }

    /// A whole record with its defaults, and which fields were sent. With `id`, that of the path.
    fn whole(
        &self,
        body: &Json,
        id: Option<&Value>,
        flaws: &mut Vec<Flaw>,
    ) -> Result<(Record, Vec<FieldIndex>), Problem> {
        let resource = self.declared();
        let mut record = Record::empty(resource.fields.len());
        let mut given = Vec::new();
        for (name, json) in object(body)? {
            let Some(field) = self.find(name, flaws) else { continue };
            let declared = resource.get(field);
            let before = flaws.len();
            let value = match declared.origin {
                Origin::Id => self.own_id(json, id, flaws),
                Origin::CreatedAt | Origin::UpdatedAt if id.is_none() && !self.loading => {
                    flaws.push(Flaw::pointer(pointer(name), "system", format!("{name} is kept by the server")));
                    None
                }
                _ => accept_field(declared, json, name, flaws),
            };
            if flaws.len() > before {
                continue;
            }
            if let Some(value) = value {
                given.push(field);
                record.set(field, value);
            }
        }
        if let Some(id) = id {
            record.values[0] = id.clone();
        }
        for (field, declared) in self.fields() {
            if given.contains(&field) {
                continue;
            }
            match declared.origin {
                Origin::Id => {}
                Origin::CreatedAt | Origin::UpdatedAt => record.set(field, Value::DateTime(self.caller.now)),
                Origin::Declared => record.set(field, self.default_of(field, declared)),
            }
        }
        Ok((record, given))
    }

    /// The id that a body brings: the path's again, or on creation one that the client may name.
    fn own_id(&self, json: &Json, path: Option<&Value>, flaws: &mut Vec<Flaw>) -> Option<Value> {
        let kind = self.declared().id_kind;
        let text = match json {
            Json::String(text) => text.clone(),
            Json::Number(number) if kind == IdKind::Integer => number.to_string(),
            _ => String::new(),
        };
        let value = model::parse_id(kind, &text);
        let flaw = match (path, &value) {
            (Some(path), Some(value)) if value == path => return None,
            (Some(_), _) => Flaw::pointer("/id", "immutable", "id is not the one in the path"),
            // An id of a person that was named might have been another's once.
            (None, _) if (kind == IdKind::Integer || self.declared().identity.is_some()) && !self.loading => {
                Flaw::pointer("/id", "system", "id is given by the server")
            }
            (None, Some(_)) => return value,
            (None, None) => Flaw::pointer(
                "/id",
                "format",
                match kind {
                    IdKind::Uuid => "id must be a UUID",
                    IdKind::Integer => "id must be an integer from 1",
                    IdKind::String => {
                        "id must be 1 to 128 of A-Z a-z 0-9 _ ~ . -, not begin with a dot, and not be a word of the API"
                    }
                },
            ),
        };
        flaws.push(flaw);
        None
    }

    fn default_of(&self, field: FieldIndex, declared: &Field) -> Value {
        let caller = self.caller;
        match &declared.default {
            None if declared.is_many() => Value::List(Vec::new()),
            None => Value::Null,
            Some(Default::Literal(value)) => value.clone(),
            Some(Default::CallerId) => caller.value(&model::CallerValue::Id),
            Some(Default::Now) if declared.shape == model::Shape::Date => {
                Value::Date(caller.now.div_euclid(model::time::DAY) as i32)
            }
            Some(Default::Now) => Value::DateTime(caller.now),
            Some(Default::Rule(_)) => self.catalog.default_value(self.resource, field, caller),
        }
    }

    fn find(&self, name: &str, flaws: &mut Vec<Flaw>) -> Option<FieldIndex> {
        let resource = self.declared();
        let found = resource.field(name);
        if found.is_none() {
            // Only names that every reader may know are suggested.
            let open = resource.fields.iter().filter(|field| field.read.is_none() && !field.hidden);
            let near = rules::nearest(name, open.map(|field| field.name.as_str()));
            let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            flaws.push(Flaw::pointer(
                pointer(name),
                "unknown",
                format!("{} has no field `{name}`{help}", resource.name),
            ));
        }
        found
    }

    fn declared(&self) -> &Resource {
        self.catalog.schema.get(self.resource)
    }

    fn fields(&self) -> impl Iterator<Item = (FieldIndex, &Field)> {
        let resource = self.declared();
        resource.indices().zip(&resource.fields)
    }
}

/// What a member of a patch asks for.
fn edit(field: &Field, json: &Json, flaws: &mut Vec<Flaw>) -> Option<Edit> {
    let is_json = matches!(field.kind, model::Kind::Json { .. }) && !field.is_list();
    if is_json && json.is_object() {
        return Some(Edit::Merge(json.to_string().into()));
    }
    let operator =
        json.as_object().filter(|_| !is_json).and_then(|members| members.iter().next().filter(|_| members.len() == 1));
    let Some((operator, operand)) = operator else {
        return accept_field(field, json, &field.name, flaws).map(Edit::Set);
    };
    let number =
        matches!(field.kind, model::Kind::Integer { .. } | model::Kind::Float { .. } | model::Kind::Decimal { .. });
    let at = format!("{}/{operator}", field.name);
    match operator.as_str() {
        "$increment" if number && !field.is_list() => accept_field(&unbounded(field), operand, &at, flaws)
            .filter(|by| !by.is_null())
            .map(Edit::Increment)
            .or_else(|| {
                if operand.is_null() {
                    flaws.push(Flaw::pointer(format!("/{at}"), "type", "expected a number"));
                }
                None
            }),
        "$append" | "$remove" if field.is_list() && operand.is_array() => {
            let items = accept_field(field, operand, &at, flaws)?.items().to_vec();
            Some(if operator == "$append" { Edit::Append(items) } else { Edit::Remove(items) })
        }
        "$increment" | "$append" | "$remove" => {
            let wanted = match operator.as_str() {
                "$increment" => "`$increment` works on numbers only",
                _ if field.is_list() => "expected an array of items",
                _ => "`$append` and `$remove` work on lists only",
            };
            flaws.push(Flaw::pointer(format!("/{at}"), "type", wanted));
            None
        }
        _ => accept_field(field, json, &field.name, flaws).map(Edit::Set),
    }
}

/// A number field without its limits, which the sum has to meet and not the step.
fn unbounded(field: &Field) -> Field {
    let mut step = field.clone();
    match &mut step.kind {
        model::Kind::Integer { min, max } => (*min, *max) = (None, None),
        model::Kind::Float { min, max } => (*min, *max) = (None, None),
        model::Kind::Decimal { min, max, .. } => (*min, *max) = (None, None),
        _ => {}
    }
    step
}

fn object(body: &Json) -> Result<&Map<String, Json>, Problem> {
    body.as_object().ok_or_else(|| Problem::validation(vec![Flaw::pointer("", "type", "expected an object")]))
}

/// The JSON Pointer (RFC 6901) of a member.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn in_field(flaw: &Flaw, name: &str) -> bool {
    match &flaw.at {
        model::problem::Place::Pointer(at) => at
            .strip_prefix('/')
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        model::problem::Place::Parameter(_) => false,
    }
}
