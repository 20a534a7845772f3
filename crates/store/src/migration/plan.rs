//! What has to be done, step by step, in no dialect.

use super::physical::{Column, Database, Index, Join, Table};

/// All steps from one database to another, in the order in which they are done.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The database as it is.
    pub old: Database,
    /// The database as it will be.
    pub new: Database,
    /// From the one to the other.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it does, for people; no full stop.
    pub words: String,
    /// What is gone for good afterwards, if it holds anything.
    pub loss: Option<Loss>,
    /// What must not be found first. All checks look at the database as it was before the first step.
    pub checks: Vec<Check>,
    /// The change itself.
    pub change: Change,
}

/// Where data would be lost, by the names before the first step.
#[derive(Debug, Clone)]
pub enum Loss {
    /// All records of a table.
    Table(Table),
    /// The values of a column.
    Column {
        /// Of this table.
        table: String,
        /// Its name.
        column: String,
    },
    /// The lists of a `many` reference.
    Join {
        /// Of this table.
        table: String,
        /// The field.
        field: String,
    },
}

/// A change of the structure. Names of columns are those after the renames, since renames come first.
#[derive(Debug, Clone)]
pub enum Change {
    /// Brings the system tables from one version to another.
    System {
        /// The version before.
        from: u32,
        /// The version after.
        to: u32,
    },
    /// Drops an index.
    DropIndex {
        /// Of this table.
        table: String,
        /// The index.
        index: Index,
    },
    /// Drops the join table of a `many` reference.
    DropJoin {
        /// Of this table.
        table: String,
        /// The reference.
        join: Join,
    },
    /// Drops a column; it has its old name, for drops come before renames.
    DropColumn {
        /// Of this table.
        table: String,
        /// The column.
        column: Column,
    },
    /// Drops a table with its join tables.
    DropTable(Table),
    /// Renames a column.
    RenameColumn {
        /// Of this table.
        table: String,
        /// Its name before.
        from: String,
        /// Its name after.
        to: String,
    },
    /// Renames a `many` reference.
    RenameJoin {
        /// Of this table.
        table: String,
        /// The field before.
        from: String,
        /// The field after.
        to: Join,
    },
    /// Creates a table with its indexes, without join tables.
    CreateTable(Table),
    /// Drops a column and adds another of its name.
    ReplaceColumn {
        /// Of this table.
        table: String,
        /// The column after.
        to: Column,
    },
    /// Adds a column.
    AddColumn {
        /// To this table.
        table: String,
        /// The column.
        column: Column,
    },
    /// Changes a column's type, reference, or whether it is required; or only its limits, which no table knows of.
    ChangeColumn {
        /// Of this table.
        table: String,
        /// The column before, with its new name.
        from: Box<Column>,
        /// The column after.
        to: Box<Column>,
    },
    /// Creates the join table of a `many` reference.
    CreateJoin {
        /// Of this table.
        table: String,
        /// The reference.
        join: Join,
    },
    /// Changes what a `many` reference may hold, which no table knows of.
    ChangeJoin,
    /// Renames an index.
    RenameIndex {
        /// Of this table.
        table: String,
        /// Its name before.
        from: String,
        /// The index after.
        to: Index,
    },
    /// Creates an index.
    CreateIndex {
        /// Of this table.
        table: String,
        /// The index.
        index: Index,
    },
}

/// A question about the records that are there: those found do not fit.
#[derive(Debug, Clone)]
pub struct Check {
    /// The table.
    pub table: String,
    /// The field that the refusal names.
    pub field: String,
    /// What does not fit.
    pub condition: Condition,
    /// Why, for people: "has no value, and is required from now on".
    pub reason: String,
}

/// Which records do not fit. Values are looked at as they would be after their column's change.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Every record.
    Any,
    /// The value is null.
    Null(Converted),
    /// The value, or one in the list, breaks a bound.
    Value(Converted, Bound),
    /// The list has more items.
    MoreItems(Converted, usize),
    /// The `many` reference has more ids; by the field's old name.
    MoreIds(String, usize),
    /// Another record has the same values (nulls never collide); none of the columns: there is another record.
    Duplicate(Vec<Converted>),
    /// The value is no id of that table; where there is no such table yet, every value.
    Dangling(Converted, Option<String>),
}

/// A column before and after.
#[derive(Debug, Clone)]
pub struct Converted {
    /// As it is, with its old name.
    pub from: Column,
    /// As it will be.
    pub to: Column,
}

/// A bound that a value breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Fewer code points.
    Shorter(usize),
    /// More code points; for JSON, bytes.
    Longer(usize),
    /// Less than this number, in decimal notation.
    Less(String),
    /// Greater than this number, in decimal notation.
    Greater(String),
    /// None of these.
    NotIn(Vec<String>),
    /// More digits before the point, judged on the value as it is.
    WholeDigits(u8),
    /// More digits after the point that are not zero, judged on the value as it is.
    FractionDigits(u8),
    /// An integer beyond 2^53, which a double may not hold, judged on the value as it is.
    InexactAsFloat,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether no step could lose data or be refused, whatever the tables hold.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.steps.iter().all(|step| step.loss.is_none() && step.checks.is_empty())
    }
}

impl Change {
    /// The table that it is about; none for the system's own.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::System { .. } | Self::ChangeJoin => None,
            Self::DropTable(table) | Self::CreateTable(table) => Some(&table.name),
            Self::DropIndex { table, .. }
            | Self::DropJoin { table, .. }
            | Self::DropColumn { table, .. }
            | Self::RenameColumn { table, .. }
            | Self::RenameJoin { table, .. }
            | Self::ReplaceColumn { table, .. }
            | Self::AddColumn { table, .. }
            | Self::ChangeColumn { table, .. }
            | Self::CreateJoin { table, .. }
            | Self::RenameIndex { table, .. }
            | Self::CreateIndex { table, .. } => Some(table),
        }
    }

    /// Where it falls in the order of a plan: what goes first, then renames, then what comes, indexes at the end.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::System { .. } => 0,
            Self::DropIndex { .. } => 1,
            Self::DropJoin { .. } => 2,
            Self::DropColumn { .. } => 3,
            Self::DropTable(_) => 4,
            Self::RenameColumn { .. } => 5,
            Self::RenameJoin { .. } => 6,
            Self::CreateTable(_) => 7,
            Self::ReplaceColumn { .. } | Self::AddColumn { .. } | Self::ChangeColumn { .. } => 8,
            Self::CreateJoin { .. } | Self::ChangeJoin => 9,
            Self::RenameIndex { .. } => 10,
            Self::CreateIndex { .. } => 11,
        }
    }
}

impl Column {
    /// Whether two columns are the same to the database: all but the limits.
    #[must_use]
    pub fn same_structure(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.list == other.list
            && self.required == other.required
            && self.references == other.references
    }
}
