//! The request and the text of the answer.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::BodyExt as _;
use model::{Problem, caller::Identity};
use web::{Body, Request};

use super::world::{World, person, post, stranger};

struct Asked<'a> {
    who: Arc<Identity>,
    method: Method,
    query: Option<&'a str>,
    headers: &'a [(&'static str, &'static str)],
}

impl Default for Asked<'_> {
    fn default() -> Self {
        Self { who: stranger(), method: Method::GET, query: None, headers: &[] }
    }
}

async fn ask(world: &World, resource: &str, asked: Asked<'_>) -> Result<Response<Body>, Problem> {
    let headers: HeaderMap = asked
        .headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let path = format!("/api/{resource}/events");
    let mut request = Request::new(asked.method, &path, asked.query, &headers);
    request.id = "r1".into();
    request.identity = asked.who;
    world.live.answer(&mut request, resource).await
}

async fn refused(world: &World, resource: &str, asked: Asked<'_>) -> Problem {
    ask(world, resource, asked).await.err().expect("a problem")
}

async fn piece(reply: &mut Response<Body>) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(60), reply.body_mut().frame()).await.expect("a piece")?;
    let data = frame.expect("no error").into_data().expect("data");
    Some(String::from_utf8_lossy(&data).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_stream_opens_at_once_tells_and_gives_signs_of_life() {
    let world = World::new();
    let mut reply = ask(&world, "tags", Asked::default()).await.unwrap();
    assert_eq!(reply.headers()["content-type"], "text/event-stream");
    assert_eq!(reply.headers()["cache-control"], "no-store");
    assert_eq!(reply.headers()["x-accel-buffering"], "no");
    assert_eq!(piece(&mut reply).await.unwrap(), ": open\nretry: 2000\nid: 0\n\n");
    let begun = tokio::time::Instant::now();
    assert_eq!(piece(&mut reply).await.unwrap(), ": ping\n\n");
    assert_eq!(begun.elapsed().as_secs(), 15);
    world.created(&post(1, 7, "published"));
    assert_eq!(piece(&mut reply).await.unwrap(), ": ping\n\n", "other resources wake nobody");
    assert_eq!(piece(&mut reply).await.unwrap(), ": ping\nid: 1\n\n", "but the position follows");
    *world.fake.current.lock() = Box::new(|_, _| Some(br#"{"id":"red"}"#.to_vec()));
    world.tag(model::Action::Created, "red");
    assert_eq!(piece(&mut reply).await.unwrap(), "id: 2\nevent: created\ndata: {\"id\":\"red\"}\n\n");
    *world.fake.current.lock() = Box::new(|_, _| None);
    world.tag(model::Action::Updated, "red");
    assert_eq!(piece(&mut reply).await.unwrap(), ": ping\nid: 3\n\n", "the position moves with what is not told");
    world.live.stop();
    assert_eq!(piece(&mut reply).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_position_comes_in_the_header_or_as_a_parameter() {
    let world = World::new();
    for number in 1..=3 {
        world.created(&post(number, 7, "published"));
    }
    let both =
        Asked { query: Some("last_event_id=0&fields=id"), headers: &[("last-event-id", "2")], ..Asked::default() };
    let mut reply = ask(&world, "posts", both).await.unwrap();
    assert_eq!(piece(&mut reply).await.unwrap(), ": open\nretry: 2000\nid: 2\n\n");
    let third = "id: 3\nevent: created\ndata: {\"id\":\"00000000-0000-0000-0000-000000000003\"}\n\n";
    assert_eq!(piece(&mut reply).await.unwrap(), third);

    let mut reply = ask(&world, "posts", Asked { query: Some("last_event_id=9"), ..Asked::default() }).await.unwrap();
    assert_eq!(piece(&mut reply).await.unwrap(), ": open\nretry: 2000\nid: 3\n\n");
    assert_eq!(piece(&mut reply).await.unwrap(), "id: 3\nevent: reset\ndata: {}\n\n");
    assert_eq!(piece(&mut reply).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_request_is_said_before_the_stream_begins() {
    let world = World::new();
    let status = |problem: Problem| problem.code.status();
    assert_eq!(status(refused(&world, "postings", Asked::default()).await), 404);
    let written = refused(&world, "posts", Asked { method: Method::POST, ..Asked::default() }).await;
    assert_eq!((written.code.status(), written.extra.allow), (405, Some("GET, OPTIONS")));
    assert_eq!(status(refused(&world, "posts", Asked { method: Method::HEAD, ..Asked::default() }).await), 405);
    let json = Asked { headers: &[("accept", "application/json")], ..Asked::default() };
    assert_eq!(status(refused(&world, "posts", json).await), 406);
    for text in ["", "-1", "+1", "1.0", "x", "99999999999999999999"] {
        let headers = [("last-event-id", text)];
        let asked = Asked { headers: &headers, ..Asked::default() };
        assert_eq!(status(refused(&world, "posts", asked).await), 400, "Last-Event-ID: {text}");
    }
    for query in
        ["last_event_id=x", "filter=title%20%3D%3D", "views[gte]=many", "views[near]=3", "sort=title", "limit=3"]
    {
        assert_eq!(
            status(refused(&world, "posts", Asked { query: Some(query), ..Asked::default() }).await),
            400,
            "{query}"
        );
    }
    assert_eq!(world.live.subscriptions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_field_that_one_may_not_see_is_an_unknown_one_in_a_filter() {
    let world = World::new();
    for name in ["weight", "price"] {
        for query in [format!("filter={name}%20%3D%3D%201.0"), format!("{name}=1"), format!("fields={name}")] {
            let known = refused(&world, "posts", Asked { query: Some(&query), ..Asked::default() }).await;
            let unknown = query.replace(name, "nosuch");
            let unknown = refused(&world, "posts", Asked { query: Some(&unknown), ..Asked::default() }).await;
            assert_eq!(known.code, unknown.code);
            assert_eq!(known.detail.replace(name, "nosuch"), unknown.detail);
        }
    }
    let staff = Asked { who: person(8, &["staff"]), query: Some("price=1"), ..Asked::default() };
    assert!(ask(&world, "posts", staff).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_leaves_nothing_behind() {
    let world = World::new();
    let mut reply = ask(&world, "posts", Asked::default()).await.unwrap();
    piece(&mut reply).await;
    assert_eq!(world.live.subscriptions(), 1);

    drop(reply);

    assert_eq!(world.live.subscriptions(), 0);
}
