//! Totals over groups, encoded.

use model::{Value, json};
use rules::aggregate::{AggregatePlan, Function, Outcome};

/// Appends one group as an object: the fields that make it, the count, and the totals by function. `values` stand in the
/// order of the statement's columns.
pub fn write_group(plan: &AggregatePlan, values: &[Value], out: &mut Vec<u8>) {
    let mut values = values.iter();
    let mut separator = b'{';
    let mut name = |name: &str, out: &mut Vec<u8>| {
        out.push(separator);
        separator = b',';
        json::write_string(name, out);
        out.push(b':');
    };
    for ((field, _), value) in plan.group.iter().zip(values.by_ref()) {
        name(field, out);
        json::write_value(value, out);
    }
    if plan.count {
        name("count", out);
        json::write_value(values.next().unwrap_or(&Value::Null), out);
    }
    let mut calls = plan.calls.iter().zip(values).peekable();
    for (function, of) in Function::ALL {
        let mut inner = b'{';
        while let Some((call, value)) = calls.next_if(|(call, _)| call.function == of) {
            if inner == b'{' {
                name(function, out);
            }
            out.push(inner);
            inner = b',';
            json::write_string(&call.name, out);
            out.push(b':');
            match (call.outcome(), value) {
                (Outcome::Whole, Value::Decimal(number)) => out.extend_from_slice(number.to_string().as_bytes()),
                (_, value) => json::write_value(value, out),
            }
        }
        if inner == b',' {
            out.push(b'}');
        }
    }
    out.push(b'}');
}
