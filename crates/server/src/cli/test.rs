//! `mainstay test`: the access rules, held against what their author expects of them.
//!
//! Each file of `tests/` gets a database of its own, of the kind that the app has, with its records in it: in a temporary
//! directory, or on the app's PostgreSQL server beside the app's own. Every test is tried
//! and undone, so that no test sees what another did.

mod world;

use std::{path::Path, process::ExitCode};

use app::{Ask, Expect, RuleTest, Severity, TestFile, Who};
use engine::{ListRequest, Target};
use model::{Caller, Code, Problem, Right};
use serde_json::{Value as Json, json};

use self::world::World;
use super::{
    explain::{self, Asked},
    failure::Failure,
    files::{self, App},
    terminal::{self, bold, count, dim, red},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay test\n  mainstay test --filter orders\n  mainstay test --json\n\nReads tests/*.toml; \
                        the app's own database is not touched. Exit code 1 where a test fails."
)]
pub(super) struct Arguments {
    /// Only tests whose file or name has this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

/// One test of one caller.
struct Ran {
    file: String,
    line: usize,
    name: String,
    who: String,
    /// What was wrong, and why; empty where nothing was.
    wrong: Vec<String>,
}

pub(super) async fn run(directory: &Path, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let tests = app::load_rule_tests(directory, &app.catalog.schema);
    if !tests.diagnostics.is_empty() {
        terminal::tell(app::render(&tests.diagnostics, &tests.sources, true).trim_end());
        if tests.diagnostics.iter().any(|told| told.severity == Severity::Error) {
            return Err(Failure::new(format!("the tests have {}", files::summary(&tests.diagnostics))));
        }
    }
    if tests.files.iter().all(|file| file.tests.is_empty()) {
        let failure = Failure::new("there is nothing to test: no file tests/NAME.toml with a [[test]]");
        return Err(failure.help("the page on rule tests has an example"));
    }
    let mut ran = Vec::new();
    for file in &tests.files {
        ran.extend(run_file(file, &app, arguments.filter.as_deref()).await?);
    }
    let failed = ran.iter().filter(|one| !one.wrong.is_empty()).count();
    if arguments.json {
        terminal::json(&to_json(&ran, failed));
    } else {
        show(&ran, failed);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(ran: &[Ran], failed: usize) {
    for one in ran.iter().filter(|one| !one.wrong.is_empty()) {
        let place = format!("{}:{}", one.file, one.line);
        terminal::result(format_args!(
            "{} {place} {} {}",
            red("FAILED"),
            bold(&one.name),
            dim(format!("as {}", one.who))
        ));
        for line in &one.wrong {
            terminal::result(format_args!("  {line}"));
        }
        terminal::result("");
    }
    let passed = count(ran.len() - failed, "test passed", "tests passed");
    terminal::result(if failed == 0 { format!("{passed}.") } else { format!("{passed}, {failed} failed.") });
}

fn to_json(ran: &[Ran], failed: usize) -> Json {
    let one = |one: &Ran| {
        json!({
            "file": one.file,
            "line": one.line,
            "name": one.name,
            "as": one.who,
            "passed": one.wrong.is_empty(),
            "wrong": one.wrong,
        })
    };
    json!({
        "passed": ran.len() - failed,
        "failed": failed,
        "tests": ran.iter().map(one).collect::<Vec<_>>(),
    })
}

async fn run_file(file: &TestFile, app: &App, filter: Option<&str>) -> Result<Vec<Ran>, Failure> {
    let chosen = |test: &&RuleTest| filter.is_none_or(|text| file.name.contains(text) || test.name.contains(text));
    let tests: Vec<&RuleTest> = file.tests.iter().filter(chosen).collect();
    if tests.is_empty() {
        return Ok(Vec::new());
    }
    let world = World::open(file, app).await?;
    // What is interrupted leaves no database behind, either.
    let ran = tokio::select! {
        ran = run_tests(&world, file, &tests) => Ok(ran),
        _ = tokio::signal::ctrl_c() => Err(Failure::new("interrupted")),
    };
    world.close().await?;
    ran
}

async fn run_tests(world: &World, file: &TestFile, tests: &[&RuleTest]) -> Vec<Ran> {
    let mut ran = Vec::new();
    for test in tests {
        for who in &test.who {
            let wrong = match world.caller(who).await {
                Ok(caller) => run_one(world, &caller, test).await,
                Err(problem) => Err(problem),
            };
            let wrong = wrong.unwrap_or_else(|problem| vec![format!("it could not be tried: {}", problem.detail)]);
            let (file, name) = (file.name.clone(), test.name.clone());
            ran.push(Ran { file, line: test.line, name, who: describe(who), wrong });
        }
    }
    ran
}

fn describe(who: &Who) -> String {
    match who {
        Who::Stranger => "a stranger".to_owned(),
        Who::Person(name) => name.clone(),
        Who::Somebody { roles, .. } if roles.is_empty() => "somebody".to_owned(),
        Who::Somebody { roles, .. } => format!("somebody with {}", roles.join(", ")),
    }
}

/// What is wrong with what came, nothing where it is as expected.
async fn run_one(world: &World, caller: &Caller, test: &RuleTest) -> Result<Vec<String>, Problem> {
    let schema = world.schema();
    match &test.ask {
        Ask::List { resource, filter } => {
            let mut query = rules::query::Query::default();
            query.form.filter.clone_from(filter);
            query.page.limit = 200;
            let name = &schema.get(*resource).name;
            let request = ListRequest { query, cursor: None };
            let answer = world.engine().list(caller.clone(), name, request).await?;
            let found: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
            let ids = found["items"].as_array().into_iter().flatten().map(|item| &item["id"]);
            let mut found: Vec<String> = ids.map(|id| world.name_of(*resource, id)).collect();
            let Expect::Records(expected) = &test.expect else { return Ok(Vec::new()) };
            let mut expected = expected.clone();
            found.sort();
            expected.sort();
            let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let wrong = format!("expected {}; found {}", list(&expected), list(&found));
            Ok(if found == expected { Vec::new() } else { vec![wrong] })
        }
        Ask::One { right, resource, record, with } => {
            let name = &schema.get(*resource).name;
            let (id, body) = (world.id_of(*resource, record), world.resolve(*resource, with));
            let asked = Asked { right: *right, resource: name, id: &id, body: &body };
            let explanation = explain::explain(world.engine(), caller, asked).await?;
            let mut wrong = Vec::new();
            if !is_as_expected(&explanation.outcome, &test.expect) {
                wrong.push(format!("expected {}; it was {}", word(&test.expect), explanation.verdict()));
                wrong.extend(explanation.lines(explanation.outcome.is_err()));
            } else if *right == Right::Read && explanation.outcome.is_ok() {
                wrong.extend(fields(world, caller, Target { resource: name, id: &id }, test).await?);
            }
            Ok(wrong)
        }
    }
}

async fn fields(world: &World, caller: &Caller, target: Target<'_>, test: &RuleTest) -> Result<Vec<String>, Problem> {
    if test.shows.is_empty() && test.hides.is_empty() {
        return Ok(Vec::new());
    }
    let answer = world.engine().get(caller.clone(), target, rules::query::Query::default()).await?;
    let record: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let missing = test.shows.iter().filter(|name| record.get(name.as_str()).is_none());
    let missing = missing.map(|name| format!("expected the field {name} to be shown; it was not"));
    let shown = test.hides.iter().filter(|name| record.get(name.as_str()).is_some());
    Ok(missing.chain(shown.map(|name| format!("expected the field {name} to be hidden; it was shown"))).collect())
}

fn is_as_expected(outcome: &Result<(), Problem>, expect: &Expect) -> bool {
    match (outcome, expect) {
        (Ok(()), Expect::Allowed) => true,
        (Err(problem), Expect::Denied) => matches!(problem.code, Code::Forbidden | Code::Unauthenticated),
        (Err(problem), Expect::Hidden) => problem.code == Code::NotFound,
        (Err(problem), Expect::Invalid) => problem.code == Code::Validation,
        _ => false,
    }
}

fn word(expect: &Expect) -> &'static str {
    match expect {
        Expect::Allowed => "allowed",
        Expect::Denied => "denied",
        Expect::Hidden => "hidden",
        Expect::Invalid => "invalid",
        Expect::Records(_) => "records",
    }
}
