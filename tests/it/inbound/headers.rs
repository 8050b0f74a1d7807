//! Header identity: what the API is told of who asks, and of the way, is ours or absent.

use serde_json::json;

use crate::support::{Gate, Origin, Seen, as_anna, token};

/// The header fields that the API saw, names in lower case, in order.
fn fields(seen: &Seen) -> Vec<(String, String)> {
    let fields = seen.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

#[test]
fn the_api_gets_the_request_with_our_identity_and_without_the_token() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let answer = gate.get("/orders?id=7", &format!("{}X-Own: 1\r\nAuthorization: Basic abc\r\n", as_anna()));
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let id = answer.values("x-request-id")[0].to_owned();
    let only = origin.only();
    let [hops] = only.values("x-sidegate-hops")[..] else { panic!("{only:?}") };
    let mut seen = fields(&only);
    seen.sort();
    let wanted = [
        ("authorization", "Basic abc"),
        ("host", "api.test"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "api.test"),
        ("x-forwarded-proto", "http"),
        ("x-own", "1"),
        ("x-request-id", id.as_str()),
        ("x-sidegate-admin", "false"),
        ("x-sidegate-customer", "anna"),
        ("x-sidegate-hops", hops),
        ("x-sidegate-workspace", "acme"),
    ];
    assert_eq!(seen, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn h10_h36_a_header_named_almost_like_ours_is_refused() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "identity: {X-User: id}, rules: [{path: /*, allow: public}]");
    for name in [
        "X_User",
        "x_user",
        "X.User",
        "X_Sidegate_Customer",
        "X-Sidegate_Customer",
        "X_Sidegate-Anything",
        "X_Integration_App_Token",
        "X-Integration_App-Token",
        "X_Membrane_Token",
        "X_Request_Id",
        "Transfer_Encoding",
        "Content_Length",
    ] {
        let answer = gate.get("/", &format!("{name}: eve\r\n"));
        assert_eq!((answer.status, answer.code()), (400, "ambiguous_header"), "{name}");
    }
    origin.is_untouched();
}

#[test]
fn h11_h36_h40_identity_is_one_value_of_ours_or_none() {
    let origin = Origin::new();
    let gate = Gate::with(
        &origin,
        "identity: {X-User: id, X-Plan: fields.plan}, \
         rules: [{path: /open, allow: public}, {path: /maybe, allow: optional}, {path: /*, allow: verified}]",
    );
    let eve = "X-User: eve\r\nx-user: eve\r\nX-USER: \r\nX-Plan: eve\r\nX-Sidegate-Customer: eve\r\n\
        X-Sidegate-New: eve\r\nX-User: \u{e9}ve\r\n";
    for path in ["/open", "/maybe"] {
        assert_eq!(gate.get(path, eve).status, 200);
    }
    // The claim behind X-Plan is missing: the caller's value must not stand in for it.
    assert_eq!(gate.get("/", &format!("{eve}{}", as_anna())).status, 200);
    let seen = origin.seen();
    for anonymous in &seen[..2] {
        assert!(!anonymous.head.to_lowercase().contains("eve"), "{anonymous:?}");
        assert!(anonymous.values("x-user").is_empty());
    }
    assert_eq!(seen[2].values("x-user"), ["anna"]);
    assert!(seen[2].values("x-plan").is_empty());
    assert!(!seen[2].head.contains("eve"), "{:?}", seen[2]);
}

#[test]
fn h18_connection_cannot_name_our_headers_away() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let connection = "Connection: X-Integration-App-Token, x-sidegate-customer, X-Sidegate-Workspace, host, \
        x-forwarded-for, x-request-id, X-Gone, keep-alive\r\nX-Gone: 1\r\nKeep-Alive: timeout=9\r\n";
    let answer = gate.get("/", &format!("{connection}{}", as_anna()));
    assert_eq!(answer.status, 200);
    let seen = origin.only();
    assert_eq!(seen.values("x-sidegate-customer"), ["anna"]);
    assert_eq!(seen.values("x-sidegate-workspace"), ["acme"]);
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.values("host"), ["api.test"]);
    assert_eq!(seen.values("x-request-id"), answer.values("x-request-id"));
    for gone in ["connection", "keep-alive", "x-gone", "x-integration-app-token"] {
        assert!(seen.values(gone).is_empty(), "{gone}: {seen:?}");
    }
}

#[test]
fn h13_h14_h2c_never_passes_and_what_follows_an_upgrade_is_judged_again() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let upgrades = [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    ];
    for upgrade in upgrades {
        let mut caller = gate.connect();
        caller.say(format!("GET /first HTTP/1.1\r\nHost: api.test\r\n{upgrade}{}\r\n", as_anna()));
        caller.say("GET /second HTTP/1.1\r\nHost: api.test\r\n\r\n");
        assert_eq!(caller.answer().status, 200);
        assert_eq!(caller.answer().status, 401);
    }
    for seen in origin.seen() {
        assert_eq!(seen.line(), "GET /first HTTP/1.1");
        assert!(seen.values("http2-settings").is_empty(), "{seen:?}");
        // The other one is asked for, and the API did not want it.
        assert!(matches!(seen.values("upgrade")[..], [] | ["websocket"]), "{seen:?}");
        assert!(matches!(seen.values("connection")[..], [] | ["upgrade"]), "{seen:?}");
    }
}

#[test]
fn h37_what_a_caller_says_of_the_way_is_dropped_and_decides_nothing() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "rules: [{path: /open, allow: public}, {path: /*, allow: verified}]");
    let lies: String = [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Uri",
        "X-Forwarded-Prefix",
        "X-Forwarded-Method",
        "X_Forwarded_For",
        "X-Forwarded",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
    ]
    .map(|name| format!("{name}: /open-evil\r\n"))
    .concat();
    assert_eq!(gate.get("/closed", &lies).status, 401);
    origin.is_untouched();
    assert_eq!(gate.get("/open", &lies).status, 200);
    let seen = origin.only();
    assert!(!seen.head.contains("evil"), "{seen:?}");
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.values("x-forwarded-proto"), ["http"]);
}

#[test]
fn h38_no_user_agent_and_no_health_path_opens_a_guarded_one() {
    let origin = Origin::new();
    let gate = Gate::configured(&format!(
        "listeners: {{inbound: {{address: '127.0.0.1:0'}}, health: {{address: '127.0.0.1:0'}}}}\n\
         upstreams: {{api: {{upstream: 'http://{}'}}}}\n",
        origin.address
    ));
    for path in ["/healthz", "/readyz", "/metrics", "/ping", "/"] {
        for agent in ["kube-probe/1.30", "GoogleHC/1.0", "ELB-HealthChecker/2.0"] {
            assert_eq!(gate.get(path, &format!("User-Agent: {agent}\r\n")).status, 401, "{path} {agent}");
        }
    }
    origin.is_untouched();
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/orders", 404)] {
        let mut prober = crate::support::Peer::to(gate.address("health"));
        prober.say(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(prober.answer().status, status, "{path}");
    }
}

#[test]
fn h45_an_answer_of_ours_repeats_nothing_of_the_request() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let script = "<script>alert(1)</script>";
    let token = format!("X-Integration-App-Token: {script}\r\nX-Request-Id: {script}\r\n");
    for (path, headers) in [("/%3Cscript%3E", token.as_str()), ("/?script", "X-Sidegate_X: <script>\r\n")] {
        let answer = gate.get(path, headers);
        assert!(answer.status >= 400, "{answer:?}");
        assert!(!answer.text().contains("script"), "{answer:?}");
        assert_eq!(answer.values("content-type"), ["application/json"]);
        assert_eq!(answer.values("x-content-type-options"), ["nosniff"]);
    }
    origin.is_untouched();
}

#[test]
fn t36_a_claim_cannot_break_out_of_its_header() {
    let origin = Origin::new();
    let gate =
        Gate::with(&origin, "identity: {X-User: id, X-Name: name, X-Roles: claims.roles, X-N: claims.n}");
    let sly = token(&json!({
        "id": "anna\r\nX-Sidegate-Admin: true",
        "name": "Ann\u{e4} \u{0}\u{1f600}%41",
        "roles": ["a", "b\r\nX-Evil: 1"],
        "n": -0.0
    }));
    assert_eq!(gate.get("/", &format!("X-Integration-App-Token: {sly}\r\n")).status, 200);
    let seen = origin.only();
    assert_eq!(seen.values("x-user"), ["anna%0D%0AX-Sidegate-Admin:%20true"]);
    assert_eq!(seen.values("x-name"), ["Ann%C3%A4%20%00%F0%9F%98%80%2541"]);
    assert_eq!(seen.values("x-roles"), ["WyJhIiwiYlxyXG5YLUV2aWw6IDEiXQ"]);
    assert!(seen.values("x-evil").is_empty() && seen.values("x-sidegate-admin").is_empty());
    assert!(seen.head.is_ascii());
    let long = token(&json!({"id": "x".repeat(1500), "name": "\u{e4}".repeat(1500)}));
    assert_eq!(gate.get("/", &format!("X-Integration-App-Token: {long}\r\nX-Name: eve\r\n")).status, 200);
    let seen = &origin.seen()[1];
    assert_eq!(seen.values("x-user")[0].len(), 1500);
    assert!(seen.values("x-name").is_empty(), "too long to be written, and the caller's is gone");
}
