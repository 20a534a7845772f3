//! Well-typed rule texts over the schema.

use model::{Kind, ResourceIndex, Schema, Shape};
use proptest::prelude::*;

use crate::check::MAX_NESTED_QUANTIFIERS;

use super::{
    schema::{POSTS, schema},
    world::{DAYS, INTEGERS, MOMENTS, TEXTS},
};

/// As what a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// An access rule over `record` and `auth`.
    Rule,
    /// A client's filter over bare names.
    Filter,
}

/// Draws a well-typed text over a record of [`POSTS`], of depth 5 at most, nearly all of which check without a mistake.
pub fn rule_text(style: Style) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<u16>(), 0..80).prop_map(move |numbers| {
        let schema = schema();
        let mut writer = Writer {
            schema: &schema,
            style,
            numbers: numbers.into_iter(),
            rows: Vec::new(),
            items: Vec::new(),
            names: 0,
        };
        writer.boolean(4)
    })
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Boolean,
    Integer,
    Float,
    Decimal,
    Text,
    DateTime,
    Duration,
    Date,
    Uuid,
}

const SORTS: [Sort; 9] = [
    Sort::Text,
    Sort::Integer,
    Sort::Uuid,
    Sort::Decimal,
    Sort::DateTime,
    Sort::Float,
    Sort::Date,
    Sort::Boolean,
    Sort::Duration,
];

struct Writer<'a> {
    schema: &'a Schema,
    style: Style,
    numbers: std::vec::IntoIter<u16>,
    /// Variables that stand for records.
    rows: Vec<(String, ResourceIndex)>,
    /// Variables that stand for items.
    items: Vec<(String, Sort)>,
    names: usize,
}

impl Writer<'_> {
    /// A number below a bound; 0, the simplest, once the numbers have run out.
    fn pick(&mut self, below: usize) -> usize {
        self.numbers.next().map_or(0, usize::from) % below.max(1)
    }

    fn one_of<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.pick(from.len())].clone()
    }

    fn boolean(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf(0);
        }
        let next = depth - 1;
        match self.pick(14) {
            0..=2 => self.leaf(next),
            3 => format!("({} && {})", self.boolean(next), self.boolean(next)),
            4 => format!("({} || {})", self.boolean(next), self.boolean(next)),
            5 => format!("!({})", self.boolean(next)),
            6 => format!("({} ? {} : {})", self.boolean(next), self.typed(next), self.typed(next)),
            7..=9 if self.is_nested_enough() => self.leaf(next),
            7 | 8 => self.over_relation(next),
            9 => self.over_list(next),
            10 => format!("({}) == ({})", self.typed(next), self.typed(next)),
            11 => format!("({}) {} null", self.boolean(next), self.one_of(&["==", "!="])),
            12 => format!("({} ? {} : null)", self.boolean(next), self.typed(next)),
            _ => self.of_caller(next),
        }
    }

    /// A boolean that is one wherever it stands: a claim takes its type from what it meets.
    fn typed(&mut self, depth: usize) -> String {
        let text = self.boolean(depth);
        if text == "auth.claims.flag" { format!("{text} == true") } else { text }
    }

    /// Whether one quantifier more would be refused: filters come from strangers, so that their nesting has a bound.
    fn is_nested_enough(&self) -> bool {
        self.style == Style::Filter && self.rows.len() + self.items.len() == MAX_NESTED_QUANTIFIERS
    }

    fn leaf(&mut self, depth: usize) -> String {
        match self.pick(10) {
            0..=3 => self.comparison(depth),
            4 => {
                let sort = self.one_of(&SORTS[..8]);
                format!("{} {} null", self.path(sort), self.one_of(&["==", "!="]))
            }
            5 => {
                let call = self.one_of(&["startsWith", "endsWith", "contains"]);
                format!("{}.{call}({})", self.value(Sort::Text, depth), self.operand(Sort::Text, depth))
            }
            6 => {
                let patterns = ["^a", "a$", "^.$", "[^a-c]", r"\\w+", r"^\\S*$", "(a|É)b?", "z.z", "^[A-Z]{1,2}$", "'"];
                let pattern = self.one_of(&patterns);
                format!("{}.matches(\"{pattern}\")", self.value(Sort::Text, depth))
            }
            7 => self.membership(depth),
            8 => self.path(Sort::Boolean),
            _ => format!("has({})", {
                let sort = self.one_of(&SORTS[..7]);
                self.path(sort)
            }),
        }
    }

    fn comparison(&mut self, depth: usize) -> String {
        let sort = self.one_of(&SORTS);
        let operators: &[&str] = match sort {
            Sort::Boolean => &["==", "!="],
            _ => &["==", "!=", "<", "<=", ">", ">="],
        };
        let operator = self.one_of(operators);
        let (left, right) = (self.value(sort, depth), self.operand(sort, depth));
        // One in four the other way round.
        if self.pick(4) == 3 { format!("{right} {operator} {left}") } else { format!("{left} {operator} {right}") }
    }

    fn membership(&mut self, depth: usize) -> String {
        match self.pick(4) {
            0 => {
                let sort = self.one_of(&SORTS[..7]);
                let (needle, first, second) = (self.path(sort), self.literal(sort), self.literal(sort));
                format!("{needle} in [{first}, {second}]")
            }
            1 => format!("{} in {}", self.operand(Sort::Text, depth), self.list(Sort::Text)),
            2 => format!("{} in {}", self.operand(Sort::Integer, depth), self.list(Sort::Integer)),
            _ => {
                let (needle, item, other) = (self.path(Sort::Uuid), self.path(Sort::Uuid), self.path(Sort::Uuid));
                format!("{needle} in [{item}, {other}]")
            }
        }
    }

    fn of_caller(&mut self, depth: usize) -> String {
        if self.style == Style::Filter {
            return format!("now {} {}", self.one_of(&["<", ">="]), self.operand(Sort::DateTime, depth));
        }
        match self.pick(10) {
            0 => format!("{} == auth.id", self.path(Sort::Uuid)),
            1 => format!("auth.id {} null", self.one_of(&["==", "!="])),
            2 => format!("'{}' in auth.roles", self.one_of(&["staff", "editor", "x"])),
            3 => format!("auth.email == {}", self.path(Sort::Text)),
            4 => format!("auth.claims.level > {}", self.value(Sort::Integer, depth)),
            5 => format!("auth.claims.team != {}", self.value(Sort::Text, depth)),
            6 => format!("timestamp(auth.claims.at) <= {}", self.value(Sort::DateTime, depth)),
            7 => format!("auth.roles.{}(r, r != {})", self.one_of(&["exists", "all"]), self.path(Sort::Text)),
            8 => "auth.claims.flag".to_owned(),
            _ => format!("!(auth.claims.ratio < {})", self.value(Sort::Float, depth)),
        }
    }

    fn over_relation(&mut self, depth: usize) -> String {
        if self.rows.len() == 2 {
            return self.leaf(depth);
        }
        let (base, resource) = self.record();
        let declared = self.schema.get(resource);
        let mut relations: Vec<(String, ResourceIndex)> = Vec::new();
        for field in declared.fields.iter().filter(|field| field.is_many()) {
            relations.extend(field.target().map(|target| (field.name.clone(), target)));
        }
        for relation in self.schema.reverse(resource) {
            relations.extend(relation.names.iter().map(|name| (name.clone(), relation.resource)));
        }
        let (relation, target) = self.one_of(&relations);
        let quantifier = self.one_of(&["exists", "all"]);
        let variable = self.variable();
        self.rows.push((variable.clone(), target));
        let body = self.boolean(depth);
        self.rows.pop();
        format!("{}.{quantifier}({variable}, {body})", dotted(&base, &relation))
    }

    fn over_list(&mut self, depth: usize) -> String {
        let sort = self.one_of(&[Sort::Text, Sort::Integer]);
        let list = match self.pick(4) {
            3 => format!("[{}, {}]", self.literal(sort), self.literal(sort)),
            _ => self.list(sort),
        };
        let quantifier = self.one_of(&["exists", "all"]);
        let variable = self.variable();
        self.items.push((variable.clone(), sort));
        let body = self.boolean(depth.min(1));
        self.items.pop();
        format!("{list}.{quantifier}({variable}, {body})")
    }

    fn variable(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    /// A list of the post at hand.
    fn list(&mut self, sort: Sort) -> String {
        let name = match sort {
            Sort::Text => self.one_of(&["labels", "tags"]),
            _ => "numbers",
        };
        dotted(&self.root(), name)
    }

    fn root(&self) -> String {
        match self.style {
            Style::Rule => "record".to_owned(),
            Style::Filter => String::new(),
        }
    }

    /// A record at hand, or one to which its references lead.
    fn record(&mut self) -> (String, ResourceIndex) {
        let choice = self.pick(self.rows.len() * 2 + 1);
        let (mut base, mut resource) = match self.rows.get(choice) {
            Some((variable, resource)) => (variable.clone(), *resource),
            None => (self.root(), POSTS),
        };
        for _ in 0..self.pick(3) {
            let fields = &self.schema.get(resource).fields;
            let steps: Vec<_> =
                fields.iter().filter_map(|field| Some((field.name.clone(), field.target_one()?))).collect();
            if steps.is_empty() {
                break;
            }
            let (name, target) = self.one_of(&steps);
            (base, resource) = (dotted(&base, &name), target);
        }
        (base, resource)
    }

    /// A path to a value, of the post at hand where the record drawn has none of its sort.
    fn path(&mut self, sort: Sort) -> String {
        if let Some((item, _)) = self.items.last()
            && self.items.last().is_some_and(|(_, of)| *of == sort)
        {
            let item = item.clone();
            if self.pick(2) == 1 {
                return item;
            }
        }
        let (base, resource) = self.record();
        let of_record = self.fields(resource, sort);
        if of_record.is_empty() {
            let of_post = self.fields(POSTS, sort);
            return dotted(&self.root(), &self.one_of(&of_post));
        }
        dotted(&base, &self.one_of(&of_record))
    }

    fn fields(&self, resource: ResourceIndex, sort: Sort) -> Vec<String> {
        let declared = self.schema.get(resource);
        let mut names: Vec<String> = Vec::new();
        for field in declared.fields.iter().filter(|field| !field.is_list()) {
            let of = match field.shape {
                // Long texts have no order.
                Shape::Text { .. } if matches!(field.kind, Kind::Text(_) | Kind::Enum { .. }) => continue,
                Shape::Text { .. } => Sort::Text,
                Shape::Integer => Sort::Integer,
                Shape::Float => Sort::Float,
                Shape::Decimal { .. } => Sort::Decimal,
                Shape::Boolean => Sort::Boolean,
                Shape::DateTime => Sort::DateTime,
                Shape::Date => Sort::Date,
                Shape::Uuid => Sort::Uuid,
                Shape::Json => {
                    let keys: &[&str] = match sort {
                        Sort::Text => &["name", "inner.deep"],
                        Sort::Integer => &["count"],
                        Sort::Float => &["ratio"],
                        Sort::Boolean => &["flag"],
                        _ => &[],
                    };
                    names.extend(keys.iter().map(|key| format!("{}.{key}", field.name)));
                    continue;
                }
            };
            if of == sort {
                names.push(field.name.clone());
            }
        }
        names
    }

    /// A value whose sort is plain without its surroundings.
    fn value(&mut self, sort: Sort, depth: usize) -> String {
        if depth == 0 || self.pick(3) != 2 {
            return match sort {
                Sort::Duration => self.literal(Sort::Duration),
                _ => self.path(sort),
            };
        }
        let next = depth - 1;
        if self.pick(4) == 3 && sort != Sort::Decimal {
            let otherwise = self.one_of(&["null", "value"]);
            let (when, then) = (self.boolean(next.min(1)), self.value(sort, next));
            let otherwise = if otherwise == "null" { otherwise.to_owned() } else { self.value(sort, next) };
            return format!("({when} ? {then} : {otherwise})");
        }
        match sort {
            Sort::Integer => match self.pick(4) {
                0 => format!("size({})", self.value(Sort::Text, next)),
                1 => format!("size({})", self.list(Sort::Integer)),
                2 => format!("-({})", self.value(Sort::Integer, next)),
                _ => {
                    let operator = self.one_of(&["+", "-", "*", "/", "%"]);
                    format!("({} {operator} {})", self.value(sort, next), self.operand(sort, next))
                }
            },
            Sort::Float => {
                let operator = self.one_of(&["+", "-", "*", "/"]);
                format!("({} {operator} {})", self.value(sort, next), self.operand(sort, next))
            }
            Sort::Decimal => {
                let path = self.path(sort);
                match self.pick(5) {
                    0 => format!("({path} * {})", self.path(Sort::Integer)),
                    1 => format!("({path} * {})", self.path(sort)),
                    2 => format!("({path} - {})", self.one_of(&["1", "0.125", "-3"])),
                    3 => format!("-({path})"),
                    _ => format!("({path} + {})", self.path(sort)),
                }
            }
            Sort::Text => match self.pick(2) {
                0 => format!("{}.lowerAscii()", self.value(sort, next)),
                _ => format!("({} + {})", self.value(sort, next), self.operand(sort, next)),
            },
            Sort::DateTime => {
                let operator = self.one_of(&["+", "-"]);
                format!("({} {operator} {})", self.value(sort, next), self.value(Sort::Duration, next))
            }
            Sort::Duration => match self.pick(2) {
                0 => format!("({} - {})", self.path(Sort::DateTime), self.path(Sort::DateTime)),
                _ => format!("({} + {})", self.value(sort, next), self.literal(sort)),
            },
            Sort::Boolean => format!("({})", self.boolean(next.min(1))),
            Sort::Date | Sort::Uuid => self.path(sort),
        }
    }

    /// A value, or a literal that takes its sort from the other side.
    fn operand(&mut self, sort: Sort, depth: usize) -> String {
        if self.pick(2) == 0 { self.literal(sort) } else { self.value(sort, depth) }
    }

    fn literal(&mut self, sort: Sort) -> String {
        match sort {
            Sort::Boolean => self.one_of(&["true", "false"]).to_owned(),
            Sort::Integer => self.one_of(&INTEGERS).to_string(),
            Sort::Float => self.one_of(&["0.0", "1.5", "-2.25", "0.1", "2.0", "1e308", "5e-324"]).to_owned(),
            Sort::Decimal => self.one_of(&["0", "9.5", "-3.25", "1", "-1"]).to_owned(),
            Sort::Text => {
                let text = self.one_of(&TEXTS);
                format!("\"{}\"", text.replace('\\', "\\\\").replace('\n', "\\n"))
            }
            Sort::DateTime => format!("timestamp('{}')", self.one_of(&MOMENTS)),
            Sort::Duration => {
                format!("duration('{}')", self.one_of(&["1h", "-90m", "0.000001s", "2562047h", "0"]))
            }
            Sort::Date => format!("'{}'", self.one_of(&DAYS)),
            Sort::Uuid => "'0192c4f0-0000-7000-8000-000000000001'".to_owned(),
        }
    }
}

fn dotted(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}
