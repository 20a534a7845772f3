//! Totals over groups.

use serde_json::json;
use testkit::TestApp;

use crate::both;

const SALES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/people.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\nname = { type = \"string\", required = true }\n\
         public = { type = \"boolean\", required = true, default = true }\n\
         pay = { type = \"integer\", read = \"'staff' in auth.roles\" }\n[access]\nread = \"record.public\"\n",
    ),
    (
        "resources/sales.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\n\
         status = { type = \"enum\", values = [\"open\", \"paid\", \"void\"] }\n\
         town = { type = \"string\", case = \"insensitive\" }\n\
         seller = { type = \"reference\", to = \"people\" }\n\
         total = { type = \"decimal\", precision = 18, scale = 2 }\n\
         pieces = { type = \"integer\" }\n\
         weight = { type = \"float\" }\n\
         day = { type = \"date\" }\n\
         at = { type = \"datetime\" }\n\
         note = { type = \"text\" }\n\
         labels = { type = \"string\", list = true }\n\
         public = { type = \"boolean\", required = true, default = true }\n\
         margin = { type = \"integer\", read = \"record.status == 'paid'\" }\n\
         cost = { type = \"integer\", read = \"'staff' in auth.roles\" }\n\
         secret = { type = \"integer\", hidden = true }\n\
         [access]\nread = \"record.public\"\n",
    ),
];

async fn fill(app: &TestApp) {
    let admin = app.admin();
    let people =
        json!([{"name": "Ann", "pay": 5}, {"name": "Bob", "pay": 6}, {"name": "Mole", "public": false, "pay": 7}]);
    admin.post("/api/people", people).await.expect(201);
    let sales = json!([
        {"status": "paid", "town": "Graz", "seller": 1, "total": "10.00", "pieces": 1, "weight": 0.1, "day": "2026-01-02", "at": "2026-01-02T03:04:05.000006Z", "margin": 3, "cost": 1, "secret": 100},
        {"status": "paid", "town": "GRAZ", "seller": 2, "total": "2.50", "pieces": 2, "weight": 0.2, "day": "2025-12-31", "at": "2026-01-02T03:04:05Z", "margin": 4, "cost": 2, "secret": 200},
        {"status": "open", "town": "linz", "seller": 1, "total": "0.01", "pieces": 4, "weight": 1e300, "margin": 50, "cost": 4, "secret": 300},
        {"status": "open", "seller": 3, "total": null, "pieces": -1, "margin": 60, "cost": 8, "secret": 400},
        {"seller": null, "town": "Linz", "total": "0.02"},
        {"status": "void", "public": false, "total": "9999.99", "pieces": 1000, "seller": 1}
    ]);
    admin.post("/api/sales", sales).await.expect(201);
}

async fn totals(app: &TestApp, query: &str) -> String {
    let reply = app.stranger().get(&format!("/api/sales/aggregate?{query}")).await.expect(200);
    reply.text.strip_prefix("{\"items\":[").and_then(|text| text.strip_suffix("]}")).unwrap_or(&reply.text).to_owned()
}

both! {
    async fn groups_are_counted_and_totalled(app) using SALES {
        fill(app).await;
        for (query, expected) in [
            ("count", r#"{"count":5}"#),
            ("group=status&count&sum=total", r#"{"status":null,"count":1,"sum":{"total":"0.02"}},{"status":"open","count":2,"sum":{"total":"0.01"}},{"status":"paid","count":2,"sum":{"total":"12.50"}}"#),
            ("group=status&sum=total,pieces&avg=pieces&avg=total", r#"{"status":null,"sum":{"total":"0.02","pieces":null},"avg":{"pieces":null,"total":"0.02000000"}},{"status":"open","sum":{"total":"0.01","pieces":3},"avg":{"pieces":1.5,"total":"0.01000000"}},{"status":"paid","sum":{"total":"12.50","pieces":3},"avg":{"pieces":1.5,"total":"6.25000000"}}"#),
            ("group=seller.name&count&sort=-count,seller.name", r#"{"seller.name":null,"count":2},{"seller.name":"Ann","count":2},{"seller.name":"Bob","count":1}"#),
            ("group=seller&count", r#"{"seller":null,"count":1},{"seller":1,"count":2},{"seller":2,"count":1},{"seller":3,"count":1}"#),
            ("group=town&count&sort=-town", r#"{"town":"Linz","count":2},{"town":"GRAZ","count":2},{"town":null,"count":1}"#),
            ("min=day,at,total,pieces,town&max=day,at,weight,town,status", r#"{"min":{"day":"2025-12-31","at":"2026-01-02T03:04:05Z","total":"0.01","pieces":-1,"town":"GRAZ"},"max":{"day":"2026-01-02","at":"2026-01-02T03:04:05.000006Z","weight":1e300,"town":"linz","status":"paid"}}"#),
            ("status=paid&sum=weight&avg=weight", r#"{"sum":{"weight":0.3},"avg":{"weight":0.15}}"#),
            ("group=status,seller&sort=-max.pieces&limit=2&max=pieces", r#"{"status":"open","seller":1,"max":{"pieces":4}},{"status":"paid","seller":2,"max":{"pieces":2}}"#),
            ("filter=total%20%3E%205&count", r#"{"count":1}"#),
            ("filter=total%20%3E%205000&count&sum=total&avg=pieces&max=day", r#"{"count":0,"sum":{"total":null},"avg":{"pieces":null},"max":{"day":null}}"#),
            ("filter=total%20%3E%205000&group=status&count", ""),
            ("group=status", r#"{"status":null},{"status":"open"},{"status":"paid"}"#),
        ] {
            assert_eq!(totals(app, query).await, expected, "{query}");
        }
    }

    async fn sums_are_exact_beyond_64_bits_and_means_round_half_to_even(app) using SALES {
        let admin = app.admin();
        let greatest = json!({"pieces": i64::MAX, "total": "9999999999999999.99", "weight": 1.7e308});
        let least = json!({"status": "void", "pieces": i64::MIN, "total": "-0.01", "weight": 5e-324});
        admin.post("/api/sales", json!([greatest, greatest, greatest, least, least])).await.expect(201);
        admin.post("/api/sales", json!([{"status": "open", "total": "0.01"}, {"status": "open", "total": "0.01"}, {"status": "open", "total": "0.00"}])).await.expect(201);
        for (query, expected) in [
            ("status=void&sum=pieces,total,weight&avg=total,pieces,weight", r#"{"sum":{"pieces":-18446744073709551616,"total":"-0.02","weight":1e-323},"avg":{"total":"-0.01000000","pieces":-9.223372036854776e18,"weight":5e-324}}"#),
            ("pieces[gt]=0&sum=pieces,total,weight&avg=total,weight", r#"{"sum":{"pieces":27670116110564327421,"total":"29999999999999999.97","weight":null},"avg":{"total":"9999999999999999.99000000","weight":null}}"#),
            ("status=open&avg=total", r#"{"avg":{"total":"0.00666667"}}"#),
        ] {
            assert_eq!(totals(app, query).await, expected, "{query}");
        }
        // Ties: 0.01 over 2,000,000 would take too many records, so the digits are tied by 64 of them.
        let ones: Vec<_> = (0..640).map(|number| json!({"town": "tie", "total": if number < 1 { "0.01" } else { "0.00" }})).collect();
        admin.post("/api/sales", json!(ones)).await.expect(201);
        // 0.01 / 640 = 0.000015625
        assert_eq!(totals(app, "town=tie&avg=total").await, r#"{"avg":{"total":"0.00001562"}}"#);
        admin.patch("/api/sales/20", json!({"total": "0.02"})).await.expect(200);
        // 0.03 / 640 = 0.000046875
        assert_eq!(totals(app, "town=tie&avg=total").await, r#"{"avg":{"total":"0.00004688"}}"#);
    }

    async fn groups_and_totals_sort_by_value_whatever_their_sign(app) using SALES {
        let sales: Vec<_> = (0..40).map(|number: i64| json!({"town": format!("t{number}"), "pieces": (number * 7 % 40) - 20, "total": format!("{}.5", number * 11 % 40 - 20), "weight": f64::from(i32::try_from(number * 3 % 40).unwrap_or(0)) - 20.0})).collect();
        app.admin().post("/api/sales", json!(sales)).await.expect(201);
        for key in ["sum.pieces", "avg.total", "sum.total", "avg.weight", "sum.weight", "max.pieces", "avg.pieces"] {
            let (function, field) = key.split_once('.').unwrap_or_default();
            let up = app.stranger().get(&format!("/api/sales/aggregate?group=town&{function}={field}&sort={key}&limit=40")).await.expect(200);
            let values: Vec<f64> = up.items().iter().map(|item| { let value = &item[function][field]; value.as_f64().unwrap_or_else(|| value.as_str().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)) }).collect();
            assert_eq!(values.len(), 40);
            assert!(values.is_sorted(), "{key}: {values:?}");
            let mut down = app.stranger().get(&format!("/api/sales/aggregate?group=town&{function}={field}&sort=-{key}&limit=40")).await.expect(200).items();
            down.reverse();
            assert_eq!(down.first().map(|item| &item[function]), up.items().first().map(|item| &item[function]), "{key}");
        }
    }

    async fn what_may_not_be_read_is_never_totalled(app) using SALES {
        fill(app).await;
        // A record that may not be read does not count; one whose field may not be read counts as null.
        assert_eq!(totals(app, "status=void&count").await, r#"{"count":0}"#);
        assert_eq!(totals(app, "count&sum=margin&max=margin").await, r#"{"count":5,"sum":{"margin":7},"max":{"margin":4}}"#);
        assert_eq!(totals(app, "group=margin&count").await, r#"{"margin":null,"count":3},{"margin":3,"count":1},{"margin":4,"count":1}"#);
        let admin = app.admin().get("/api/sales/aggregate?sum=margin,cost&status[ne]=void").await.expect(200);
        assert_eq!(admin.text, r#"{"items":[{"sum":{"margin":117,"cost":15}}]}"#);
        // One that nobody reads here is unknown, word by word; administrators know no hidden field either.
        let stranger = app.stranger();
        for query in ["group=F&count", "sum=F", "avg=F", "min=F", "max=F", "count&sort=F", "count&filter=F==1", "count&F=1", "sum=seller.F", "group=status&count&sort=sum.F"] {
            let ask = |person: testkit::Person, field: &'static str| {
                let path = format!("/api/sales/aggregate?{}", query.replace('F', field));
                async move { person.get(&path).await.expect(400) }
            };
            let neutral = |reply: testkit::Reply, field: &str| {
                let mut document = reply.json();
                document["request_id"] = json!(null);
                document.to_string().replace(field, "F")
            };
            let unknown = neutral(ask(stranger.clone(), "zzzzzz").await, "zzzzzz");
            assert_eq!(neutral(ask(stranger.clone(), "secret").await, "secret"), unknown, "{query}");
            let hidden = ask(app.admin(), "secret").await;
            assert_eq!(neutral(hidden, "secret"), unknown, "{query}");
            let four = neutral(ask(stranger.clone(), "zzzz").await, "zzzz");
            let field = if query.contains("seller.") { "pay_" } else { "cost" };
            assert_eq!(neutral(ask(stranger.clone(), field).await, field), four, "{query}");
        }
        stranger.get("/api/sales/aggregate?sum=seller.pay").await.expect(400);
        assert_eq!(app.admin().get("/api/sales/aggregate?sum=seller.pay&status[ne]=void").await.expect(200).text, r#"{"items":[{"sum":{"seller.pay":23}}]}"#);
    }

    async fn what_can_not_be_totalled_is_told(app) using SALES {
        fill(app).await;
        let stranger = app.stranger();
        for (query, told) in [
            ("", "say what to total"),
            ("sum=status", "is no number"),
            ("avg=day", "is no number"),
            ("sum=seller", "is no number"),
            ("max=seller", "refers to a record"),
            ("max=public", "has no order"),
            ("min=note", "long text"),
            ("group=labels", "is a list"),
            ("group=note", "long text"),
            ("group=statsu&count", "did you mean `status`?"),
            ("sum=totl", "did you mean `total`?"),
            ("sum=", "names fields"),
            ("sum=total,", "names fields"),
            ("sum=total&sum=total", "stands twice"),
            ("group=status,status", "stands twice"),
            ("count=3", "`count` is `true` or `false`"),
            ("count&limit=1001", "from 1 to 1000"),
            ("count&sort=-coutn", "did you mean `count`?"),
            ("count&sort=sum.total", "not in this answer"),
            ("count&grop=status", "did you mean `group`?"),
            ("count&filter=total%20%3E", "total"),
            ("group=a,b,c,d,e,f,g,h,i", "8 fields at most"),
        ] {
            let refused = stranger.get(&format!("/api/sales/aggregate?{query}")).await.expect(400);
            assert!(refused.text.contains(told) || told == "total", "{query}: {refused}");
        }
        stranger.get("/api/nothing/aggregate?count").await.expect(404);
        let wrong = stranger.delete("/api/sales/aggregate").await.expect(405);
        assert_eq!(wrong.header("allow"), "GET, HEAD, OPTIONS");
        let head = stranger.send(http::Method::HEAD, "/api/sales/aggregate?count", &[], "").await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    }
}
