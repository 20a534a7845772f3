//! A log in memory, people, and the posts that they listen to.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engine::{Clock, Engine};
use model::{
    Action, Caller, Decimal, Entry, Problem, Record, Resource, ResourceIndex, Schema, Value, caller::Identity,
};
use parking_lot::Mutex;
use rules::{
    Allowed, Catalog,
    plan::{Read, Write, Written},
    query::Query,
    testing::{POSTS, TAGS},
};
use store::{Found, Judged, Judgement, Listed, LogRange, Store};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Change, Event, Live, Subscription};

/// Who may read posts, unless a test says otherwise.
pub(crate) const POSTS_READ: &str = "record.status == 'published' || record.author == auth.id";

/// A program in which somebody listens.
pub(crate) struct World {
    pub(crate) fake: Arc<Fake>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) live: Live,
    pub(crate) clock: Arc<StillClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_limit(100)
    }

    pub(crate) fn with_limit(most: usize) -> Self {
        let fake = Arc::new(Fake::new());
        let clock = Arc::new(StillClock(AtomicI64::new(1_000_000)));
        let store: Arc<dyn Store> = Arc::clone(&fake) as _;
        let engine = Arc::new(Engine::new(catalog(POSTS_READ), store, Arc::clone(&clock) as _));
        let live = Live::with_limit(Arc::clone(&engine), most);
        Self { fake, engine, live, clock }
    }

    pub(crate) async fn listen(&self, who: &Arc<Identity>, resource: &str, filter: &str) -> Subscription {
        self.listen_since(who, resource, filter, None).await
    }

    pub(crate) async fn listen_since(
        &self,
        who: &Arc<Identity>,
        resource: &str,
        filter: &str,
        since: Option<i64>,
    ) -> Subscription {
        let heard = self.live.subscribe(caller(who), resource, filtered(filter), since).await;
        heard.unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    pub(crate) fn created(&self, record: &Record) -> i64 {
        self.fake.happened(POSTS, Action::Created, record.id().clone(), None, Some(record.clone()))
    }

    pub(crate) fn updated(&self, before: &Record, after: &Record) -> i64 {
        self.fake.happened(POSTS, Action::Updated, after.id().clone(), Some(before.clone()), Some(after.clone()))
    }

    pub(crate) fn deleted(&self, record: &Record) -> i64 {
        self.fake.happened(POSTS, Action::Deleted, record.id().clone(), Some(record.clone()), None)
    }

    /// A change of which the log keeps the id alone.
    pub(crate) fn tag(&self, action: Action, id: &str) -> i64 {
        self.fake.happened(TAGS, action, Value::text(id), None, None)
    }
}

pub(crate) fn filtered(filter: &str) -> Query {
    let mut query = Query::default();
    query.form.filter = (!filter.is_empty()).then(|| filter.to_owned());
    query
}

/// The schema of the property tests, with rules.
pub(crate) fn catalog(posts_read: &str) -> Arc<Catalog> {
    let schema = rules::testing::schema();
    let mut resources: Vec<Resource> = schema.resources().to_vec();
    for resource in &mut resources {
        resource.access.read = Some(match resource.name.as_str() {
            "posts" => posts_read.to_owned(),
            "rooms" => "record.owner.boss == auth.id".to_owned(),
            _ => "true".to_owned(),
        });
        for field in &mut resource.fields {
            match field.name.as_str() {
                "price" => field.read = Some("'staff' in auth.roles".to_owned()),
                "rate" => field.read = Some("record.author == auth.id".to_owned()),
                "weight" => field.hidden = true,
                _ => {}
            }
        }
    }
    match Catalog::compile(Schema::new(resources)) {
        Ok((catalog, _)) => Arc::new(catalog),
        Err(mistakes) => panic!("{mistakes:?}"),
    }
}

pub(crate) fn stranger() -> Arc<Identity> {
    Arc::new(Identity::anonymous())
}

pub(crate) fn person(number: u128, roles: &[&str]) -> Arc<Identity> {
    Arc::new(Identity {
        id: Value::Uuid(Uuid::from_u128(number)),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        actor: Some(format!("person {number}")),
        ..Identity::anonymous()
    })
}

pub(crate) fn admin() -> Arc<Identity> {
    person(0xad, &["admin"])
}

pub(crate) fn caller(who: &Arc<Identity>) -> Caller {
    Caller {
        identity: Arc::clone(who),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        method: "GET",
        now: 0,
        request_id: "test".into(),
    }
}

/// A post by the person `author`.
pub(crate) fn post(number: u128, author: u128, status: &str) -> Record {
    let schema = rules::testing::schema();
    let posts = schema.get(POSTS);
    let mut record = Record::empty(posts.fields.len());
    let values = [
        ("id", Value::Uuid(Uuid::from_u128(number))),
        ("title", Value::text(format!("post {number}"))),
        ("status", Value::text(status)),
        ("author", Value::Uuid(Uuid::from_u128(author))),
        ("price", Value::Decimal(Decimal::new(995, 2))),
        ("rate", Value::Decimal(Decimal::new(1500, 3))),
        ("weight", Value::Float(7.5)),
        ("views", Value::Integer(0)),
    ];
    for (name, value) in values {
        set(&mut record, name, value);
    }
    record
}

/// Sets a field of a post.
pub(crate) fn set(record: &mut Record, name: &str, value: Value) {
    let field = rules::testing::schema().get(POSTS).field(name).unwrap_or_else(|| panic!("no field {name}"));
    record.set(field, value);
}

/// The next change; a test fails where something else comes, or nothing.
pub(crate) async fn change(subscription: &mut Subscription) -> Change {
    match tokio::time::timeout(Duration::from_secs(60), subscription.next()).await {
        Ok(Some(Event::Change(change))) => change,
        other => panic!("no change: {other:?}"),
    }
}

/// A change as one line: `12 updated {"id":…}`.
pub(crate) async fn line(subscription: &mut Subscription) -> String {
    let change = change(subscription).await;
    format!("{} {} {}", change.sequence, change.kind.name(), String::from_utf8_lossy(&change.data))
}

/// Nothing comes, however long one waits.
pub(crate) async fn silent(subscription: &mut Subscription) {
    let heard = tokio::time::timeout(Duration::from_secs(60), subscription.next()).await;
    assert!(heard.is_err(), "heard {heard:?}");
}

/// A clock that stands until it is set.
pub(crate) struct StillClock(pub(crate) AtomicI64);

impl Clock for StillClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn uuid(&self, _now: i64) -> Uuid {
        Uuid::nil()
    }
}

type Judge = Box<dyn FnMut(&Judgement) -> Result<bool, Problem> + Send>;
type Current = Box<dyn FnMut(&Read, &Value) -> Option<Vec<u8>> + Send>;

/// A log without records.
pub(crate) struct Fake {
    log: Mutex<Vec<Entry>>,
    latest: watch::Sender<i64>,
    /// How often the log was read.
    pub(crate) readings: AtomicI64,
    /// How often it can't be read from now on.
    pub(crate) outages: AtomicI64,
    /// Answers for conditions that lead through relations.
    pub(crate) judge: Mutex<Judge>,
    /// Records as they are now.
    pub(crate) current: Mutex<Current>,
}

impl Fake {
    fn new() -> Self {
        Self {
            log: Mutex::default(),
            latest: watch::channel(0).0,
            readings: AtomicI64::new(0),
            outages: AtomicI64::new(0),
            judge: Mutex::new(Box::new(|_| Ok(true))),
            current: Mutex::new(Box::new(|_, _| None)),
        }
    }

    pub(crate) fn happened(
        &self,
        resource: ResourceIndex,
        action: Action,
        id: Value,
        before: Option<Record>,
        after: Option<Record>,
    ) -> i64 {
        let mut log = self.log.lock();
        let sequence = *self.latest.borrow() + 1;
        log.push(Entry {
            sequence,
            time: 0,
            resource,
            action,
            id,
            revision: sequence,
            actor: None,
            request_id: String::new(),
            changed: Vec::new(),
            before,
            after,
        });
        drop(log);
        self.latest.send_replace(sequence);
        sequence
    }

    /// A write was rolled back: its number is used up, and not in the log.
    pub(crate) fn rolled_back(&self) {
        self.latest.send_modify(|latest| *latest += 1);
    }

    pub(crate) fn trim(&self, below: i64) {
        self.log.lock().retain(|entry| entry.sequence >= below);
    }

    fn unasked<T>() -> Result<T, Problem> {
        Err(Problem::internal("nobody asks this"))
    }
}

#[async_trait]
impl Store for Fake {
    async fn get(&self, read: &Allowed<Read>, id: &Value) -> Result<Option<Found>, Problem> {
        let body = (self.current.lock())(read.get(), id);
        Ok(body.map(|body| Found { body, revision: 0, mask: 0 }))
    }

    async fn list(&self, _: &Allowed<Read>) -> Result<Listed, Problem> {
        Self::unasked()
    }

    async fn begin_loading(&self) -> Result<Box<dyn store::Loading + '_>, Problem> {
        Self::unasked()
    }

    async fn stream(&self, _: Allowed<Read>, _: rules::export::Form) -> Result<store::rows::Rows, Problem> {
        Self::unasked()
    }

    async fn aggregate(&self, _: &Allowed<rules::aggregate::Aggregate>) -> Result<Vec<u8>, Problem> {
        Self::unasked()
    }

    async fn write_beside(&self, _: Allowed<Write>, _: store::Beside) -> Result<Vec<Written>, Problem> {
        Self::unasked()
    }

    async fn own(&self, _: Vec<store::Statement>) -> Result<Vec<store::Outcome>, Problem> {
        Self::unasked()
    }

    async fn own_read(&self, _: store::Statement) -> Result<Vec<store::Row>, Problem> {
        Self::unasked()
    }

    async fn entries(&self, catalog: &Arc<Catalog>, after: i64, limit: u32) -> Result<Vec<Entry>, Problem> {
        self.readings.fetch_add(1, Ordering::Relaxed);
        if self.outages.fetch_sub(1, Ordering::Relaxed) > 0 {
            return Err(Problem::unavailable("the database is away", "as the test wants", 1));
        }
        self.outages.store(0, Ordering::Relaxed);
        let log = self.log.lock();
        let page = log.iter().filter(|entry| entry.sequence > after).take(limit as usize);
        let known = |entry: &&Entry| (entry.resource.0 as usize) < catalog.schema.resources().len();
        Ok(page.filter(known).cloned().collect())
    }

    async fn log_range(&self) -> Result<LogRange, Problem> {
        let log = self.log.lock();
        let last = log.last().map_or(0, |entry| entry.sequence);
        Ok(LogRange { first: log.first().map_or(last + 1, |entry| entry.sequence), last })
    }

    fn watch(&self) -> watch::Receiver<i64> {
        self.latest.subscribe()
    }

    async fn trim_log(&self, _: i64, _: u32) -> Result<u64, Problem> {
        Self::unasked()
    }

    async fn judge(&self, judgement: &Allowed<Judgement>) -> Result<Judged, Problem> {
        let judgement = judgement.get();
        let visible = (self.judge.lock())(judgement)?;
        Ok(Judged { visible, fields: vec![visible; judgement.view.fields.len()] })
    }

    async fn ready(&self, _: &Catalog) -> Result<(), Problem> {
        Self::unasked()
    }

    async fn close(&self) {}
}
