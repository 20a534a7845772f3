//! Queries as a client words them, and what they compile to.

use model::{Problem, ResourceIndex, resource::Resource};

use crate::{
    expression::{Comparison, Condition, Expression, Node, Rule, Type},
    filter::{self, Input, ShortOperator, Visibility},
    plan::{Page, SortKey},
    policy::Catalog,
};

/// The most keys in a sort.
pub const SORT_KEYS: usize = 4;

/// A query: its form, which plans are kept by, and the values that fill it.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// What is the same for every request of the form.
    pub form: Form,
    /// The texts of the short filters' values, in order.
    pub values: Vec<String>,
    /// The sort keys after which the page begins, as texts; none where the key is null.
    pub after: Option<Vec<Option<String>>>,
    /// Which page.
    pub page: Page,
}

/// The form of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Form {
    /// `filter=`, CEL.
    pub filter: Option<String>,
    /// `status=published&price[gte]=10`
    pub short: Vec<ShortFilter>,
    /// `sort=`; true for a descending key.
    pub sort: Vec<(String, bool)>,
    /// `fields=`; all where absent. Names with dots reach into what is expanded.
    pub fields: Option<Vec<String>>,
    /// `expand=`
    pub expand: Vec<Expansion>,
    /// One record by its id: no order, no page.
    pub single: bool,
    /// Whether the page begins after a record, and which of that one's keys are null (bit by bit).
    pub after: Option<u8>,
}

/// What is to be expanded of each record, with its own filter and sort (and `expand`) for a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Expansion {
    /// The name of a reference, or of a relation of records that refer here.
    pub name: String,
    /// How many of a list at most; [`EXPANDED`] where absent.
    pub limit: Option<u32>,
    /// Which of them, and what of each.
    pub form: Form,
}

/// How many records of an expanded list are answered unless the client says another number.
pub const EXPANDED: u32 = 100;
/// How many names a path of `expand` may have.
pub const EXPAND_DEPTH: usize = 3;
/// How many references and relations a query may expand in all.
pub const EXPANSIONS: usize = 16;

/// A 400 for more than [`EXPANSIONS`].
#[must_use]
pub fn too_many_expansions() -> Problem {
    let detail = format!("`expand` follows {EXPANSIONS} references and relations at most in one request");
    Problem::parameter("expand", detail)
}

impl Form {
    /// The expansion at a path (`comments.author`), put there with those before it where it is not asked for yet.
    ///
    /// # Errors
    /// 400 for a path that is too long, or too many of them.
    pub fn expand(&mut self, path: &str) -> Result<&mut Expansion, Problem> {
        let refuse = |detail: String| Err(Problem::parameter("expand", detail));
        let names: Vec<&str> = path.split('.').map(str::trim).collect();
        let [names @ .., last] = names.as_slice() else { return refuse("`expand` has no name".to_owned()) };
        if names.len() >= EXPAND_DEPTH {
            let begun = path.chars().take(80).collect::<String>();
            return refuse(format!("`{begun}` is too deep: `expand` follows {EXPAND_DEPTH} references at most"));
        }
        if self.expansions() + names.len() >= EXPANSIONS && self.find(path).is_none() {
            return Err(too_many_expansions());
        }
        let mut form = self;
        for name in names {
            form = &mut form.expansion(name).form;
        }
        Ok(form.expansion(last))
    }

    fn expansion(&mut self, name: &str) -> &mut Expansion {
        let position = self.expand.iter().position(|known| known.name == name).unwrap_or_else(|| {
            self.expand.push(Expansion { name: name.to_owned(), ..Expansion::default() });
            self.expand.len() - 1
        });
        &mut self.expand[position]
    }

    fn find(&self, path: &str) -> Option<&Expansion> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let found = self.expand.iter().find(|known| known.name == name.trim())?;
        rest.map_or(Some(found), |rest| found.form.find(rest))
    }

    fn expansions(&self) -> usize {
        self.expand.iter().map(|known| 1 + known.form.expansions()).sum()
    }
}

/// A short filter without its values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShortFilter {
    /// The parameter's name, as far as the bracket.
    pub field: String,
    /// What is asked of it.
    pub operator: ShortOperator,
    /// How many values it takes from [`Query::values`]: one, but for `in`.
    pub values: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 20, offset: 0, count: false }
    }
}

/// What a form compiles to for one caller.
pub(crate) struct Compiled {
    pub(crate) condition: Condition,
    /// Without the cursor.
    pub(crate) counted: Condition,
    pub(crate) sort: Vec<SortKey>,
    /// What the short filters' values have to be, in order; the cursor's follow.
    pub(crate) inputs: Vec<Input>,
}

/// Compiles filter, sort and cursor under what the caller may see.
pub(crate) fn compile(
    catalog: &Catalog,
    resource: ResourceIndex,
    form: &Form,
    visibility: &Visibility,
    test_bits: impl Fn(&Rule) -> u64,
) -> Result<Compiled, Problem> {
    let mut conditions = Vec::new();
    let mut inputs = Vec::new();
    if let Some(text) = &form.filter {
        let rule = filter::compile_filter(catalog, resource, text, visibility)
            .map_err(|mistakes| filter_problem(text, &mistakes))?;
        conditions.push(rule.condition.specialize(test_bits(&rule)));
    }
    for short in &form.short {
        let numbers: Vec<usize> = (inputs.len()..inputs.len() + short.values).collect();
        let (condition, input) =
            filter::short_condition(catalog, resource, &short.field, short.operator, &numbers, visibility)
                .map_err(|mistake| parameter_problem(&short.field, &mistake))?;
        inputs.extend(std::iter::repeat_n(input, short.values));
        conditions.push(condition);
    }
    let counted = Condition::All(conditions.clone()).specialize(0);
    let sort = if form.single { Vec::new() } else { order(catalog, resource, form, visibility)? };
    if let Some(nulls) = form.after {
        conditions.push(after(catalog, &sort, nulls, inputs.len()));
        inputs.extend(sort.iter().map(|key| {
            let (r#type, parameter) = (key.expression.r#type.clone(), "cursor".to_owned());
            Input { r#type, parameter, values: None }
        }));
    }
    Ok(Compiled { condition: Condition::All(conditions).specialize(0), counted, sort, inputs })
}

fn order(
    catalog: &Catalog,
    resource: ResourceIndex,
    form: &Form,
    visibility: &Visibility,
) -> Result<Vec<SortKey>, Problem> {
    let mut keys = Vec::with_capacity(form.sort.len() + 1);
    let mut total = false;
    for (path, descending) in &form.sort {
        let expression = filter::resolve_path(catalog, resource, path, visibility)
            .map_err(|mistake| parameter_problem("sort", &mistake))?;
        if let Some(reason) = unsortable(catalog, &expression) {
            return Err(Problem::parameter("sort", format!("`{path}` {reason}")));
        }
        total |= path == "id";
        keys.push(SortKey { expression, descending: *descending });
        if total {
            // What follows a unique key decides nothing.
            break;
        }
    }
    if !total {
        // The tie-break runs the way of the last key, so that one index serves both.
        let descending = keys.last().is_some_and(|key| key.descending);
        keys.push(SortKey {
            expression: Expression::of_field(resource, Resource::ID, catalog.schema.get(resource)),
            descending,
        });
    }
    Ok(keys)
}

fn unsortable(catalog: &Catalog, expression: &Expression) -> Option<&'static str> {
    if let Node::Field { resource, field, path, .. } = &expression.node
        && path.is_empty()
        && matches!(catalog.schema.get(*resource).get(*field).kind, model::Kind::Text(_))
    {
        return Some("is a long text, which does not sort");
    }
    match expression.r#type {
        Type::List(_) => Some("is a list, which does not sort"),
        Type::Json => Some("is JSON, which does not sort"),
        _ => None,
    }
}

/// Records that come after the one whose keys are the inputs from `first` on. Nulls are smallest: first in an ascending
/// order, last in a descending one.
fn after(catalog: &Catalog, sort: &[SortKey], nulls: u8, first: usize) -> Condition {
    let mut condition = Condition::Constant(false);
    for (position, key) in sort.iter().enumerate().rev() {
        let left = key.expression.clone();
        let right = Expression { node: Node::Input(first + position), r#type: left.r#type.clone() };
        let compare = |operator| Condition::Compare { operator, left: left.clone(), right: right.clone() };
        let (beyond, level) = match (nulls & (1 << position) != 0, key.descending) {
            (true, false) => (Condition::IsPresent(left.clone()), Condition::IsNull(left.clone())),
            (true, true) => (Condition::Constant(false), Condition::IsNull(left.clone())),
            (false, false) => (compare(Comparison::Greater), compare(Comparison::Equal)),
            (false, true) if never_null(catalog, &left) => (compare(Comparison::Less), compare(Comparison::Equal)),
            (false, true) => (
                Condition::Any(vec![compare(Comparison::Less), Condition::IsNull(left.clone())]),
                compare(Comparison::Equal),
            ),
        };
        let rest = Condition::Any(vec![beyond, Condition::All(vec![level, condition])]);
        // A plain bound on the first key lets an index begin at the right place.
        let bound = match (position, nulls & 1 != 0, key.descending) {
            (0, false, false) => Some(Comparison::GreaterOrEqual),
            (0, false, true) if never_null(catalog, &left) => Some(Comparison::LessOrEqual),
            _ => None,
        };
        condition = match bound {
            Some(operator) if sort.len() > 1 => Condition::All(vec![compare(operator), rest]),
            _ => rest,
        };
    }
    condition
}

/// Whether a key is surely there: a required field of the record itself. (One that its read rule may hide is wrapped.)
fn never_null(catalog: &Catalog, expression: &Expression) -> bool {
    match &expression.node {
        Node::Field { anchor, resource, field, path } => {
            let declared = catalog.schema.get(*resource).get(*field);
            anchor.steps.is_empty() && path.is_empty() && (declared.required || *field == Resource::ID)
        }
        _ => false,
    }
}

fn filter_problem(text: &str, mistakes: &[crate::Mistake]) -> Problem {
    let mut problem = Problem::new(model::Code::BadFilter, "the filter can't be used");
    for mistake in mistakes {
        let column = text.get(..mistake.span.start).map_or(0, |before| before.chars().count()) + 1;
        let help = mistake.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        problem.errors.push(model::Flaw {
            at: model::problem::Place::Parameter("filter".to_owned()),
            code: "filter",
            detail: format!("at character {column}: {}{help}", mistake.message),
        });
    }
    if let [only] = problem.errors.as_slice() {
        problem.detail = only.detail.clone();
    }
    problem
}

pub(crate) fn parameter_problem(parameter: &str, mistake: &crate::Mistake) -> Problem {
    let help = mistake.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    Problem::parameter(parameter, format!("{}{help}", mistake.message))
}
