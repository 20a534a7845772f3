//! Columns: which one became which, and what that asks of the records.

use crate::migration::{
    physical::{Column, Database, Limits, Table, Type},
    plan::{Bound, Change, Check, Condition, Converted, Loss, Step},
};

use super::{needs_fill, plain, words};

/// What became of the columns of a table.
pub(super) struct Pairs<'a> {
    /// Before and after, for each that lives on with its values.
    pub(super) kept: Vec<(&'a Column, &'a Column)>,
    /// Before and after, for each whose values can't be carried over.
    pub(super) replaced: Vec<(&'a Column, &'a Column)>,
    /// New ones.
    pub(super) added: Vec<&'a Column>,
    /// Those that go.
    pub(super) dropped: Vec<&'a Column>,
}

/// Finds for each new column the one that it was: of its own name, or of the name in `renamed_from`.
pub(super) fn pair<'a>(old: &'a Table, new: &'a Table) -> Pairs<'a> {
    let mut pairs = Pairs { kept: Vec::new(), replaced: Vec::new(), added: Vec::new(), dropped: Vec::new() };
    let renamed_from = |column: &Column| {
        let name = column.origin.renamed_from.as_deref().filter(|_| old.column(&column.name).is_none())?;
        // Where a column of the old name is still asked for, that one keeps the values.
        old.column(name).filter(|_| new.column(name).is_none())
    };
    let mut taken: Vec<&str> = Vec::new();
    for column in &new.columns {
        let former = old.column(&column.name).or_else(|| renamed_from(column));
        let former = former.filter(|former| !taken.contains(&former.name.as_str()));
        match former {
            Some(former) => {
                taken.push(&former.name);
                match conversion(former, column) {
                    Some(_) => pairs.kept.push((former, column)),
                    None if former.name == column.name => pairs.replaced.push((former, column)),
                    // Nothing but a name in common: one goes, one comes.
                    None => {
                        pairs.dropped.push(former);
                        pairs.added.push(column);
                    }
                }
            }
            None => pairs.added.push(column),
        }
    }
    pairs.dropped.extend(old.columns.iter().filter(|column| !taken.contains(&column.name.as_str())));
    pairs
}

/// What must hold of the values so that they can be carried over; none where they can't be.
fn conversion(from: &Column, to: &Column) -> Option<Vec<Bound>> {
    if from.list != to.list {
        return None;
    }
    if from.kind != to.kind && (from.references.is_some() || to.references.is_some()) {
        return None;
    }
    match (from.kind, to.kind) {
        (Type::Decimal { scale: before, .. }, Type::Decimal { scale: after, .. }) if from.list && before != after => {
            None
        }
        (Type::Decimal { precision, scale }, Type::Decimal { precision: new_precision, scale: new_scale }) => {
            let (whole, new_whole) = (precision - scale, new_precision - new_scale);
            let mut bounds = Vec::new();
            if new_whole < whole {
                bounds.push(Bound::WholeDigits(new_whole));
            }
            if new_scale < scale {
                bounds.push(Bound::FractionDigits(new_scale));
            }
            Some(bounds)
        }
        (Type::Text { .. }, Type::Text { .. }) => Some(Vec::new()),
        (before, after) if before == after => Some(Vec::new()),
        _ if from.list => None,
        (Type::Integer, Type::Float) => Some(vec![Bound::InexactAsFloat]),
        (Type::Integer, Type::Decimal { precision, scale }) => Some(vec![Bound::WholeDigits(precision - scale)]),
        (Type::Integer | Type::Decimal { .. } | Type::Uuid, Type::Text { .. }) => Some(Vec::new()),
        (Type::Date, Type::DateTime) => Some(Vec::new()),
        _ => None,
    }
}

/// The steps for a table's columns.
pub(super) fn diff(database: &Database, pairs: &Pairs<'_>, new: &Table, steps: &mut Vec<Step>) {
    let table = || new.name.clone();
    for column in &pairs.dropped {
        steps.push(Step {
            words: format!("drop column `{}` of `{}`", column.name, new.name),
            loss: Some(Loss::Column { table: table(), column: column.name.clone() }),
            checks: Vec::new(),
            change: Change::DropColumn { table: table(), column: (*column).clone() },
        });
    }
    for (from, to) in &pairs.kept {
        if from.name != to.name {
            let words = format!("rename column `{}` of `{}` to `{}`", from.name, new.name, to.name);
            steps.push(plain(
                words,
                Change::RenameColumn { table: table(), from: from.name.clone(), to: to.name.clone() },
            ));
        }
        steps.extend(change(database, new, from, to));
    }
    for (from, to) in &pairs.replaced {
        steps.push(Step {
            words: format!(
                "replace column `{}` of `{}`: {} becomes {}, without its values{}",
                to.name,
                new.name,
                words::column_type(from),
                words::column_type(to),
                words::filled(to)
            ),
            loss: Some(Loss::Column { table: table(), column: from.name.clone() }),
            checks: needs_fill(new, to).into_iter().collect(),
            change: Change::ReplaceColumn { table: table(), to: (*to).clone() },
        });
    }
    for column in &pairs.added {
        steps.push(Step {
            words: format!("add column `{}` to `{}`{}", column.name, new.name, words::filled(column)),
            loss: None,
            checks: needs_fill(new, column).into_iter().collect(),
            change: Change::AddColumn { table: table(), column: (*column).clone() },
        });
    }
}

fn change(database: &Database, table: &Table, from: &Column, to: &Column) -> Option<Step> {
    let from_script = from.origin.from_script;
    if from.same_structure(to) && from.limits == to.limits && !from_script {
        return None;
    }
    let before = Column { name: to.name.clone(), ..from.clone() };
    Some(Step {
        words: match from_script {
            true => format!("take over column `{}` of `{}` from a script", to.name, table.name),
            false => format!("change `{}` of `{}`: {}", to.name, table.name, words::changes(from, to)),
        },
        loss: None,
        checks: checks(database, table, from, to),
        change: Change::ChangeColumn { table: table.name.clone(), from: Box::new(before), to: Box::new(to.clone()) },
    })
}

fn checks(database: &Database, table: &Table, from: &Column, to: &Column) -> Vec<Check> {
    let converted = || Converted { from: from.clone(), to: to.clone() };
    let check =
        |condition, reason: String| Check { table: table.name.clone(), field: to.name.clone(), condition, reason };
    let mut checks = Vec::new();
    if to.required && !from.required {
        checks.push(check(Condition::Null(converted()), "has no value, and is required from now on".to_owned()));
    }
    let bounds = conversion(from, to).unwrap_or_default().into_iter().chain(tightened(&from.limits, &to.limits));
    for bound in bounds {
        let reason = words::reason(&bound);
        checks.push(check(Condition::Value(converted(), bound), reason));
    }
    if let Some(most) = to.limits.max_items.filter(|most| from.limits.max_items.is_none_or(|before| before > *most)) {
        checks.push(check(Condition::MoreItems(converted(), most), format!("has more than {most} items")));
    }
    if let Some(target) = to.references.as_ref().filter(|target| from.references.as_ref() != Some(*target)) {
        let there = database.table(target).map(|_| target.clone());
        checks.push(check(Condition::Dangling(converted(), there), format!("names no record of `{target}`")));
    }
    checks
}

/// The bounds that the new limits bring. One that is merely different is checked, too: it costs little.
fn tightened(from: &Limits, to: &Limits) -> Vec<Bound> {
    let mut bounds = Vec::new();
    if to.min_length > from.min_length {
        bounds.push(Bound::Shorter(to.min_length));
    }
    if let Some(most) = to.max_length.filter(|most| from.max_length.is_none_or(|before| before > *most)) {
        bounds.push(Bound::Longer(most));
    }
    if from.min != to.min {
        bounds.extend(to.min.clone().map(Bound::Less));
    }
    if from.max != to.max {
        bounds.extend(to.max.clone().map(Bound::Greater));
    }
    if let Some(values) = &to.values {
        let fewer = from.values.as_ref().is_none_or(|before| before.iter().any(|value| !values.contains(value)));
        if fewer {
            bounds.push(Bound::NotIn(values.clone()));
        }
    }
    bounds
}
