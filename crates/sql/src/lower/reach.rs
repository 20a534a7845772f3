//! Records and fields reached through to-one references.

use model::{FieldIndex, Resource, ResourceIndex, Schema, Value};
use rules::{
    Expression, Type,
    expression::{Anchor, Node, Root, Step},
};

use super::{Lowering, RowSource, condition::equal, keys_type};
use crate::{bind::Bind, dialect::Operand, predicate::Predicate};

/// A field of a record reached from a root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'e> {
    pub(super) root: Root,
    /// The resource at the root.
    start: ResourceIndex,
    steps: &'e [Step],
    pub(super) field: FieldIndex,
    path: &'e [String],
    r#type: &'e Type,
}

impl<'e> Field<'e> {
    /// The id of a record reached is the reference that leads to it, unless a guard may hide the record: references
    /// never dangle.
    pub(super) fn new(anchor: &'e Anchor, field: FieldIndex, path: &'e [String], r#type: &'e Type) -> Self {
        let mut reached = Self { root: anchor.root, start: anchor.resource, steps: &anchor.steps, field, path, r#type };
        while reached.field == Resource::ID
            && let Some((last, before)) = reached.steps.split_last()
            && last.guard.is_none()
        {
            reached.field = last.field;
            reached.steps = before;
        }
        reached
    }

    /// The field that an expression is, where references have to be followed for it.
    pub(super) fn behind_references(expression: &'e Expression) -> Option<Self> {
        let Node::Field { anchor, field, path, .. } = &expression.node else { return None };
        let field = Self::new(anchor, *field, path, &expression.r#type);
        (!field.steps.is_empty()).then_some(field)
    }

    /// The `many` reference that an expression is.
    pub(super) fn of_many_reference(schema: &Schema, expression: &'e Expression) -> Option<Self> {
        let Node::Field { anchor, field, path, .. } = &expression.node else { return None };
        let field = Self::new(anchor, *field, path, &expression.r#type);
        schema.get(field.resource()).get(field.field).is_many().then_some(field)
    }

    /// The resource of the record reached.
    pub(super) fn resource(&self) -> ResourceIndex {
        self.steps.last().map_or(self.start, |step| step.target)
    }

    pub(super) fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }
}

/// The sub-select that reaches a record.
struct Reached {
    from: Vec<String>,
    filters: Vec<Predicate>,
    /// The last table's alias.
    alias: String,
}

impl Lowering<'_> {
    pub(super) fn lower_field(&mut self, field: &Field<'_>) -> Operand {
        if !field.has_steps() {
            return self.own_field(field);
        }
        match self.reach(field) {
            Some(reached) => {
                let value = self.column_value(&reached.alias, field);
                let filter = Predicate::all(reached.filters);
                let text = format!("(SELECT {} FROM {} WHERE {filter})", value.text, reached.from.join(", "));
                Operand::composed(text, field.r#type.clone())
            }
            None => self.null(field.r#type),
        }
    }

    /// A condition on a field behind references: some record is there, and `text` holds of its value.
    pub(super) fn exists_behind(
        &mut self,
        field: &Field<'_>,
        text: impl FnOnce(&mut Self, &Operand) -> String,
    ) -> Predicate {
        let Some(reached) = self.reach(field) else { return Predicate::Never };
        let value = self.column_value(&reached.alias, field);
        let holds = Predicate::Text(text(self, &value));
        match Predicate::all(reached.filters.into_iter().chain([holds])) {
            Predicate::Never => Predicate::Never,
            filter => Predicate::Text(format!("EXISTS (SELECT 1 FROM {} WHERE {filter})", reached.from.join(", "))),
        }
    }

    /// The id of an anchor's record: NULL where the record is absent; none where it is known to be.
    pub(super) fn owner_id(&mut self, anchor: &Anchor, id: &Type) -> Option<Operand> {
        let field = Field::new(anchor, Resource::ID, &[], id);
        self.rows.iter().any(|(root, _)| *root == field.root).then(|| self.lower_field(&field))
    }

    /// [`Self::owner_id`] of the record that holds a field.
    pub(super) fn holder_id(&mut self, field: &Field<'_>) -> Operand {
        let id = self.id_type(field.resource());
        let anchor = Anchor { root: field.root, resource: field.start, steps: field.steps.to_vec() };
        self.lower_field(&Field::new(&anchor, Resource::ID, &[], &id))
    }

    /// Whether a field's record is held in memory.
    pub(super) fn is_bound(&self, root: Root) -> bool {
        self.rows.iter().rev().find(|(known, _)| *known == root).is_none_or(|(_, source)| *source == RowSource::Bound)
    }

    pub(super) fn null(&mut self, r#type: &Type) -> Operand {
        self.bind(Bind::Literal(Value::Null, r#type.clone()))
    }

    /// The type of a resource's ids.
    pub(super) fn id_type(&self, resource: ResourceIndex) -> Type {
        Type::of_shape(self.schema.get(resource).get(Resource::ID).shape, 0)
    }

    /// The table of a resource under an alias, for `FROM`.
    pub(super) fn table(&self, resource: ResourceIndex, alias: &str) -> String {
        self.named_table(&self.schema.get(resource).name, alias)
    }

    /// The join table of a `many` reference under an alias, for `FROM`.
    pub(super) fn join_table(&self, resource: ResourceIndex, field: FieldIndex, alias: &str) -> String {
        let resource = self.schema.get(resource);
        self.named_table(&self.dialect.join_table(&resource.name, &resource.get(field).name), alias)
    }

    fn named_table(&self, name: &str, alias: &str) -> String {
        format!("{} AS {}", self.dialect.quote(name), self.dialect.quote(alias))
    }

    pub(super) fn field_column(&self, alias: &str, resource: ResourceIndex, field: FieldIndex) -> String {
        self.column(alias, &self.schema.get(resource).get(field).name)
    }

    fn own_field(&mut self, field: &Field<'_>) -> Operand {
        match self.source(field.root) {
            Some(RowSource::Alias(alias)) => self.column_value(&alias, field),
            Some(RowSource::Bound) if field.path.is_empty() => self.bound(field, field.r#type.clone()),
            Some(RowSource::Bound) => {
                let document = self.bound(field, Type::Json);
                self.below(&document.text, field)
            }
            None => self.null(field.r#type),
        }
    }

    fn bound(&mut self, field: &Field<'_>, r#type: Type) -> Operand {
        let (root, field_index) = (field.root, field.field);
        match self.schema.get(field.resource()).get(field_index).is_many() {
            true => self.bind(Bind::Ids { root, field: field_index, r#type }),
            false => self.bind(Bind::Field { root, field: field_index, r#type }),
        }
    }

    /// A field of the table row at an alias.
    fn column_value(&mut self, alias: &str, field: &Field<'_>) -> Operand {
        let resource = field.resource();
        if self.schema.get(resource).get(field.field).is_many() {
            return self.gather_many(alias, field);
        }
        let column = self.field_column(alias, resource, field.field);
        if field.path.is_empty() {
            return Operand::atom(column, field.r#type.clone());
        }
        self.below(&column, field)
    }

    fn below(&mut self, document: &str, field: &Field<'_>) -> Operand {
        let keys = Value::List(field.path.iter().map(Value::text).collect());
        let keys = self.parameter(Bind::Literal(keys, keys_type()));
        Operand::composed(self.dialect.json_path(document, &keys, field.r#type), field.r#type.clone())
    }

    fn gather_many(&mut self, alias: &str, field: &Field<'_>) -> Operand {
        let resource = field.resource();
        let join = self.fresh_alias();
        let from = self.join_table(resource, field.field, &join);
        let owner = self.column(&join, "owner");
        let id = self.field_column(alias, resource, Resource::ID);
        let item = crate::dialect::item_type(field.r#type);
        let (target, position) = (self.column(&join, "target"), self.column(&join, "position"));
        let text = self.dialect.gather(&target, item, &from, &format!("{owner} = {id}"), &position);
        Operand::composed(text, field.r#type.clone())
    }

    fn reach(&mut self, field: &Field<'_>) -> Option<Reached> {
        let first = field.steps.first()?;
        let id = self.id_type(first.target);
        let start = Field { steps: &[], field: first.field, path: &[], r#type: &id, ..*field };
        self.rows.iter().any(|(root, _)| *root == field.root).then_some(())?;
        let mut reference = self.own_field(&start);
        let mut reached = Reached { from: Vec::new(), filters: Vec::new(), alias: String::new() };
        for (position, step) in field.steps.iter().enumerate() {
            let alias = self.fresh_alias();
            reached.from.push(self.table(step.target, &alias));
            let id = Operand::atom(self.field_column(&alias, step.target, Resource::ID), self.id_type(step.target));
            reached.filters.push(Predicate::Text(equal(self, &id, &reference)));
            if let Some((variable, guard)) = step.guard.as_deref() {
                self.rows.push((Root::Row(*variable), RowSource::Alias(alias.clone())));
                let guard = self.lower_condition(guard);
                self.rows.pop();
                reached.filters.push(guard);
            }
            if let Some(next) = field.steps.get(position + 1) {
                let column = self.field_column(&alias, step.target, next.field);
                reference = Operand::atom(column, self.id_type(next.target));
            }
            reached.alias = alias;
        }
        Some(reached)
    }
}
