//! Names and dots: variables, roots, fields, references followed, relations the other way round.

use std::ops::Range;

use model::{FieldIndex, ResourceIndex, caller::CallerValue, field::Kind};

use super::{
    Checker, Operand, Scope,
    operand::{Binding, End, Namespace, Path},
};
use crate::{
    expression::{Anchor, Condition, Expression, Mistake, Node, Root, Step, Type, Variable},
    visibility::Sight,
};

impl Checker<'_> {
    /// A name that stands alone or begins a path.
    pub(super) fn name(&mut self, name: &str, span: &Range<usize>) -> Operand {
        if let Some((_, binding)) = self.variables.iter().rev().find(|(known, _)| known == name) {
            return match binding {
                Binding::Item { variable, r#type, .. } => {
                    Operand::Value(Expression::new(Node::Item(*variable), r#type.clone()))
                }
                Binding::Row { variable, resource } => root(Root::Row(*variable), *resource),
            };
        }
        if self.scope == Scope::Filter {
            let path =
                Path { anchor: Anchor::at(Root::Record, self.resource), conditions: Vec::new(), end: End::Record };
            if let Some(found) = self.lookup(path, self.resource, name, span) {
                return found;
            }
        }
        if !self.only_fields && self.scope.roots().contains(&name) {
            return match name {
                "record" => root(Root::Record, self.resource),
                "new" => root(Root::New, self.resource),
                "auth" => Operand::Namespace(Namespace::Auth),
                "request" => Operand::Namespace(Namespace::Request),
                _ => Operand::Value(Expression::new(Node::Caller(CallerValue::Now), Type::DateTime)),
            };
        }
        let mistake = self.unknown_name(name, span);
        self.broken(mistake)
    }

    fn unknown_name(&self, name: &str, span: &Range<usize>) -> Mistake {
        let is_root = ["record", "new", "auth", "request", "now"].contains(&name);
        let roots = self.scope.roots();
        let listed = roots.iter().map(|root| format!("`{root}`")).collect::<Vec<_>>().join(", ");
        let message = match (self.scope, name) {
            (Scope::Create, "record") => "there is no `record` yet when one is created".to_owned(),
            (Scope::Read | Scope::Delete | Scope::FieldRead, "new") => "nothing `new` is stored here".to_owned(),
            _ if is_root && self.scope != Scope::Filter => format!("`{name}` can't be used here"),
            _ => format!("unknown name `{name}`"),
        };
        let mistake = Mistake::new(span.clone(), message);
        if self.scope == Scope::Filter {
            if name == "record" {
                return mistake.help("a filter names the record's fields directly, as in `status`");
            }
            let mut known = self.known_names(self.resource);
            known.extend(roots.iter().map(|root| (*root).to_owned()));
            known.extend(self.variables.iter().map(|(variable, _)| variable.clone()));
            return with_suggestion(mistake, name, &known);
        }
        if is_root {
            return mistake.help(format!("this rule may name {listed}"));
        }
        let owner = roots.iter().find(|root| matches!(**root, "record" | "new"));
        if let Some(owner) = owner
            && self.known_names(self.resource).iter().any(|known| known == name)
        {
            return mistake.help(format!("did you mean `{owner}.{name}`?"));
        }
        let mut known: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
        known.extend(self.variables.iter().map(|(variable, _)| variable.clone()));
        match crate::suggest::nearest(name, known.iter().map(String::as_str)) {
            Some(_) => with_suggestion(mistake, name, &known),
            None => mistake.help(format!("this rule may name {listed}")),
        }
    }

    /// What a dot leads to.
    pub(super) fn select(&mut self, base: Operand, name: &str, name_span: &Range<usize>) -> Operand {
        match base {
            Operand::Broken => Operand::Broken,
            Operand::Namespace(namespace) => self.select_from_namespace(namespace, name, name_span),
            Operand::Dynamic(CallerValue::Claim(mut path)) => {
                path.push(name.to_owned());
                Operand::Dynamic(CallerValue::Claim(path))
            }
            Operand::Path(path) => self.select_from_path(path, name, name_span),
            other => {
                let message = format!("{} has no field `{name}`", self.describe(&other));
                self.broken(Mistake::new(name_span.clone(), message))
            }
        }
    }

    fn select_from_namespace(&mut self, namespace: Namespace, name: &str, span: &Range<usize>) -> Operand {
        let text = |value, fold_case| Operand::Value(Expression::new(Node::Caller(value), Type::Text { fold_case }));
        let (owner, known): (_, &[&str]) = match (namespace, name) {
            (Namespace::Claims, _) => return Operand::Dynamic(CallerValue::Claim(vec![name.to_owned()])),
            (Namespace::Auth, "id") => return self.caller_id(),
            (Namespace::Auth, "email") => return text(CallerValue::Email, true),
            (Namespace::Auth, "roles") => {
                let roles = Type::List(Box::new(Type::Text { fold_case: false }));
                return Operand::Value(Expression::new(Node::Caller(CallerValue::Roles), roles));
            }
            (Namespace::Auth, "claims") => return Operand::Namespace(Namespace::Claims),
            (Namespace::Request, "ip") => return text(CallerValue::Address, false),
            (Namespace::Request, "method") => return text(CallerValue::Method, false),
            (Namespace::Auth, _) => ("auth", &["id", "email", "roles", "claims"]),
            (Namespace::Request, _) => ("request", &["ip", "method"]),
        };
        let listed = known.iter().map(|name| format!("`{owner}.{name}`")).collect::<Vec<_>>().join(", ");
        let mistake = Mistake::new(span.clone(), format!("`{owner}` has no `{name}`"));
        let mistake = match crate::suggest::did_you_mean(name, known.iter().copied()) {
            Some(help) => mistake.help(help),
            None => mistake.help(format!("there is {listed}")),
        };
        self.broken(mistake)
    }

    /// `auth.id` has the type of the people's ids; where there are no people, that of what it meets.
    fn caller_id(&self) -> Operand {
        match self.schema.people() {
            Some((_, people, _)) => {
                let id = Type::of_field(people.get(model::Resource::ID));
                Operand::Value(Expression::new(Node::Caller(CallerValue::Id), id))
            }
            None => Operand::Dynamic(CallerValue::Id),
        }
    }

    fn select_from_path(&mut self, path: Path, name: &str, name_span: &Range<usize>) -> Operand {
        match path.end.clone() {
            End::Record => self.lookup_or_mistake(path, name, name_span),
            End::Field { resource, field } => {
                let declared = self.schema.get(resource).get(field);
                match &declared.kind {
                    Kind::Json { schema, .. } if !declared.is_list() => {
                        let schema = schema.as_ref().map(|schema| schema.document.clone());
                        self.json_key(
                            Path { end: End::Json { resource, field, keys: Vec::new(), schema }, ..path },
                            name,
                            name_span,
                        )
                    }
                    _ => match declared.target_one() {
                        Some(target) => {
                            let path = self.follow(path, field, target);
                            self.lookup_or_mistake(path, name, name_span)
                        }
                        None => {
                            let what = self.describe(&Operand::Path(path));
                            let mistake = Mistake::new(
                                name_span.clone(),
                                format!("`{}` is {what}, which has no `{name}`", declared.name),
                            );
                            self.broken(if declared.is_list() {
                                mistake.help(format!("ask `{}.exists(x, …)` about its items", declared.name))
                            } else {
                                mistake
                            })
                        }
                    },
                }
            }
            End::Json { .. } => self.json_key(path, name, name_span),
            End::Reverse { from, .. } => {
                let relation = &self.schema.get(from).name;
                let message = format!("`{relation}` are many records, which have no `{name}` together");
                let help = format!("ask `exists(x, x.{name} …)` or `all` of them");
                self.broken(Mistake::new(name_span.clone(), message).help(help))
            }
        }
    }

    fn json_key(&mut self, path: Path, name: &str, name_span: &Range<usize>) -> Operand {
        let End::Json { resource, field, mut keys, schema } = path.end else { return Operand::Path(path) };
        let properties =
            schema.as_ref().and_then(|schema| schema.get("properties")).and_then(|found| found.as_object());
        if let Some(properties) = properties
            && !properties.contains_key(name)
        {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            let mistake = Self::unknown("key", name, name_span, &known);
            return self.broken(mistake);
        }
        let schema = properties.and_then(|properties| properties.get(name)).cloned();
        keys.push(name.to_owned());
        Operand::Path(Path { end: End::Json { resource, field, keys, schema }, ..path })
    }

    /// Follows a to-one reference; under a client's eyes the record there may be absent.
    fn follow(&mut self, mut path: Path, field: FieldIndex, target: ResourceIndex) -> Path {
        let guard = self.guard(target, None).map(Box::new);
        path.anchor.steps.push(Step { field, target, guard });
        path.end = End::Record;
        path
    }

    /// What a client must be allowed to read of a record of another resource, over a variable of its own or a given one.
    pub(super) fn guard(
        &mut self,
        resource: ResourceIndex,
        variable: Option<Variable>,
    ) -> Option<(Variable, Condition)> {
        let condition = self.visibility?.records(resource);
        if condition == Condition::Constant(true) {
            return None;
        }
        let variable = variable.unwrap_or_else(|| self.fresh());
        let row = Anchor::at(Root::Row(variable), resource);
        Some((variable, condition.rebase(Root::Record, &row, &mut || self.fresh())))
    }

    fn lookup_or_mistake(&mut self, path: Path, name: &str, name_span: &Range<usize>) -> Operand {
        let resource = path.anchor.reached();
        if let Some(found) = self.lookup(path, resource, name, name_span) {
            return found;
        }
        let owner = &self.schema.get(resource).name;
        let mistake = Mistake::new(name_span.clone(), format!("`{owner}` has no field or relation `{name}`"));
        let mistake = with_suggestion(mistake, name, &self.known_names(resource));
        self.broken(mistake)
    }

    /// A field or relation of the record that a path has reached; what the client may not see is as if it were not there.
    fn lookup(&mut self, mut path: Path, resource: ResourceIndex, name: &str, span: &Range<usize>) -> Option<Operand> {
        let schema = self.schema;
        if let Some(field) = schema.get(resource).field(name) {
            match self.sight(resource, field) {
                Sight::Unknown => return None,
                Sight::Visible => {}
                Sight::Conditional(condition) => {
                    // Every path of the condition will carry all guards on the way here.
                    if self.weigh(condition.weight() * path.anchor.weight(), span) {
                        return Some(Operand::Broken);
                    }
                    let condition = condition.rebase(Root::Record, &path.anchor, &mut || self.fresh());
                    path.conditions.push(condition);
                }
            }
            path.end = End::Field { resource, field };
            return Some(Operand::Path(path));
        }
        let relation = schema.find_reverse(resource, name)?;
        if matches!(self.sight(relation.resource, relation.field), Sight::Unknown) {
            return None;
        }
        path.end = End::Reverse { resource, from: relation.resource, field: relation.field };
        Some(Operand::Path(path))
    }

    /// What the client sees of a field; rules see everything.
    pub(super) fn sight(&self, resource: ResourceIndex, field: FieldIndex) -> Sight {
        self.visibility.map_or(Sight::Visible, |visibility| visibility.field(resource, field))
    }

    /// Every name that a record of a resource answers to, as far as the client may know.
    fn known_names(&self, resource: ResourceIndex) -> Vec<String> {
        let declared = self.schema.get(resource);
        let visible = |field| !matches!(self.sight(resource, field), Sight::Unknown);
        let fields = declared.indices().filter(|field| visible(*field)).map(|field| declared.get(field).name.clone());
        let relations = self.schema.reverse(resource).iter();
        let relations = relations
            .filter(|relation| !matches!(self.sight(relation.resource, relation.field), Sight::Unknown))
            .flat_map(|relation| relation.names.iter().cloned());
        fields.chain(relations).collect()
    }
}

fn root(root: Root, resource: ResourceIndex) -> Operand {
    Operand::Path(Path { anchor: Anchor::at(root, resource), conditions: Vec::new(), end: End::Record })
}

fn with_suggestion(mistake: Mistake, name: &str, known: &[String]) -> Mistake {
    match crate::suggest::did_you_mean(name, known.iter().map(String::as_str)) {
        Some(help) => mistake.help(help),
        None => mistake,
    }
}
