//! PostgreSQL's way to say what conditions and expressions need.
//!
//! Its operators raise errors where ours are undefined, so whatever may overflow goes through the functions of
//! [`FUNCTIONS`], which migrations create beside the tables. Durations are `bigint` microseconds.

use rules::{
    Type,
    aggregate::{Function, MORE_DIGITS},
    expression::{Arithmetic, CommonPattern, Comparison, TextCall},
};
use sql::{
    Dialect,
    dialect::{Operand, comparison, extreme_folded, folds, item_type},
};
use store::migration::names;

/// The functions that conditions may call; running this again changes nothing.
///
/// Those in SQL are not `STRICT` (a NULL gives NULL anyway), because then the planner can put their bodies in place. A
/// moment is put together from days and the rest, since an interval is multiplied as a double: both products are exact.
pub const FUNCTIONS: &str = r#"
CREATE OR REPLACE FUNCTION mainstay_integer(numeric) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 BETWEEN -9223372036854775808 AND 9223372036854775807 THEN $1::bigint END
$$;
CREATE OR REPLACE FUNCTION mainstay_moment(numeric) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 BETWEEN -62135596800000000 AND 253402300799999999
        THEN timestamptz '1970-01-01 00:00:00Z'
            + interval '24:00:00' * div($1, 86400000000)::double precision
            + interval '00:00:00.000001' * mod($1, 86400000000)::double precision
        END
$$;
CREATE OR REPLACE FUNCTION mainstay_float_add(double precision, double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN $1 + $2;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION mainstay_float_subtract(double precision, double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN $1 - $2;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION mainstay_float_multiply(double precision, double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN $1 * $2;
EXCEPTION WHEN numeric_value_out_of_range THEN
    -- Only factors below one underflow.
    RETURN CASE WHEN abs($1) < 1 THEN 0 END;
END $$;
CREATE OR REPLACE FUNCTION mainstay_float_divide(double precision, double precision) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN $1 / NULLIF($2, 0);
EXCEPTION WHEN numeric_value_out_of_range THEN
    -- Only divisors above one underflow.
    RETURN CASE WHEN abs($2) > 1 THEN 0 END;
END $$;
"#;

/// The dialect of PostgreSQL 14 and later with [`FUNCTIONS`].
#[derive(Debug, Clone, Copy)]
pub struct Postgres;

impl Dialect for Postgres {
    fn parameter(&self, number: usize, r#type: &Type) -> String {
        let name = type_name(r#type);
        match is_text(r#type) {
            true => format!("(${number}::{name} COLLATE \"C\")"),
            false => format!("${number}::{name}"),
        }
    }

    fn join_table(&self, resource: &str, field: &str) -> String {
        names::join_table(resource, field)
    }

    fn compare(&self, operator: Comparison, left: &Operand, right: &Operand) -> String {
        let sign = comparison(operator);
        if folds(&left.r#type, &right.r#type) {
            return format!("lower({}) {sign} lower({})", left.text, right.text);
        }
        format!("{} {sign} {}", left.text, right.text)
    }

    fn arithmetic(&self, operator: Arithmetic, left: &Operand, right: &Operand, result: &Type) -> String {
        let (a, b) = (&left.text, &right.text);
        let (sign, name) = match operator {
            Arithmetic::Add => ("+", "add"),
            Arithmetic::Subtract => ("-", "subtract"),
            Arithmetic::Multiply => ("*", "multiply"),
            Arithmetic::Divide => ("/", "divide"),
            Arithmetic::Remainder => ("%", "remainder"),
        };
        match (result, operator) {
            (Type::Text { .. }, _) => format!("({a} || {b})"),
            (Type::Float, _) => format!("mainstay_float_{name}({a}, {b})"),
            (Type::Decimal { .. }, _) => format!("({a} {sign} {b})"),
            (Type::DateTime | Type::Duration, _) => {
                let micros = format!("{} {sign} {}", micros(left), micros(right));
                let function = if *result == Type::DateTime { "mainstay_moment" } else { "mainstay_integer" };
                format!("{function}({micros})")
            }
            (_, Arithmetic::Divide) => format!("mainstay_integer(div({a}::numeric, NULLIF({b}, 0)::numeric))"),
            (_, Arithmetic::Remainder) => format!("mod({a}, NULLIF({b}, 0))"),
            _ => format!("mainstay_integer({a}::numeric {sign} {b}::numeric)"),
        }
    }

    fn negate(&self, value: &Operand) -> String {
        match value.r#type {
            Type::Float | Type::Decimal { .. } => format!("(- {})", value.text),
            _ => format!("mainstay_integer(- {}::numeric)", value.text),
        }
    }

    fn convert(&self, value: &Operand, to: &Type) -> String {
        match (&value.r#type, to) {
            (Type::Date, Type::DateTime) => format!("({}::timestamp AT TIME ZONE 'UTC')", value.text),
            (Type::Integer, Type::Decimal { .. }) => format!("{}::numeric", value.text),
            _ => value.text.clone(),
        }
    }

    fn size(&self, value: &Operand) -> String {
        match value.r#type {
            Type::List(_) => format!("cardinality({})::bigint", value.text),
            _ => format!("length({})::bigint", value.text),
        }
    }

    fn text_call(&self, call: TextCall, subject: &str, argument: &str) -> String {
        match call {
            TextCall::StartsWith => format!("starts_with({subject}, {argument})"),
            TextCall::EndsWith => format!("starts_with(reverse({subject}), reverse({argument}))"),
            TextCall::Contains => format!("strpos({subject}, {argument}) > 0"),
        }
    }

    fn pattern<'a>(&self, pattern: &'a CommonPattern) -> &'a str {
        &pattern.postgres
    }

    fn matches(&self, subject: &str, pattern: &str) -> String {
        format!("{subject} ~ {pattern}")
    }

    fn is_item(&self, needle: &Operand, list: &Operand, negated: bool) -> String {
        let items = item_type(&list.r#type);
        let (needle_text, list_text) = (&needle.text, &list.text);
        let some = if negated { "<> ALL" } else { "= ANY" };
        if folds(&needle.r#type, items) {
            return format!(
                "lower({needle_text}) {some} (ARRAY(SELECT lower(\"item\".\"value\") \
                 FROM unnest({list_text}) AS \"item\"(\"value\")))"
            );
        }
        // Without the cast, a sub-select that yields one list would be taken for one that yields the items.
        format!("{needle_text} {some} ({list_text}::{})", type_name(&list.r#type))
    }

    fn items(&self, list: &str, alias: &str) -> String {
        format!("unnest({list}) AS {alias}(\"value\")")
    }

    fn item(&self, alias: &str, _type: &Type) -> String {
        format!("{alias}.\"value\"")
    }

    fn numbered_items(&self, list: &str, alias: &str) -> String {
        format!("unnest({list}) WITH ORDINALITY AS {alias}(\"value\", \"number\")")
    }

    fn item_number(&self, alias: &str) -> String {
        format!("({alias}.\"number\" - 1)")
    }

    fn has_lateral(&self) -> bool {
        true
    }

    fn gather(&self, column: &str, _item: &Type, from: &str, filter: &str, order: &str) -> String {
        format!("ARRAY(SELECT {column} FROM {from} WHERE {filter} ORDER BY {order})")
    }

    fn order(&self, key: &str, r#type: &Type, descending: bool, never_null: bool) -> String {
        let folds = *r#type == (Type::Text { fold_case: true });
        let key = if folds { format!("lower({key})") } else { key.to_owned() };
        let order = match (never_null, descending) {
            (true, false) => "",
            (true, true) => " DESC",
            (false, false) => " NULLS FIRST",
            (false, true) => " DESC NULLS LAST",
        };
        format!("{key}{order}")
    }

    fn json_path(&self, document: &str, keys: &str, r#type: &Type) -> String {
        let (found, text) = (format!("({document} #> {keys})"), format!("({document} #>> {keys})"));
        let (kind, value) = match r#type {
            Type::Boolean => ("boolean", format!("{text}::boolean")),
            // Canonical JSON writes whole numbers below 10^21 without an exponent.
            Type::Integer => {
                ("number", format!("CASE WHEN {text} ~ '^-?[0-9]+$' THEN mainstay_integer({text}::numeric) END"))
            }
            Type::Float => ("number", format!("{text}::double precision")),
            Type::Text { .. } => ("string", format!("{text} COLLATE \"C\"")),
            _ => return found,
        };
        format!("(CASE json_typeof({found}) WHEN '{kind}' THEN {value} END)")
    }

    fn total(&self, function: Function, column: &Operand) -> String {
        let text = &column.text;
        match (function, &column.r#type) {
            (Function::Sum, Type::Float) => sum_of_floats(text),
            (Function::Sum, _) => format!("sum({text})"),
            (Function::Average, Type::Float) => {
                format!("mainstay_float_divide({}, count({text})::double precision)", sum_of_floats(text))
            }
            (Function::Average, Type::Decimal { scale, .. }) => mean_of_decimals(text, *scale),
            (Function::Average, _) => format!("(sum({text})::double precision / count({text})::double precision)"),
            (Function::Least, Type::Text { fold_case: true }) => extreme_folded("min", text, "chr(1)"),
            (Function::Greatest, Type::Text { fold_case: true }) => extreme_folded("max", text, "chr(1)"),
            (Function::Least, _) => format!("min({text})"),
            (Function::Greatest, _) => format!("max({text})"),
        }
    }

    fn folded(&self, text: &str) -> String {
        format!("lower({text})")
    }

    fn least_spelling(&self, text: &str) -> String {
        format!("min({text})")
    }
}

/// The sum of the shortest decimals of doubles, rounded once. The bounds are those beyond which PostgreSQL refuses to round:
/// half a step above the greatest double, half the least one.
fn sum_of_floats(text: &str) -> String {
    let sum = format!("sum({text}::text::numeric)");
    format!(
        "(CASE WHEN abs({sum}) < 2::numeric ^ 1024 - 2::numeric ^ 970 THEN (CASE WHEN abs({sum}) > 2.48e-324 THEN {sum} \
         ELSE 0 END)::double precision END)"
    )
}

/// The mean of decimals with more digits than they have, half-even: `div` truncates, and the rest says which way to round.
fn mean_of_decimals(text: &str, scale: u8) -> String {
    let digits = scale + MORE_DIGITS;
    let (sum, count) = (format!("(sum({text}) * 1e{digits})"), format!("count({text})"));
    let (whole, rest) = (format!("div({sum}, {count})"), format!("mod({sum}, {count})"));
    format!(
        "(({whole} + CASE sign(abs({rest}) * 2 - {count}) WHEN 1 THEN sign({sum}) WHEN 0 THEN mod({whole}, 2) ELSE 0 END) \
         * 1e-{digits})"
    )
}

/// The type of PostgreSQL in which values of a type are kept and bound.
#[must_use]
pub fn type_name(r#type: &Type) -> String {
    let name = match r#type {
        Type::Boolean => "boolean",
        Type::Integer | Type::Duration => "bigint",
        Type::Float => "double precision",
        Type::Decimal { .. } => "numeric",
        Type::Text { .. } => "text",
        Type::DateTime => "timestamptz",
        Type::Date => "date",
        Type::Uuid => "uuid",
        Type::List(item) => return format!("{}[]", type_name(item)),
        Type::Json | Type::Dynamic => "json",
    };
    name.to_owned()
}

fn is_text(r#type: &Type) -> bool {
    match r#type {
        Type::List(item) => is_text(item),
        Type::Text { .. } => true,
        _ => false,
    }
}

/// A moment or a duration as microseconds, exactly.
fn micros(value: &Operand) -> String {
    match value.r#type {
        Type::DateTime => format!("(extract(epoch FROM {}) * 1000000)", value.text),
        _ => format!("{}::numeric", value.text),
    }
}
