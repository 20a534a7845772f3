//! Quantifiers, and questions about `many` references.

use model::{FieldIndex, Resource, ResourceIndex};
use rules::{
    Condition, Expression, Type,
    expression::{Anchor, Comparison, Node, Quantifier, Root, Source, Variable},
};

use super::{
    Lowering, RowSource,
    condition::{equal, is_null_literal},
    reach::Field,
};
use crate::{
    bind::Bind,
    dialect::{Operand, item_type},
    predicate::Predicate,
};

/// The records that a quantifier ranges over.
struct Range {
    /// Tables, the variable's among them.
    from: String,
    /// What joins those tables, if there are several.
    joined: Predicate,
    /// How the owner is found from there.
    link: Link,
    /// Whether the owner is there.
    present: Predicate,
}

enum Link {
    /// `inner` (a column) equals the owner's id.
    Owner { inner: Operand, owner: Operand },
    /// A condition of its own.
    Condition(Predicate),
}

impl Lowering<'_> {
    pub(super) fn lower_quantified(
        &mut self,
        quantifier: Quantifier,
        source: &Source,
        variable: Variable,
        guard: Option<&Condition>,
        body: &Condition,
    ) -> Predicate {
        let alias = self.fresh_alias();
        let (resource, range) = match source {
            Source::Items(list) => return self.lower_over_items(quantifier, list, variable, guard, body),
            Source::Many { owner, resource, field, target } => {
                (*target, self.range_of_many(owner, *resource, *field, *target, &alias))
            }
            Source::Reverse { owner, resource, from, field } => {
                (*from, self.range_of_reverse(owner, *resource, *from, *field, &alias))
            }
        };
        let Some(range) = range else { return Predicate::Never };
        let outer = self.mark();
        self.rows.push((Root::Row(variable), RowSource::Alias(alias)));
        let guard = guard.map_or(Predicate::Always, |guard| self.lower_condition(guard));
        let holds = self.lower_condition(body);
        self.rows.pop();
        match quantifier {
            Quantifier::Exists => {
                let drives = !self.depends(&outer) && self.finds_few(body, variable, resource);
                self.some_in(range, Predicate::all([guard, holds]), drives)
            }
            Quantifier::All => {
                let present = range.present.clone();
                let some = match self.some_in(range, Predicate::all([guard, holds.fails()]), false) {
                    Predicate::Never => Predicate::Always,
                    some => Predicate::Text(format!("NOT {some}")),
                };
                Predicate::all([present, some])
            }
        }
    }

    /// `needle in record.many`; none where the record is held in memory, so that its list is.
    pub(super) fn lower_in_many(&mut self, needle: &Expression, field: &Field<'_>, negated: bool) -> Option<Predicate> {
        if self.is_bound(field.root) && !field.has_steps() {
            return None;
        }
        let owner = self.holder_id(field);
        let outer = self.mark();
        let needle = self.lower_expression(needle);
        let depends = self.depends(&outer);
        let join = self.fresh_alias();
        let from = self.join_table(field.resource(), field.field, &join);
        let inner = Operand::atom(self.column(&join, "owner"), owner.r#type.clone());
        let target_type =
            self.schema.get(field.resource()).get(field.field).target().map(|target| self.id_type(target));
        let target = Operand::atom(self.column(&join, "target"), target_type?);
        let some = |lowering: &mut Self, owner: Operand, needle: &Operand| {
            let found = Predicate::Text(equal(lowering, &target, needle));
            let (joined, present) = (Predicate::Always, Predicate::Always);
            lowering.some_in(Range { from, joined, link: Link::Owner { inner, owner }, present }, found, !depends)
        };
        if !negated {
            return Some(some(self, owner, &needle));
        }
        let has_steps = field.has_steps();
        Some(Predicate::Text(self.share(needle, |lowering, needle| {
            lowering.share(owner, |lowering, owner| {
                let present = if has_steps { format!("{} IS NOT NULL AND ", owner.text) } else { String::new() };
                let some = some(lowering, owner.clone(), needle);
                // Neither side is NULL here, so neither is the answer.
                format!("({present}{} IS NOT NULL AND NOT {some})", needle.text)
            })
        })))
    }

    /// `size(record.many)`; none where the record is held in memory.
    pub(super) fn count_many(&mut self, field: &Field<'_>) -> Option<Operand> {
        if self.is_bound(field.root) && !field.has_steps() {
            return None;
        }
        let owner = self.holder_id(field);
        let join = self.fresh_alias();
        let from = self.join_table(field.resource(), field.field, &join);
        let inner = Operand::atom(self.column(&join, "owner"), owner.r#type.clone());
        let has_steps = field.has_steps();
        let text = self.share(owner, |lowering, owner| {
            let count = format!("(SELECT count(*) FROM {from} WHERE {})", equal(lowering, &inner, owner));
            if has_steps { format!("(CASE WHEN {} IS NOT NULL THEN {count} END)", owner.text) } else { count }
        });
        Some(Operand::composed(text, Type::Integer))
    }

    fn lower_over_items(
        &mut self,
        quantifier: Quantifier,
        list: &Expression,
        variable: Variable,
        guard: Option<&Condition>,
        body: &Condition,
    ) -> Predicate {
        if is_null_literal(list) {
            return Predicate::Never;
        }
        let r#type = item_type(&list.r#type).clone();
        let list = self.lower_expression(list);
        let alias = self.fresh_alias();
        let item = Operand::atom(self.dialect.item(&self.dialect.quote(&alias), &r#type), r#type);
        self.items.push((variable, item));
        let guard = guard.map_or(Predicate::Always, |guard| self.lower_condition(guard));
        let body = self.lower_condition(body);
        self.items.pop();
        match quantifier {
            Quantifier::Exists => {
                let rows = self.dialect.items(&list.text, &self.dialect.quote(&alias));
                exists(&rows, Predicate::all([guard, body]))
            }
            Quantifier::All => Predicate::Text(self.share(list, |lowering, list| {
                let rows = lowering.dialect.items(&list.text, &lowering.dialect.quote(&alias));
                match exists(&rows, Predicate::all([guard, body.fails()])) {
                    Predicate::Never => format!("{} IS NOT NULL", list.text),
                    some => format!("({} IS NOT NULL AND NOT {some})", list.text),
                }
            })),
        }
    }

    fn range_of_many(
        &mut self,
        owner: &Anchor,
        resource: ResourceIndex,
        field: FieldIndex,
        target: ResourceIndex,
        alias: &str,
    ) -> Option<Range> {
        let table = self.table(target, alias);
        let id = Operand::atom(self.field_column(alias, target, Resource::ID), self.id_type(target));
        if owner.steps.is_empty() && self.is_bound(owner.root) {
            self.source(owner.root)?;
            let r#type = Type::List(Box::new(id.r#type.clone()));
            let list = self.bind(Bind::Ids { root: owner.root, field, r#type });
            let among = Predicate::Text(self.dialect.is_item(&id, &list, false));
            let (joined, present) = (Predicate::Always, Predicate::Always);
            return Some(Range { from: table, joined, link: Link::Condition(among), present });
        }
        let (owner, present) = self.owner_of_range(owner, resource)?;
        let join = self.fresh_alias();
        let from = format!("{}, {table}", self.join_table(resource, field, &join));
        let target = Operand::atom(self.column(&join, "target"), id.r#type.clone());
        let joined = Predicate::Text(equal(self, &id, &target));
        let inner = Operand::atom(self.column(&join, "owner"), owner.r#type.clone());
        Some(Range { from, joined, link: Link::Owner { inner, owner }, present })
    }

    fn range_of_reverse(
        &mut self,
        owner: &Anchor,
        resource: ResourceIndex,
        from: ResourceIndex,
        field: FieldIndex,
        alias: &str,
    ) -> Option<Range> {
        let (owner, present) = self.owner_of_range(owner, resource)?;
        let table = self.table(from, alias);
        if !self.schema.get(from).get(field).is_many() {
            let inner = Operand::atom(self.field_column(alias, from, field), owner.r#type.clone());
            return Some(Range { from: table, joined: Predicate::Always, link: Link::Owner { inner, owner }, present });
        }
        let join = self.fresh_alias();
        let id = Operand::atom(self.field_column(alias, from, Resource::ID), self.id_type(from));
        let holder = Operand::atom(self.column(&join, "owner"), id.r#type.clone());
        let joined = Predicate::Text(equal(self, &id, &holder));
        let inner = Operand::atom(self.column(&join, "target"), owner.r#type.clone());
        let from = format!("{}, {table}", self.join_table(from, field, &join));
        Some(Range { from, joined, link: Link::Owner { inner, owner }, present })
    }

    fn owner_of_range(&mut self, owner: &Anchor, resource: ResourceIndex) -> Option<(Operand, Predicate)> {
        let id_type = self.id_type(resource);
        let id = self.owner_id(owner, &id_type)?;
        let present = if owner.steps.is_empty() {
            Predicate::Always
        } else {
            Predicate::Text(format!("{} IS NOT NULL", id.text))
        };
        Some((id, present))
    }

    /// Some record of the range satisfies the filter. Where the filter stands alone and finds few records, the owners
    /// are looked up from them; else the records are looked up from the owner.
    fn some_in(&self, range: Range, filter: Predicate, drives: bool) -> Predicate {
        match range.link {
            Link::Owner { inner, owner } if drives => match Predicate::all([range.joined, filter]) {
                Predicate::Never => Predicate::Never,
                filter => Predicate::Text(format!(
                    "{} IN (SELECT {} FROM {} WHERE {filter})",
                    owner.text, inner.text, range.from
                )),
            },
            Link::Owner { inner, owner } => {
                let link = Predicate::Text(equal(self, &inner, &owner));
                exists(&range.from, Predicate::all([link, range.joined, filter]))
            }
            Link::Condition(link) => exists(&range.from, Predicate::all([link, range.joined, filter])),
        }
    }

    /// Whether a body asks for equality of a reference, an id or a unique field with a value known beforehand.
    fn finds_few(&self, body: &Condition, variable: Variable, index: ResourceIndex) -> bool {
        let resource = self.schema.get(index);
        let is_key = |expression: &Expression| match &expression.node {
            Node::Field { anchor, field, path, .. } => {
                let declared = |field: FieldIndex| {
                    field == Resource::ID || resource.get(field).unique || resource.get(field).target_one().is_some()
                };
                let field = Field::new(anchor, *field, path, &expression.r#type);
                field.root == Root::Row(variable) && !field.has_steps() && declared(field.field)
            }
            _ => false,
        };
        let is_known =
            |expression: &Expression| matches!(expression.node, Node::Literal(_) | Node::Caller(_) | Node::Input(_));
        match body {
            Condition::All(parts) => parts.iter().any(|part| self.finds_few(part, variable, index)),
            Condition::Compare { operator: Comparison::Equal, left, right } => {
                is_key(left) && is_known(right) || is_known(left) && is_key(right)
            }
            _ => false,
        }
    }

    /// What is in scope, and how much was mentioned so far.
    fn mark(&self) -> (usize, Vec<Root>) {
        let rows = self.rows.iter().filter(|(_, source)| *source != RowSource::Bound).map(|(root, _)| *root);
        let items = self.items.iter().map(|(variable, _)| Root::Row(*variable));
        (self.mentioned.len(), rows.chain(items).collect())
    }

    /// Whether anything lowered since the mark names a row that was in scope then.
    fn depends(&self, (since, scope): &(usize, Vec<Root>)) -> bool {
        self.mentioned[*since..].iter().any(|root| scope.contains(root))
    }
}

fn exists(from: &str, filter: Predicate) -> Predicate {
    match filter {
        Predicate::Never => Predicate::Never,
        filter => Predicate::Text(format!("EXISTS (SELECT 1 FROM {from} WHERE {filter})")),
    }
}
