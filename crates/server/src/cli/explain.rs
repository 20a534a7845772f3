//! Why a call is let through or stopped: its outcome, said by the gate and the write path themselves, and the rules that it
//! met, taken apart.

use std::sync::Arc;

use engine::{Engine, Rehearsal, Target};
use model::{Caller, Problem, Record, Resource, ResourceIndex, Right, Value, caller::Identity, identity::ADMIN, json};
use rules::{
    Condition, Gate, Rule, Scope, Situation,
    explain::{Named, Part, parts},
    query::Query,
};
use serde_json::{Value as Json, json};

use super::terminal::{self, bold, dim, red};

/// The most characters of a value that are shown.
const SHOWN: usize = 60;

/// A call to be explained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) right: Right,
    pub(super) resource: &'a str,
    /// Of the record; empty on creation.
    pub(super) id: &'a str,
    /// Of creations and changes.
    pub(super) body: &'a Json,
}

/// What came of a call, and why.
#[derive(Debug)]
pub(super) struct Explanation {
    /// The record as it would be answered or stored, or the problem.
    pub(super) outcome: Result<(), Problem>,
    /// The rules, in the order in which they were met.
    pub(super) rules: Vec<Explained>,
}

/// A rule that was met.
#[derive(Debug)]
pub(super) struct Explained {
    /// `[access] read`
    place: String,
    file: String,
    verdict: Option<bool>,
    /// Why there are no parts: no rule, an administrator, a key's scopes.
    reason: Option<String>,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    depth: usize,
    text: String,
    verdict: Option<bool>,
    values: Vec<(String, String)>,
}

/// Everything that parts are judged by.
struct Case<'a> {
    engine: &'a Engine,
    gate: Arc<Gate>,
    caller: &'a Caller,
    index: ResourceIndex,
    id: Value,
    /// As JSON, without hidden fields.
    stored: Option<Json>,
    old: Option<Arc<Record>>,
    new: Option<Arc<Record>>,
}

/// Explains a call of somebody.
///
/// # Errors
/// The database's faults, and an unknown resource; what the call itself meets is part of the explanation.
pub(super) async fn explain(engine: &Engine, caller: &Caller, asked: Asked<'_>) -> Result<Explanation, Problem> {
    let gate = engine.gate();
    let index = Engine::resource(&gate, asked.resource)?;
    let outcome = try_it(engine, caller, asked).await;
    let id = model::parse_id(gate.catalog().schema.get(index).id_kind, asked.id).unwrap_or_default();
    let mut case = Case { engine, gate, caller, index, id, stored: None, old: None, new: None };
    if asked.right != Right::Create {
        case.stored = case.fetch(Vec::new()).await?.map(|(record, _)| record);
        case.old = case.stored.as_ref().map(|stored| Arc::new(case.read_back(stored)));
    }
    if matches!(asked.right, Right::Create | Right::Update) {
        // As it would be, whether the caller may or not: defaults know the caller, rules are passed.
        let identity = Identity { roles: vec![ADMIN.to_owned()], scopes: None, ..(*caller.identity).clone() };
        let passing = Caller { identity: Arc::new(identity), ..caller.clone() };
        case.new = engine.rehearse(passing.clone(), rehearsal(asked)).await.ok().map(Arc::new);
        if asked.right == Right::Update {
            // A change of nothing gives the record with its hidden fields.
            let nothing = Json::Object(serde_json::Map::new());
            let same = rehearsal(Asked { body: &nothing, ..asked });
            case.old = engine.rehearse(passing, same).await.ok().map(Arc::new).or(case.old);
        }
    }
    let rules = case.rules(asked).await?;
    Ok(Explanation { outcome, rules })
}

fn rehearsal<'a>(asked: Asked<'a>) -> Rehearsal<'a> {
    let target = Target { resource: asked.resource, id: asked.id };
    match asked.right {
        Right::Create => Rehearsal::Create { resource: asked.resource, body: asked.body },
        Right::Update => Rehearsal::Patch { target, body: asked.body },
        Right::Read | Right::Delete => Rehearsal::Delete { target },
    }
}

async fn try_it(engine: &Engine, caller: &Caller, asked: Asked<'_>) -> Result<(), Problem> {
    if asked.right == Right::Read {
        let target = Target { resource: asked.resource, id: asked.id };
        return engine.get(caller.clone(), target, Query::default()).await.map(|_| ());
    }
    engine.rehearse(caller.clone(), rehearsal(asked)).await.map(|_| ())
}

impl Case<'_> {
    fn resource(&self) -> &Resource {
        self.gate.catalog().schema.get(self.index)
    }

    /// The record whatever the rules say, and which conditions hold of it.
    async fn fetch(&self, conditions: Vec<Condition>) -> Result<Option<(Json, u64)>, Problem> {
        let read = self.gate.explain(self.caller.clone(), self.index, conditions);
        let found = self.engine.store().get(&read, &self.id).await?;
        Ok(found.map(|found| (serde_json::from_slice(&found.body).unwrap_or_default(), found.mask)))
    }

    /// A stored record as values; hidden fields are null.
    fn read_back(&self, stored: &Json) -> Record {
        let resource = self.resource();
        let mut record = Record::empty(resource.fields.len());
        for field in resource.indices() {
            let declared = resource.get(field);
            let found = model::accept_field(declared, &stored[&declared.name], &declared.name, &mut Vec::new());
            record.set(field, found.unwrap_or_default());
        }
        record.values[0] = self.id.clone();
        record
    }

    /// The rules that the call meets, as far as the first that stops it.
    async fn rules(&self, asked: Asked<'_>) -> Result<Vec<Explained>, Problem> {
        let policy = self.gate.catalog().policy(self.index);
        let mut met = Vec::new();
        if asked.right != Right::Create {
            if self.stored.is_none() {
                return Ok(met);
            }
            met.push(self.access(Right::Read, policy.read.as_ref(), Scope::Read).await?);
        }
        match asked.right {
            Right::Read => {}
            Right::Create => met.push(self.access(Right::Create, policy.create.as_ref(), Scope::Create).await?),
            Right::Update => met.push(self.access(Right::Update, policy.update.as_ref(), Scope::Update).await?),
            Right::Delete => met.push(self.access(Right::Delete, policy.delete.as_ref(), Scope::Delete).await?),
        }
        self.fields(asked, &mut met).await?;
        if self.new.is_some() {
            for (message, rule) in &policy.validations {
                let explained = self.rule(format!("[validate] {message:?}"), rule, Scope::Validate).await?;
                if explained.verdict != Some(true) {
                    met.push(explained);
                }
            }
        }
        Ok(met)
    }

    /// Fields that the caller may not see, or may not set.
    async fn fields(&self, asked: Asked<'_>, met: &mut Vec<Explained>) -> Result<(), Problem> {
        let policy = self.gate.catalog().policy(self.index);
        if self.caller.identity.is_admin() {
            return Ok(());
        }
        for (field, rules) in self.resource().indices().zip(&policy.fields) {
            let name = &self.resource().get(field).name;
            let found = match asked.right {
                Right::Read => rules.read.as_ref().map(|rule| (rule, "read", Scope::FieldRead)),
                _ if asked.body.get(name).is_some() => {
                    rules.write.as_ref().map(|rule| (rule, "write", Scope::FieldWrite))
                }
                _ => None,
            };
            let Some((rule, word, scope)) = found else { continue };
            let explained = self.rule(format!("{word} of the field {name}"), rule, scope).await?;
            if explained.verdict != Some(true) {
                met.push(explained);
            }
        }
        Ok(())
    }

    async fn access(&self, right: Right, rule: Option<&Rule>, scope: Scope) -> Result<Explained, Problem> {
        let place = format!("[access] {}", right.name());
        let identity = &self.caller.identity;
        let given = |verdict, reason: String| Explained {
            place: place.clone(),
            file: self.file(),
            verdict: Some(verdict),
            reason: Some(reason),
            lines: Vec::new(),
        };
        if !identity.is_within_scope(&self.resource().name, right) {
            return Ok(given(false, "the scopes of the key don't reach so far".to_owned()));
        }
        match rule {
            _ if identity.is_admin() => Ok(given(true, "administrators pass every access rule".to_owned())),
            None => Ok(given(false, "there is no rule, so only administrators may".to_owned())),
            Some(rule) => self.rule(place, rule, scope).await,
        }
    }

    fn file(&self) -> String {
        format!("resources/{}.toml", self.resource().name)
    }

    async fn rule(&self, place: String, rule: &Rule, scope: Scope) -> Result<Explained, Problem> {
        let parts = parts(&self.gate.catalog().schema, self.index, scope, &rule.text);
        let verdicts = self.judge(&parts).await?;
        let lines: Vec<Line> = parts
            .into_iter()
            .zip(verdicts)
            .map(|(part, verdict)| {
                let values = part.names.iter().filter_map(|(text, named)| Some((text.clone(), self.show(named)?)));
                Line { depth: part.depth, values: values.collect(), text: part.text, verdict }
            })
            .collect();
        let verdict = lines.first().and_then(|line| line.verdict);
        Ok(Explained { place, file: self.file(), verdict, reason: None, lines })
    }

    /// Which parts hold; none where that can't be said here.
    async fn judge(&self, parts: &[Part]) -> Result<Vec<Option<bool>>, Problem> {
        let stored: Vec<Condition> =
            parts.iter().filter(|part| !part.of_new).map(|part| part.condition.clone()).collect();
        let of_stored = self.stored.is_some() && !stored.is_empty();
        let mut mask = match of_stored {
            true => self.fetch(stored).await?.map_or(0, |(_, mask)| mask),
            false => 0,
        };
        let mut verdicts = Vec::with_capacity(parts.len());
        for part in parts {
            if of_stored && !part.of_new {
                verdicts.push(Some(mask & 1 == 1));
                mask >>= 1;
            } else {
                verdicts.push(self.judge_at_hand(part).await?);
            }
        }
        Ok(verdicts)
    }

    async fn judge_at_hand(&self, part: &Part) -> Result<Option<bool>, Problem> {
        if part.of_new && self.new.is_none() {
            return Ok(None);
        }
        if !part.condition.uses_relations() {
            let blank = Situation::blank(&self.gate.catalog().schema);
            let (record, new) = (self.old.as_deref(), self.new.as_deref());
            let situation = Situation { caller: Some(self.caller), record, new, ..blank };
            return Ok(Some(situation.judge(&part.condition)));
        }
        if part.of_record && self.old.is_none() {
            return Ok(None);
        }
        let blank = || Arc::new(Record::empty(self.resource().fields.len()));
        let record = self.old.clone().unwrap_or_else(blank);
        let (new, condition) = (self.new.clone(), part.condition.clone());
        let asked = self.gate.explain_at_hand(self.caller.clone(), self.index, record, new, condition);
        Ok(Some(self.engine.store().judge(&asked).await?.visible))
    }

    fn show(&self, named: &Named) -> Option<String> {
        let value = match named {
            Named::Record(field) => {
                return Some(short(&self.stored.as_ref()?[&self.resource().get(*field).name].to_string()));
            }
            Named::New(field) => self.new.as_ref()?.get(*field).clone(),
            Named::Caller(what) => self.caller.value(what),
        };
        let mut text = Vec::new();
        json::write_value(&value, &mut text);
        Some(short(&String::from_utf8_lossy(&text)))
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn mark(verdict: Option<bool>) -> &'static str {
    match verdict {
        Some(true) => "yes",
        Some(false) => "no ",
        None => "?  ",
    }
}

impl Explanation {
    /// `allowed`, or the problem in a line.
    pub(super) fn verdict(&self) -> String {
        match &self.outcome {
            Ok(()) => "allowed".to_owned(),
            Err(problem) => {
                let flaws: Vec<String> = problem.errors.iter().map(|flaw| flaw.detail.clone()).collect();
                let all = if flaws.is_empty() { problem.detail.clone() } else { flaws.join("; ") };
                format!("refused, {} {}: {all}", problem.code.status(), problem.code.slug())
            }
        }
    }

    /// The rules that did not hold; all of them where all did.
    pub(super) fn lines(&self, only_stopping: bool) -> Vec<String> {
        let stopping = |rule: &&Explained| !only_stopping || rule.verdict != Some(true);
        self.rules.iter().filter(stopping).flat_map(Explained::text).collect()
    }

    pub(super) fn show(&self) {
        let verdict = self.verdict();
        terminal::result(if self.outcome.is_ok() { bold(verdict) } else { red(verdict) });
        for line in self.lines(false) {
            terminal::result(line);
        }
    }

    pub(super) fn to_json(&self) -> Json {
        let problem = self.outcome.as_ref().err();
        json!({
            "allowed": self.outcome.is_ok(),
            "status": problem.map(|problem| problem.code.status()),
            "problem": problem.map(|problem| problem.code.slug()),
            "detail": problem.map(|problem| problem.detail.clone()),
            "rules": self.rules.iter().map(Explained::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Explained {
    fn text(&self) -> Vec<String> {
        let mut lines = vec![format!("{} {} {}", mark(self.verdict), bold(&self.place), dim(&self.file))];
        lines.extend(self.reason.iter().map(|reason| format!("      {reason}")));
        for line in &self.lines {
            let values: Vec<String> = line.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let indent = "  ".repeat(line.depth + 1);
            let text = format!("{indent}{} {}", mark(line.verdict), line.text);
            lines.push(if values.is_empty() { text } else { format!("{text}   {}", dim(values.join(", "))) });
        }
        lines
    }

    fn to_json(&self) -> Json {
        let line = |line: &Line| {
            let values: serde_json::Map<String, Json> = line
                .values
                .iter()
                .map(|(name, value)| {
                    (name.clone(), serde_json::from_str(value).unwrap_or_else(|_| value.clone().into()))
                })
                .collect();
            json!({ "text": line.text, "depth": line.depth, "holds": line.verdict, "values": values })
        };
        json!({
            "rule": self.place,
            "file": self.file,
            "holds": self.verdict,
            "reason": self.reason,
            "parts": self.lines.iter().map(line).collect::<Vec<_>>(),
        })
    }
}
