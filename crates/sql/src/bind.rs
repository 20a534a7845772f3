//! What a statement's parameters stand for, and their values for one request.

use model::{Caller, CallerValue, FieldIndex, Record, Value};
use rules::{Type, convert, expression::Root, plan::Read};

/// Where the value of a parameter comes from, and the type in which it is bound.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind {
    /// Known when the statement was made.
    Literal(Value, Type),
    /// Known when somebody asks.
    Caller(CallerValue, Type),
    /// Brought by the request beside the text.
    Input(usize, Type),
    /// A field of a record held in memory.
    Field {
        /// Which record.
        root: Root,
        /// Which field.
        field: FieldIndex,
        /// Its type.
        r#type: Type,
    },
    /// The ids that a `many` reference of a record held in memory names: none where it is null.
    Ids {
        /// Which record.
        root: Root,
        /// Which field.
        field: FieldIndex,
        /// The list's type.
        r#type: Type,
    },
}

impl Bind {
    /// The type in which the value is bound.
    #[must_use]
    pub fn r#type(&self) -> &Type {
        match self {
            Self::Literal(_, r#type)
            | Self::Caller(_, r#type)
            | Self::Input(_, r#type)
            | Self::Field { r#type, .. }
            | Self::Ids { r#type, .. } => r#type,
        }
    }

    /// The value for one request; null where a value of the caller can't be of the bind's type.
    #[must_use]
    pub fn resolve(&self, facts: &Facts<'_>) -> Value {
        match self {
            Self::Literal(value, _) => value.clone(),
            Self::Caller(what, r#type) => {
                facts.caller.map_or(Value::Null, |caller| convert(caller.value(what), r#type))
            }
            Self::Input(number, _) => facts.inputs.get(*number).cloned().unwrap_or_default(),
            Self::Field { root, field, .. } => facts.field(*root, *field),
            Self::Ids { root, field, .. } => match facts.field(*root, *field) {
                Value::Null => Value::List(Vec::new()),
                ids => ids,
            },
        }
    }
}

/// What a request brings to the statements made for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// Who asks; without one, every value of the caller is null.
    pub caller: Option<&'a Caller>,
    /// Values brought beside the text, by number.
    pub inputs: &'a [Value],
    /// The record as stored, where a rule about it is judged from memory.
    pub record: Option<&'a Record>,
    /// The record as it would be stored.
    pub new: Option<&'a Record>,
}

impl<'a> Facts<'a> {
    /// What a read brings.
    #[must_use]
    pub fn of_read(read: &'a Read) -> Self {
        Self { caller: Some(&read.caller), inputs: &read.inputs, ..Self::default() }
    }

    fn field(&self, root: Root, field: FieldIndex) -> Value {
        self.record(root).and_then(|record| record.values.get(field.0 as usize)).cloned().unwrap_or_default()
    }

    fn record(&self, root: Root) -> Option<&'a Record> {
        match root {
            Root::Record => self.record,
            Root::New => self.new,
            Root::Row(_) => None,
        }
    }
}

/// The parameters of one statement; equal binds share a number.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    before: usize,
    binds: Vec<Bind>,
}

impl Parameters {
    /// Parameters numbered after the `count` that the statement already has.
    #[must_use]
    pub fn after(count: usize) -> Self {
        Self { before: count, binds: Vec::new() }
    }

    /// The number (from 1) of the parameter that stands for this bind.
    pub fn number(&mut self, bind: Bind) -> usize {
        let position = self.binds.iter().position(|known| *known == bind).unwrap_or_else(|| {
            self.binds.push(bind);
            self.binds.len() - 1
        });
        self.before + position + 1
    }

    /// Forgets the parameters after the first `count` of these.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.binds.truncate(count);
    }

    /// The binds in the order of their numbers.
    #[must_use]
    pub fn binds(&self) -> &[Bind] {
        &self.binds
    }

    /// The binds in the order of their numbers.
    #[must_use]
    pub fn into_binds(self) -> Vec<Bind> {
        self.binds
    }
}
