//! Rates, from a caller's side.

use super::*;

fn rate(paths: &str, count: u32, per: Per) -> Rate {
    Rate { paths: paths.to_owned(), count, period: Duration::from_secs(60), burst: count, per }
}

fn person(actor: &str) -> Identity {
    Identity { actor: Some(actor.to_owned()), ..Identity::anonymous() }
}

fn ask(rates: &Rates, address: &str, identity: &Identity, path: &str) -> bool {
    let who = Who { address: address.parse().unwrap(), identity };
    let mut account = Account::default();
    rates.arrive(&mut account, who, "GET", path).and_then(|()| rates.identified(&mut account, who, "GET", path)).is_ok()
}

fn passes(rates: &Rates, address: &str, identity: &Identity) -> usize {
    (0..100).take_while(|_| ask(rates, address, identity, "/api/a")).count()
}

#[test]
fn addresses_of_one_network_share_a_rate() {
    let rates = Rates::new(vec![rate("/api/*", 5, Per::Address)]);
    let stranger = Identity::anonymous();
    assert_eq!(passes(&rates, "2001:db8::1", &stranger), 5);
    assert_eq!(passes(&rates, "2001:db8::ffff:2", &person("key:a")), 0, "the same /64");
    assert_eq!(passes(&rates, "2001:db8:0:1::1", &stranger), 5, "another /64");
    assert_eq!(passes(&rates, "10.0.0.1", &stranger), 5);
    assert_eq!(passes(&rates, "::ffff:10.0.0.1", &stranger), 0);
    assert_eq!(passes(&rates, "10.0.0.2", &stranger), 5);
}

#[test]
fn a_key_has_its_rate_wherever_it_comes_from() {
    let rates = Rates::new(vec![rate("/api/*", 5, Per::Caller)]);
    assert_eq!(passes(&rates, "10.0.0.1", &person("key:a")), 5);
    assert_eq!(passes(&rates, "10.0.0.2", &person("key:a")), 0);
    assert_eq!(passes(&rates, "10.0.0.1", &person("key:b")), 5);
    assert_eq!(passes(&rates, "10.0.0.1", &Identity::anonymous()), 5, "a stranger is an address");
    let rates = Rates::new(vec![rate("/api/*", 5, Per::All)]);
    assert_eq!((passes(&rates, "10.0.0.1", &person("key:a")), passes(&rates, "10.0.0.2", &person("key:b"))), (5, 0));
}

#[test]
fn many_operations_cost_what_they_are() {
    let rates = Rates::new(vec![
        rate("/api/*", 20, Per::Address),
        rate("POST /api/orders", 3, Per::Address),
        rate("/api/batch", 50, Per::Address),
    ]);
    let stranger = Identity::anonymous();
    let who = Who { address: "10.0.0.1".parse().unwrap(), identity: &stranger };
    let batch = |orders: usize, notes: usize| {
        let mut account = Account::default();
        let operations = std::iter::repeat_n(("POST", "/api/orders"), orders)
            .chain(std::iter::repeat_n(("POST", "/API/notes/"), notes));
        let outcome = rates
            .arrive(&mut account, who, "POST", "/api/batch")
            .and_then(|()| rates.more(&mut account, who, operations));
        let mut headers = HeaderMap::new();
        rates.tell(&account, &mut headers);
        (outcome.is_ok(), headers["ratelimit"].to_str().unwrap().to_owned())
    };
    let (passed, told) = batch(2, 8);
    assert!(passed && told.contains("\"/api/*\";r=10;") && told.contains("\"/api/batch\";r=40;"), "{told}");
    assert!(told.contains("\"POST /api/orders\";r=1;"), "{told}");
    let (passed, told) = batch(2, 0);
    assert!(!passed && told.contains("\"POST /api/orders\";r=0;"), "{told}");
    let (passed, told) = batch(1, 8);
    assert!(passed && told.contains("\"/api/*\";r=0;"), "what was refused had cost its arrival only: {told}");
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let rates = Rates::new(vec![rate("/api/*", 2, Per::Address), rate("/api/*", 60, Per::Caller)]);
    let stranger = Identity::anonymous();
    let who = Who { address: "10.0.0.1".parse().unwrap(), identity: &stranger };
    let mut account = Account::default();
    for _ in 0..2 {
        rates.arrive(&mut account, who, "GET", "/api/a").unwrap();
    }
    let refused = rates.arrive(&mut account, who, "GET", "/api/a").unwrap_err();
    assert_eq!((refused.code, refused.extra.retry_after), (Code::RateLimited, Some(30)));
    rates.identified(&mut account, who, "GET", "/api/a").unwrap();
    let mut headers = HeaderMap::new();
    rates.tell(&account, &mut headers);
    assert_eq!(headers["ratelimit-policy"], "\"/api/*\";q=2;w=60, \"/api/*#2\";q=60;w=60");
    assert_eq!(headers["ratelimit"], "\"/api/*\";r=0;t=30, \"/api/*#2\";r=59;t=1");
}
