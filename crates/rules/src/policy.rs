//! The rules of a schema, compiled.

use std::sync::Arc;

use model::{Caller, FieldIndex, Resource, ResourceIndex, Schema, Value, field::Default};

use crate::{
    check::{Checked, Scope, check_default, check_rule},
    expression::{Expression, Mistake, Rule},
    judge::Situation,
    plan::Slot,
};

/// A schema with its rules.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The resources.
    pub schema: Arc<Schema>,
    /// Their rules, in the same order.
    pub policies: Vec<Policy>,
    /// The store's own.
    pub prepared: Slot,
    tested: Vec<Rule>,
}

/// The rules of a resource. An access rule that is absent admits administrators only.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Who sees a record.
    pub read: Option<Rule>,
    /// Who may create `new`.
    pub create: Option<Rule>,
    /// Who may turn `record` into `new`.
    pub update: Option<Rule>,
    /// Who may delete `record`.
    pub delete: Option<Rule>,
    /// The rules of the fields, in the resource's order.
    pub fields: Vec<FieldPolicy>,
    /// Whole-record rules with the messages for those who break them.
    pub validations: Vec<(String, Rule)>,
}

/// The rules of a field.
#[derive(Debug, Clone, Default)]
pub struct FieldPolicy {
    /// Who sees it; all who see the record where there is none.
    pub read: Option<Rule>,
    /// Who may set it; all who may write the record where there is none.
    pub write: Option<Rule>,
    /// What an absent value becomes, where a rule says so; of the field's type, over the caller alone.
    pub default: Option<Expression>,
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `[access]`, by its key.
    Access(&'static str),
    /// `read` of a field.
    FieldRead(FieldIndex),
    /// `write` of a field.
    FieldWrite(FieldIndex),
    /// `default` of a field.
    FieldDefault(FieldIndex),
    /// `[validate]`, by its position.
    Validation(usize),
}

/// A mistake, or a warning, and where its rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// In the file of this resource.
    pub resource: ResourceIndex,
    /// In this rule.
    pub place: Place,
    /// What is wrong, with its place in the text.
    pub mistake: Mistake,
}

impl Catalog {
    /// Checks every rule of a schema. With the catalog come warnings.
    ///
    /// # Errors
    ///
    /// All mistakes in all rules.
    pub fn compile(schema: Schema) -> Result<(Self, Vec<Placed>), Vec<Placed>> {
        let mut compiler = Compiler { schema: &schema, warnings: Vec::new(), mistakes: Vec::new() };
        let policies: Vec<_> = schema.indices().map(|resource| compiler.policy(resource)).collect();
        let Compiler { warnings, mistakes, .. } = compiler;
        if mistakes.is_empty() {
            let tested =
                policies.iter().flat_map(Policy::rules).filter(|rule| !rule.tests.is_empty()).cloned().collect();
            Ok((Self { schema: Arc::new(schema), policies, prepared: Slot::default(), tested }, warnings))
        } else {
            Err(mistakes)
        }
    }

    /// The rules of a resource.
    #[must_use]
    pub fn policy(&self, resource: ResourceIndex) -> &Policy {
        &self.policies[resource.0 as usize]
    }

    /// What an absent value of a field becomes for a caller, where a rule says so; null elsewhere.
    #[must_use]
    pub fn default_value(&self, resource: ResourceIndex, field: FieldIndex, caller: &Caller) -> Value {
        match &self.policy(resource).fields[field.0 as usize].default {
            Some(expression) => {
                Situation { caller: Some(caller), ..Situation::blank(&self.schema) }.evaluate(expression)
            }
            None => Value::Null,
        }
    }

    /// Every rule that asks something about the caller alone. The answers of all of them tell callers apart as far as
    /// rules do.
    #[must_use]
    pub fn tested(&self) -> &[Rule] {
        &self.tested
    }
}

impl Policy {
    /// Every rule of the resource.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let access = [&self.read, &self.create, &self.update, &self.delete].into_iter().flatten();
        let fields = self.fields.iter().flat_map(|field| field.read.iter().chain(&field.write));
        access.chain(fields).chain(self.validations.iter().map(|(_, rule)| rule))
    }
}

struct Compiler<'a> {
    schema: &'a Schema,
    warnings: Vec<Placed>,
    mistakes: Vec<Placed>,
}

impl Compiler<'_> {
    fn policy(&mut self, index: ResourceIndex) -> Policy {
        let resource = self.schema.get(index);
        let access = &resource.access;
        let mut rule = |place: &'static str, scope, text: &Option<String>| {
            text.as_ref().and_then(|text| self.rule(index, Place::Access(place), scope, text))
        };
        Policy {
            read: rule("read", Scope::Read, &access.read),
            create: rule("create", Scope::Create, &access.create),
            update: rule("update", Scope::Update, &access.update),
            delete: rule("delete", Scope::Delete, &access.delete),
            fields: resource.indices().map(|field| self.field(index, resource, field)).collect(),
            validations: resource
                .validate
                .iter()
                .enumerate()
                .filter_map(|(position, validation)| {
                    let place = Place::Validation(position);
                    let rule = self.rule(index, place, Scope::Validate, &validation.rule)?;
                    Some((validation.message.clone(), rule))
                })
                .collect(),
        }
    }

    fn field(&mut self, index: ResourceIndex, resource: &Resource, field: FieldIndex) -> FieldPolicy {
        let declared = resource.get(field);
        let mut rule =
            |place, scope, text: &Option<String>| text.as_ref().and_then(|text| self.rule(index, place, scope, text));
        let read = rule(Place::FieldRead(field), Scope::FieldRead, &declared.read);
        let write = rule(Place::FieldWrite(field), Scope::FieldWrite, &declared.write);
        let default = match &declared.default {
            Some(Default::Rule(text)) => {
                let checked = check_default(self.schema, index, declared, text);
                self.keep(index, Place::FieldDefault(field), checked)
            }
            _ => None,
        };
        FieldPolicy { read, write, default }
    }

    fn rule(&mut self, resource: ResourceIndex, place: Place, scope: Scope, text: &str) -> Option<Rule> {
        let checked = check_rule(self.schema, resource, scope, text);
        self.keep(resource, place, checked)
    }

    /// Puts warnings and mistakes where they belong.
    fn keep<T>(
        &mut self,
        resource: ResourceIndex,
        place: Place,
        checked: Result<Checked<T>, Vec<Mistake>>,
    ) -> Option<T> {
        let placed = |mistake| Placed { resource, place, mistake };
        match checked {
            Ok(Checked { checked, warnings }) => {
                self.warnings.extend(warnings.into_iter().map(placed));
                Some(checked)
            }
            Err(mistakes) => {
                self.mistakes.extend(mistakes.into_iter().map(placed));
                None
            }
        }
    }
}
