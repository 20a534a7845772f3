//! The texts of reads.

use model::caller::Identity;
use rules::{Catalog, Gate, plan::Page, query::Query};

use super::*;

/// How the text of a page ends.
fn end(page: Page) -> String {
    let (catalog, _) = Catalog::compile(store::conformance::schema::schema()).unwrap();
    let visits = catalog.schema.find("visits").unwrap();
    let gate = Gate::new(Arc::new(catalog));
    let caller = Caller {
        identity: Arc::new(Identity::anonymous()),
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        method: "GET",
        now: 0,
        request_id: "request".into(),
    };
    let read = gate.read(caller, visits, Query { page, ..Query::default() }).unwrap();
    let made = statements(&read.get().plan);
    let text = &made.page(&page).text;
    assert_eq!(text.types, made.list.text().types, "the values are the same");
    text.sql.split_once(" LIMIT ").unwrap().1.to_owned()
}

#[test]
fn a_first_page_of_a_common_length_has_its_limit_in_its_text() {
    let page = |limit, offset| Page { limit, offset, count: false };
    // One row more tells whether there is another page.
    assert_eq!(end(page(20, 0)), "21");
    assert_eq!(end(page(1, 0)), "2");
    assert_eq!(end(page(200, 0)), "201");
    assert_eq!(end(page(21, 0)), "$1::bigint OFFSET $2::bigint");
    assert_eq!(end(page(20, 1)), "$1::bigint OFFSET $2::bigint");
}
