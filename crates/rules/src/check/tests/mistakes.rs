//! What the checker refuses, and what it warns of.

use proptest::prelude::*;

use super::super::{Scope, check_default, check_rule};
use crate::{
    expression::Mistake,
    testing::{POSTS, schema},
};

fn mistakes(scope: Scope, text: &str) -> Vec<Mistake> {
    check_rule(&schema(), POSTS, scope, text).map(|checked| checked.checked).expect_err(text)
}

/// The place underlined, the message and the help of the only mistake.
fn refused(scope: Scope, text: &str) -> (String, String, String) {
    let found = mistakes(scope, text);
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    let Mistake { span, message, help } = found.into_iter().next().unwrap();
    (text[span].to_owned(), message, help.unwrap_or_default())
}

#[track_caller]
fn check(text: &str, place: &str, message: &str, help: &str) {
    let found = refused(Scope::Read, text);
    assert_eq!((found.0.as_str(), found.1.as_str()), (place, message), "{text}");
    assert!(found.2.contains(help), "{text}: {:?}", found.2);
}

#[test]
fn unknown_names_are_shown_with_the_nearest() {
    check("record.titel == 'x'", "titel", "`posts` has no field or relation `titel`", "did you mean `title`?");
    check("record.author.nam == 'x'", "nam", "`people` has no field or relation `nam`", "`name`");
    check(
        "record.author.post_by_author.exists(p, true)",
        "post_by_author",
        "`people` has no field or relation `post_by_author`",
        "`posts_by_author`",
    );
    check("recrod.title == 'x'", "recrod", "unknown name `recrod`", "did you mean `record`?");
    check("title == 'x'", "title", "unknown name `title`", "did you mean `record.title`?");
    check("auth.role == 'x'", "role", "`auth` has no `role`", "`roles`");
    check("request.host == 'x'", "host", "`request` has no `host`", "`request.ip`");
    check("record.status == 'drafd'", "'drafd'", "\"drafd\" is none of the values", "did you mean `draft`?");
    check("record.status in ['draft', 'x']", "'x'", "\"x\" is none of the values", "draft, published, gone");
    check("record.title.startWith('x')", "startWith", "there is no function `startWith`", "`startsWith`");
    check("record.meta.cuont == 1", "cuont", "unknown key `cuont`", "`count`");
    check("sise(record.title) > 1", "sise", "there is no function `sise`", "`size`");
    check("record.tags.map(t, t.word)", "map", "there is no function `map`", "");
    check(
        "startsWith(record.title, 'x')",
        "startsWith",
        "`startsWith` stands on the other side of its value",
        "write `x.startsWith(…)`",
    );
}

#[test]
fn each_scope_has_its_own_names() {
    let (place, message, help) = refused(Scope::Create, "record.author == auth.id");
    assert_eq!((place.as_str(), message.as_str()), ("record", "there is no `record` yet when one is created"));
    assert!(help.contains("`new`"), "{help}");
    for (scope, text) in [
        (Scope::Read, "new.title == ''"),
        (Scope::Delete, "new.title == ''"),
        (Scope::FieldRead, "new.title == ''"),
        (Scope::Validate, "request.ip == ''"),
        (Scope::Default, "record.title == ''"),
        (Scope::Filter, "record.title == ''"),
        (Scope::Filter, "auth.id == null"),
    ] {
        assert_eq!(mistakes(scope, text).len(), 1, "{text}");
    }
    assert!(
        check_rule(&schema(), POSTS, Scope::Filter, "title == 'x' && author.name == 'y' && created_at < now").is_ok()
    );
}

#[test]
fn types_that_do_not_fit_are_refused() {
    check("record.title == 1", "1", "1 is not a string", "between quotes");
    check("record.views == '1'", "'1'", "\"1\" is not an integer", "leave the quotes out");
    check("record.views == 1.5", "1.5", "1.5 is not an integer", "");
    check(
        "record.views == record.weight",
        "record.views == record.weight",
        "an integer can't be compared with a float",
        "",
    );
    check(
        "record.price < record.weight",
        "record.price < record.weight",
        "a decimal can't be compared with a float",
        "",
    );
    check(
        "record.price == '9.555'",
        "'9.555'",
        "\"9.555\" is not a decimal of 10 digits, 2 of them after the point",
        "",
    );
    check("record.price < 1e12", "1e12", "1e12 is not a decimal of 10 digits, 2 of them after the point", "");
    check("record.price == 'abc'", "'abc'", "\"abc\" is not a decimal", "");
    check("record.at > '2024-02-29'", "'2024-02-29'", "\"2024-02-29\" is not a datetime", "RFC 3339");
    check("record.day == '2023-02-29'", "'2023-02-29'", "\"2023-02-29\" is not a date", "");
    check("record.author == 'ann'", "'ann'", "\"ann\" is not a uuid", "");
    check("record.author.room == 'x'", "'x'", "\"x\" is not an integer", "");
    check("record.pinned == 'true'", "'true'", "\"true\" is not a boolean", "quotes");
    check("record.pinned < true", "record.pinned < true", "booleans have no order", "");
    check("record.body < 'x'", "record.body < 'x'", "a `text` field has no order", "string");
    check("record.labels == ['a']", "record.labels == ['a']", "lists can't be compared", "`in`");
    check("record.meta == 'x'", "'x'", "\"x\" is not JSON", "");
    check("record.meta.inner == 'x'", "record.meta.inner", "the type of `inner` isn't declared", "schema");
    check("record.title", "record.title", "a condition expected, found a string", "");
    check("null", "null", "a condition expected, found `null`", "");
    check("record.title && true", "record.title", "a condition expected, found a string", "");
    check("!record.views", "record.views", "a condition expected, found an integer", "");
    check("record == auth.id", "record", "a record is no value", "`id`");
    check("auth == null", "auth", "`auth` is no value", "auth.id");
    check("1 == null", "1", "a literal is never null", "");
    check("record.stars < null", "record.stars < null", "`null` has no order", "");
    check("null in record.labels", "null", "`null` is in no list", "");
    check("record.views in [1, null]", "null", "a list can't hold `null`", "");
    check("'a' in record.title", "record.title", "a list expected, found a string", "`contains`");
    check(
        "record.id in record.author.posts_by_author",
        "record.author.posts_by_author",
        "a list expected, found a relation",
        "`exists`",
    );
    check(
        "record.labels.contains('a')",
        "record.labels.contains('a')",
        "`contains` looks into a string, not into a list",
        "x in list",
    );
    check("record.title.name == 'x'", "name", "`title` is a string, which has no `name`", "");
    check("record.tags.word == 'x'", "word", "`tags` is a list, which has no `word`", "exists");
    check(
        "record.author.posts_by_author.title == 'x'",
        "title",
        "`posts` are many records, which have no `title` together",
        "exists",
    );
    check(
        "size(record.author.posts_by_author) > 1",
        "record.author.posts_by_author",
        "a relation can't be counted",
        "`exists`",
    );
    check("size(record.views) > 1", "record.views", "a string or list expected, found an integer", "");
    check("has(1 + 1)", "1 + 1", "`has` asks for a field", "");
    check("record.title.exists(x, true)", "record.title", "a list or relation expected, found a string", "");
    check("record.labels.exists('x', true)", "'x'", "the name of a variable expected", "");
    check(
        "record.labels.exists(true)",
        "record.labels.exists(true)",
        "`exists` takes 2 arguments, found 1",
        "write `exists(x, x …)`",
    );
    check(
        "timestamp(record.title) < now",
        "record.title",
        "`timestamp` takes a literal string or a value of `auth`",
        "",
    );
    check("timestamp('tomorrow') < now", "'tomorrow'", "\"tomorrow\" is not a time", "2030-01-31");
    check(
        "record.at - now < duration('1 day')",
        "'1 day'",
        "\"1 day\" is not a duration in whole microseconds",
        "1h30m",
    );
}

#[test]
fn arithmetic_that_could_not_be_exact_is_refused() {
    check("record.price / 2 > 1", "record.price / 2", "`/` can't be used between a decimal and an integer", "quotient");
    check(
        "record.views + record.weight > 1.0",
        "record.views + record.weight",
        "`+` can't be used between an integer and a float",
        "",
    );
    check("record.title - 'a' == ''", "record.title - 'a'", "`-` can't be used between a string and a string", "");
    check("record.weight % 2.0 == 0.0", "record.weight % 2.0", "`%` can't be used between a float and a float", "");
    check("record.stars + null == 1", "null", "one can't calculate with `null`", "");
    check("-record.title == ''", "record.title", "a number expected, found a string", "");
    check(
        "auth.claims.a + auth.claims.b == 1",
        "auth.claims.a + auth.claims.b",
        "the type of this is known at run time only",
        "",
    );
    check(
        "record.price * record.price * record.price * record.price > 1",
        "record.price * record.price * record.price * record.price",
        "the result would have more than 38 digits",
        "",
    );
}

#[test]
fn patterns_keep_to_what_all_engines_share() {
    for (pattern, reason) in [
        (r"(?=a)", "of the groups with `(?`, only `(?:…)` is supported"),
        (r"(a)\\1", "`\\1` isn't supported by all databases"),
        (r"\\p{L}", "`\\p` isn't supported by all databases"),
        (r"\\bword", "`\\b` isn't supported by all databases"),
        ("a{1000}", "`{1000}` is no count from 0 to 255; write `\\{` for the character"),
        ("(a{200}){200}", "counts within counts ask for more than 1000 repetitions"),
        ("a**", "`*` can't follow another count"),
        ("a+?", "`?` can't follow another count"),
        ("*a", "`*` has nothing to repeat; write `\\*` for the character"),
        ("^*", "`*` can't follow an anchor"),
        ("[a", "a class is never closed: `]` expected"),
        ("[z-a]", "the range `z-a` runs backwards"),
        ("[[:alpha:]]", "write `\\[` for the character; classes within classes aren't supported"),
        ("(a", "a group is never closed: `)` expected"),
        ("a)", "`)` closes no group; write `\\)` for the character"),
        ("()", "a group can't be empty"),
    ] {
        let (_, message, _) = refused(Scope::Read, &format!("record.title.matches('{pattern}')"));
        assert_eq!(message, reason, "{pattern}");
    }
    check("record.title.matches(record.body)", "record.body", "the pattern must be a literal string", "");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let found = mistakes(
        Scope::Read,
        "record.titel == 1 && record.views == 'x' || foo.bar || record.tags.exists(t, t.wrod == 'x')",
    );
    let messages: Vec<_> = found.iter().map(|mistake| mistake.message.as_str()).collect();
    assert_eq!(messages.len(), 4, "{messages:?}");
}

#[test]
fn ternaries_cannot_grow_without_bound() {
    let mut text = "record.pinned".to_owned();
    for _ in 0..20 {
        text = format!("({text} ? record.views > 1 : record.stars > 2)");
    }
    let found = mistakes(Scope::Read, &text);
    assert!(found[0].message.contains("too complex"), "{found:?}");
    let mut text = "record.pinned".to_owned();
    for _ in 0..12 {
        text = format!("(({text} ? record.views : record.stars) == 1)");
    }
    assert!(mistakes(Scope::Read, &text)[0].message.contains("too complex"));
}

#[test]
fn filters_are_bounded() {
    let nested = "author.posts_by_author.exists(a, a.author.posts_by_author.exists(b, b.tags.exists(c, c.posts.exists(d, true))))";
    let (_, message, _) = refused(Scope::Filter, nested);
    assert_eq!(message, "`exists` and `all` nest deeper than 3 in this filter");
    let (_, message, _) = refused(Scope::Filter, "(body + body) == 'x'");
    assert_eq!(message, "long texts can't be put together in a filter");
}

#[test]
fn numbers_of_any_size_are_read() {
    for text in [
        "record.price < 1e-99999999999999999999",
        "record.price < 1e9223372036854775807",
        "record.price < 1.0e-9223372036854775808",
        "record.weight < 1e400",
    ] {
        assert_eq!(mistakes(Scope::Read, text).len(), 1, "{text}");
    }
}

#[test]
fn a_null_that_nobody_asks_for_is_warned_of() {
    let warnings = |scope, text: &str| check_rule(&schema(), POSTS, scope, text).unwrap().warnings;
    let found = warnings(Scope::Read, "record.editor != auth.id");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "where `record.editor` is null, this is undefined and counts as false");
    assert_eq!(warnings(Scope::Read, "!(record.editor.name == 'x')").len(), 1);
    assert_eq!(warnings(Scope::Validate, "new.views != record.views").len(), 1);
    for quiet in [
        "record.editor == null || record.editor != auth.id",
        "has(record.editor) && record.editor != auth.id",
        "record.author != auth.id",
        "record.editor == auth.id",
        "record.author.name != 'x'",
    ] {
        assert_eq!(warnings(Scope::Read, quiet), [], "{quiet}");
    }
    assert_eq!(warnings(Scope::Validate, "record == null || new.views != record.views"), []);
    assert_eq!(warnings(Scope::Validate, "record == null || new.stars != record.views").len(), 1);
    assert_eq!(warnings(Scope::Read, "record.editor == null || record.editor.age != 1").len(), 1);
    assert_eq!(warnings(Scope::Read, "record.editor.age == null || record.editor.age != 1"), []);
}

#[test]
fn defaults_are_of_their_fields_type() {
    let schema = schema();
    let resource = schema.get(POSTS);
    let check = |field: &str, text: &str| {
        let field = resource.get(resource.field(field).unwrap());
        check_default(&schema, POSTS, field, text).map(|checked| checked.checked)
    };
    for (field, text) in [
        ("title", "'by ' + auth.email"),
        ("status", "'editor' in auth.roles ? 'published' : 'draft'"),
        ("price", "'9.5'"),
        ("price", "auth.claims.price"),
        ("at", "now + duration('24h')"),
        ("pinned", "auth.id != null && 'staff' in auth.roles"),
        ("labels", "['a', 'b']"),
        ("editor", "auth.id"),
        ("stars", "null"),
    ] {
        let resource_field = resource.get(resource.field(field).unwrap());
        let checked = check(field, text).unwrap_or_else(|mistakes| panic!("{field} = {text}: {mistakes:?}"));
        assert_eq!(
            std::mem::discriminant(&checked.r#type),
            std::mem::discriminant(&crate::Type::of_field(resource_field)),
            "{field} = {text}"
        );
    }
    for (field, text) in [
        ("title", "1"),
        ("views", "'x'"),
        ("status", "'x'"),
        ("price", "9.555"),
        ("day", "now"),
        ("meta", "'x'"),
        ("title", "record.title"),
        ("at", "auth.email"),
    ] {
        assert!(check(field, text).is_err(), "{field} = {text}");
    }
}

proptest! {
    #[test]
    fn no_heap_of_words_makes_the_checker_fall_over(
        scope in prop::sample::select(vec![Scope::Read, Scope::Update, Scope::Validate, Scope::Default, Scope::Filter]),
        words in prop::collection::vec(prop::sample::select(vec![
            "record", "new", "auth", "now", "x", ".title", ".author", ".tags", ".price", ".meta", ".count", ".labels", ".id", ".claims",
            ".exists(x, ", ".all(x, ", "size(", "has(", ".matches('a')", "(", ")", "[", "]", ",", "1", "9.5", "'a'", "null", "true",
            "==", "!=", "<", "in", "&&", "||", "?", ":", "!", "-", "+", "*", "/", "%", "title", "tags", "duration('1h')",
        ]), 0..30),
    ) {
        let text = words.join(" ").replace(" .", ".");
        if let Err(mistakes) = check_rule(&schema(), POSTS, scope, &text) {
            prop_assert!(!mistakes.is_empty());
            for mistake in mistakes {
                prop_assert!(text.get(mistake.span.clone()).is_some(), "{text}: {mistake:?}");
            }
        }
    }
}
