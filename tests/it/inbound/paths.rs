//! Paths: what a rule decides is what the API gets, byte for byte, and no spelling slips past.

use crate::support::{Gate, Origin, Seen, as_anna, token};

const GUARDED: &str = "rules: [{path: /admin/*, allow: admin}, {path: /public/*, allow: public}, \
    {path: /*, allow: verified}]";

#[test]
fn h4_a_fragment_is_no_part_of_a_target() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, GUARDED);
    for target in ["/public/a#/../../admin/x", "/admin/x#/public/", "/public/a#", "http://api.test#x"] {
        let answer = gate.get(target, &as_anna());
        assert_eq!((answer.status, answer.code()), (400, "malformed_request"), "{target}");
    }
    origin.is_untouched();
}

#[test]
fn h2_of_a_url_that_is_only_a_host_the_api_gets_the_root() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    assert_eq!(gate.get("http://api.test", &as_anna()).status, 200);
    assert_eq!(origin.only().line(), "GET / HTTP/1.1");
}

#[test]
fn h5_what_servers_read_in_two_ways_is_refused() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, GUARDED);
    for path in [
        "/public/../admin/x",
        "/public/..",
        "/public/./x",
        "/public/%2e%2e/admin/x",
        "/public/.%2E/admin/x",
        "/public/..;/admin/x",
        "/public/..;a=b/admin/x",
        "/public/..%3b/admin/x",
        "/public/%2e%2e%3Ba/admin/x",
        "/public/..%2fadmin/x",
        "/public%2f..%2fadmin",
        "/public/..\\admin/x",
        "/public/..%5Cadmin/x",
        "/public/%00/x",
        "/public/%",
        "/public/%4",
        "/public/%zz",
    ] {
        let answer = gate.get(path, "");
        assert_eq!(answer.status, 400, "{path}");
    }
    let mut raw = gate.connect();
    raw.say(b"GET /public/\xc3\xa9 HTTP/1.1\r\nHost: api.test\r\n\r\n");
    assert_eq!(raw.answer().status, 400);
    origin.is_untouched();
}

#[test]
fn h5_no_spelling_of_a_guarded_path_gets_by() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, GUARDED);
    for path in [
        "/admin",
        "/admin/",
        "/admin/x",
        "//admin/x",
        "/admin//x",
        "/%61dmin/x",
        "/admin;a=b/x",
        "/admin%3ba/x",
        "/;/admin/x",
        "/public;/../admin/x",
        "///admin",
        "/admin/x?/public/",
        "/admin/x;/public/",
        "http://api.test//admin/x",
        "http://api.test/%61dmin",
    ] {
        let answer = gate.get(path, &as_anna());
        assert!(matches!(answer.status, 400 | 403), "{path}: {answer:?}");
        assert_ne!(answer.code(), "", "{path}");
    }
    origin.is_untouched();
}

#[test]
fn h5_what_passes_passes_byte_for_byte() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, GUARDED);
    let paths = ["/public/%41%20b;c=d//e/.../~x?q=%2f..%2f&a[]=%zz", "/public/a//b", "/public/%252e%252e/x"];
    for path in paths {
        assert_eq!(gate.get(path, "").status, 200, "{path}");
    }
    let lines: Vec<String> = origin.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(lines, paths.map(|path| format!("GET {path} HTTP/1.1")));
}

/// Two upstreams that are one API: its orders are guarded, the rest is public.
fn by_prefix(origin: &Origin) -> Gate {
    let at = origin.address;
    Gate::configured(&format!(
        "upstreams:\n  orders: {{upstream: 'http://{at}', match: {{pathPrefix: /orders}}}}\n  \
         rest: {{upstream: 'http://{at}', rules: [{{path: /*, allow: public}}]}}\n"
    ))
}

#[test]
fn h39_no_spelling_of_a_prefix_reaches_a_laxer_upstream() {
    let origin = Origin::new();
    let gate = by_prefix(&origin);
    for path in ["/orders/1", "//orders/1", "/%6frders/1", "/orders;a/1", "/;x/orders/1"] {
        assert_ne!(gate.get(path, "").status, 200, "{path}");
    }
    origin.is_untouched();
    assert_eq!(gate.get("/ordersheet//1", "").status, 200);
}

#[test]
fn h39_no_spelling_of_a_host_reaches_a_laxer_upstream() {
    let origin = Origin::new();
    let at = origin.address;
    let gate = Gate::configured(&format!(
        "upstreams:\n  guarded: {{upstream: 'http://{at}', match: {{hosts: [Guarded.test]}}}}\n  \
         rest: {{upstream: 'http://{at}', rules: [{{path: /*, allow: public}}]}}\n"
    ));
    for host in ["guarded.test", "GUARDED.test", "guarded.test:80", "guarded.test.", "guarded.test.:8443"] {
        assert_eq!(gate.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).status, 401, "{host}");
    }
    for host in ["guarded.test..", "guarded..test", "guarded.test:"] {
        assert_eq!(gate.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).status, 400, "{host}");
    }
    origin.is_untouched();
    assert_eq!(gate.ask("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n").status, 200);
}

#[test]
fn h19_methods_are_matched_exactly() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "rules: [{path: /*, methods: [GET], allow: public}]");
    for method in ["get", "Get", "gET"] {
        let answer = gate.ask(format!("{method} / HTTP/1.1\r\nHost: api.test\r\n\r\n"));
        assert_eq!(answer.code(), "method_case", "{method}");
    }
    for method in ["HEAD", "DELETE", "GETT", "TRACE"] {
        let mut caller = gate.connect();
        caller.say(format!("{method} / HTTP/1.1\r\nHost: api.test\r\n\r\n"));
        let answer = caller.answer_without_body();
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.values("allow"), ["GET"]);
    }
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_Http_Method_Override"] {
        assert_eq!(gate.get("/", &format!("{name}: DELETE\r\n")).status, 200);
    }
    assert!(origin.seen().iter().all(|seen| !seen.head.contains("DELETE")), "{:?}", origin.seen());
}

#[test]
fn prefixes_are_taken_and_added_and_the_rule_sees_what_the_api_sees() {
    let origin = Origin::new();
    let gate = Gate::configured(&format!(
        "upstreams: {{api: {{upstream: {{url: 'http://{}', stripPrefix: /api, addPrefix: /v1, host: upstream}}, \
         rules: [{{path: /v1/admin/*, allow: admin}}, {{path: /v1/*, allow: verified}}]}}}}\n",
        origin.address
    ));
    assert_eq!(gate.get("/api/orders?q=1", &as_anna()).status, 200);
    let admin = format!("X-Integration-App-Token: {}\r\n", token(&serde_json::json!({"isAdmin": true})));
    assert_eq!(gate.get("/api/admin/x", &admin).status, 200);
    for path in ["/api/admin/x", "/admin", "/api//admin", "/api/%61dmin", "/api/admin;x"] {
        assert!(matches!(gate.get(path, &as_anna()).status, 400 | 403), "{path}");
    }
    let seen = origin.seen();
    assert_eq!(
        seen.iter().map(Seen::line).collect::<Vec<_>>(),
        ["GET /v1/orders?q=1 HTTP/1.1", "GET /v1/admin/x HTTP/1.1"]
    );
    assert_eq!(seen[0].values("host"), [origin.address.to_string()]);
    assert_eq!(seen[0].values("x-forwarded-host"), ["api.test"]);
}
