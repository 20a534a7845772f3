//! What a client wants expanded, under what it may see: references, and resources that refer here.

use model::{Caller, FieldIndex, Flaw, Problem, ResourceIndex, problem::Place, resource::Resource};

use super::Gate;
use crate::{
    expression::{Condition, Expression, Node},
    plan::{Expansion, Link},
    query::{self, EXPANDED, Form},
    visibility::{Sight, Visibility},
};

/// The reference by which a list came to its records, a field of theirs: following it only leads back.
pub(super) type Arrival = FieldIndex;

/// A name of `expand`, resolved.
struct Relation {
    link: Link,
    target: ResourceIndex,
    /// What the records are found by.
    key: Expression,
    /// What the caller must be allowed to know of them to know that they are related.
    guard: Condition,
    arrival: Option<Arrival>,
}

impl Gate {
    /// The expansions of a form, and the names of `fields` that are the record's own.
    pub(super) fn expansions(
        &self,
        caller: &Caller,
        resource: ResourceIndex,
        form: &Form,
        arrived: Option<Arrival>,
    ) -> Result<(Option<Vec<String>>, Vec<Expansion>), Problem> {
        let own = form.fields.as_ref().map(|names| names.iter().filter(|name| !name.contains('.')).cloned().collect());
        for name in form.fields.iter().flatten() {
            if let Some((head, _)) = name.split_once('.')
                && !form.expand.iter().any(|known| known.name == head)
            {
                let help = self.reach_help(caller, resource, head);
                return Err(Problem::parameter("fields", format!("`{name}` reaches into `{head}`, which {help}")));
            }
        }
        let planned = form.expand.iter().map(|asked| {
            self.expansion(caller, resource, form, asked, arrived).map_err(|problem| below(problem, &asked.name))
        });
        Ok((own, planned.collect::<Result<_, _>>()?))
    }

    fn expansion(
        &self,
        caller: &Caller,
        resource: ResourceIndex,
        form: &Form,
        asked: &query::Expansion,
        arrived: Option<Arrival>,
    ) -> Result<Expansion, Problem> {
        let name = &asked.name;
        let relation = self.relation(caller, resource, name)?;
        let declared = self.catalog.schema.get(resource);
        if relation.link == Link::One && arrived.is_some() && declared.field(name) == arrived {
            let detail = format!("`{name}` only leads back to the record that it would be expanded in");
            return Err(Problem::parameter("expand", detail));
        }
        let mut inner = asked.form.clone();
        inner.fields = below_fields(form, name);
        let is_list = relation.link != Link::One;
        let options =
            [("limit", asked.limit.is_some()), ("filter", inner.filter.is_some()), ("sort", !inner.sort.is_empty())];
        if let Some((option, _)) = options.into_iter().find(|(_, given)| *given && !is_list) {
            return Err(Problem::parameter(option, format!("`{name}` is one record: `{option}` is for lists")));
        }
        // One record has no order, and a `many` reference has its own.
        inner.single = !is_list || (matches!(relation.link, Link::Many { .. }) && inner.sort.is_empty());
        let (mut plan, _) = self.read_plan(caller, relation.target, &inner, relation.arrival)?;
        plan.condition = Condition::All(vec![plan.condition, relation.guard]).specialize(0);
        let limit = asked.limit.unwrap_or(EXPANDED);
        Ok(Expansion { name: name.clone(), link: relation.link, key: relation.key, limit, plan })
    }

    fn relation(&self, caller: &Caller, resource: ResourceIndex, name: &str) -> Result<Relation, Problem> {
        let schema = &self.catalog.schema;
        let declared = schema.get(resource);
        let visibility = Visibility::of(&self.catalog, caller);
        let id = || Expression::of_field(resource, Resource::ID, declared);
        if let Some(field) = declared.field(name) {
            let sight = visibility.field(resource, field);
            if sight == Sight::Unknown {
                return Err(self.unknown(&visibility, resource, name));
            }
            let Some(target) = declared.get(field).target() else {
                let detail = format!("`{name}` of {} is no reference; there is nothing to expand", declared.name);
                return Err(Problem::parameter("expand", detail));
            };
            let many = declared.get(field).is_many();
            let link = if many { Link::Many { resource, field } } else { Link::One };
            let key = if many { id() } else { Expression::of_field(resource, field, declared) };
            return Ok(Relation {
                link,
                target,
                key: seen(key, sight),
                guard: Condition::Constant(true),
                arrival: None,
            });
        }
        let relation = schema.find_reverse(resource, name).ok_or_else(|| self.unknown(&visibility, resource, name))?;
        let (from, field) = (relation.resource, relation.field);
        let guard = match visibility.field(from, field) {
            Sight::Unknown => return Err(self.unknown(&visibility, resource, name)),
            Sight::Visible => Condition::Constant(true),
            Sight::Conditional(condition) => condition,
        };
        let arrival = (!schema.get(from).get(field).is_many()).then_some(field);
        Ok(Relation { link: Link::Reverse { from, field }, target: from, key: id(), guard, arrival })
    }

    /// A 400 for a name that is none, or that the caller may not know.
    fn unknown(&self, visibility: &Visibility<'_>, resource: ResourceIndex, name: &str) -> Problem {
        let declared = &self.catalog.schema.get(resource).name;
        let known = self.expandable(visibility, resource);
        let help = match (crate::nearest(name, known.iter().map(String::as_str)), known.as_slice()) {
            (Some(near), _) => format!(", did you mean `{near}`?"),
            (None, []) => "; it has none".to_owned(),
            (None, known) => format!("; it has {}", known.join(", ")),
        };
        Problem::parameter("expand", format!("{declared} has no reference or relation `{name}`{help}"))
    }

    /// Every name that the caller may expand.
    fn expandable(&self, visibility: &Visibility<'_>, resource: ResourceIndex) -> Vec<String> {
        let schema = &self.catalog.schema;
        let declared = schema.get(resource);
        let visible = |resource, field| visibility.field(resource, field) != Sight::Unknown;
        let references = declared.indices().filter(|field| declared.get(*field).target().is_some());
        let references = references.filter(|field| visible(resource, *field));
        let references = references.map(|field| declared.get(field).name.clone());
        let relations = schema.reverse(resource).iter().filter(|relation| visible(relation.resource, relation.field));
        references.chain(relations.flat_map(|relation| relation.names.iter().cloned())).collect()
    }

    /// What is wrong with a path of `fields` whose first name is not expanded.
    fn reach_help(&self, caller: &Caller, resource: ResourceIndex, head: &str) -> String {
        let visibility = Visibility::of(&self.catalog, caller);
        let known = self.expandable(&visibility, resource);
        if known.iter().any(|name| name == head) {
            return format!("is not expanded; ask for `expand={head}` too");
        }
        match crate::nearest(head, known.iter().map(String::as_str)) {
            Some(near) => format!("is no reference or relation, did you mean `{near}`?"),
            None => "is no reference or relation".to_owned(),
        }
    }
}

/// A key that is absent where the caller may not see the field that it stands in.
fn seen(key: Expression, sight: Sight) -> Expression {
    let Sight::Conditional(condition) = sight else { return key };
    let r#type = key.r#type.clone();
    let absent = Expression { node: Node::Literal(model::Value::Null), r#type: r#type.clone() };
    let node = Node::Choice {
        when: Box::new(condition),
        when_not: Box::new(Condition::Constant(false)),
        then: Box::new(key),
        otherwise: Box::new(absent),
    };
    Expression { node, r#type }
}

/// What `fields` asks of the records at a name; all where it names none of theirs.
fn below_fields(form: &Form, name: &str) -> Option<Vec<String>> {
    let names = form.fields.iter().flatten().filter_map(|path| path.split_once('.'));
    let names: Vec<String> = names.filter(|(head, _)| *head == name).map(|(_, rest)| rest.to_owned()).collect();
    (!names.is_empty()).then_some(names)
}

/// A problem with an expansion's own filter, sort or limit, told of the parameter that brought it.
fn below(mut problem: Problem, name: &str) -> Problem {
    for Flaw { at, .. } in &mut problem.errors {
        let Place::Parameter(parameter) = at else { continue };
        *parameter = match parameter.as_str() {
            "filter" | "sort" | "limit" => format!("expand[{name}][{parameter}]"),
            other => match other.strip_prefix("expand[") {
                Some(rest) => format!("expand[{name}.{rest}"),
                None => continue,
            },
        };
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_whole_path() {
        let place = |problem: Problem| problem.errors[0].at.clone();
        let problem = below(below(Problem::parameter("sort", "x"), "author"), "comments");
        assert_eq!(place(problem), Place::Parameter("expand[comments.author][sort]".to_owned()));
        let problem = below(Problem::parameter("fields", "x"), "author");
        assert_eq!(place(problem), Place::Parameter("fields".to_owned()));
    }

    #[test]
    fn fields_are_those_below_the_name() {
        let fields = ["title", "author.name", "author.team.name", "authors.x"].map(str::to_owned).to_vec();
        let form = Form { fields: Some(fields), ..Form::default() };
        assert_eq!(below_fields(&form, "author"), Some(vec!["name".to_owned(), "team.name".to_owned()]));
        assert_eq!(below_fields(&form, "comments"), None);
    }
}
