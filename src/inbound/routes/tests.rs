use super::*;
use crate::inbound::rules::Allow;

pub(in crate::inbound) fn upstream(name: &str, hosts: &[&str], prefix: &str) -> UpstreamConfig {
    UpstreamConfig {
        name: name.into(),
        mode: Mode::Enforce,
        origin: Origin::Tcp { host: "127.0.0.1".into(), port: 3000, tls: false },
        tls: ClientTls::default(),
        preserve_host: true,
        protocol: Protocol::default(),
        upgrades: vec!["websocket".into()],
        strip_prefix: None,
        add_prefix: None,
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        path_prefix: prefix.into(),
        token_headers: vec![HeaderName::from_static("x-integration-app-token")],
        policy: Policy::default(),
        rules: Vec::new(),
        identity: vec![(HeaderName::from_static("x-sidegate-customer"), Property::Id)],
        forward_token: false,
        cors: None,
        limits: LimitsConfig::default(),
        closes_on_expiry: false,
        upgrade_idle_timeout: None,
        connect_timeout: Duration::from_secs(1),
        response_head_timeout: Duration::from_secs(1),
        body_idle_timeout: Duration::from_secs(5),
        pool_idle_timeout: Duration::from_secs(4),
    }
}

fn rule(path: &str, methods: &[Method], allow: Allow) -> RuleConfig {
    RuleConfig { path: path.into(), methods: methods.to_vec(), allow, claims: Vec::new(), when: None }
}

fn with_rules(rules: Vec<RuleConfig>) -> Routes {
    Routes::new(vec![UpstreamConfig { rules, ..upstream("api", &[], "/") }]).unwrap()
}

/// `upstream rule`, or the code of the rejection.
fn found(routes: &Routes, host: &str, method: &Method, path: &str) -> String {
    match routes.find(host, method, path) {
        Ok(route) => format!("{} {}", route.upstream_name(), route.rule()),
        Err(rejection) => rejection.code().to_owned(),
    }
}

/// The target that the upstream gets for a target as it was sent.
fn rewritten(routes: &Routes, target: &str) -> String {
    let mut target: Uri = target.parse().unwrap();
    routes.upstream("h", target.path()).unwrap().rewrite(&mut target);
    target.to_string()
}

#[test]
fn an_exact_host_goes_before_any_and_then_the_longest_prefix_wins() {
    let routes = Routes::new(vec![
        upstream("any", &[], "/"),
        upstream("any-v2", &[], "/v2"),
        upstream("orders", &["orders.example.com", "Orders.internal"], "/"),
        upstream("orders-v2", &["orders.example.com"], "/v2/"),
        upstream("only-x", &["x.example.com"], "/x"),
    ])
    .unwrap();
    for (host, path, expected) in [
        ("elsewhere", "/", "any /*"),
        ("elsewhere", "/v2/a", "any-v2 /*"),
        ("elsewhere", "/v2a", "any /*"),
        ("orders.example.com", "/v2", "orders-v2 /*"),
        ("ORDERS.example.com:8080", "/v1", "orders /*"),
        ("orders.internal", "/v2/a", "orders /*"),
        ("[::1]:8080", "/", "any /*"),
        ("orders.example.com.", "/v1", "orders /*"),
        ("Orders.example.com.:80", "/v1", "orders /*"),
        ("x.example.com", "/x/1", "only-x /*"),
        ("x.example.com", "/y", "any /*"),
    ] {
        assert_eq!(found(&routes, host, &Method::GET, path), expected, "{host} {path}");
    }
}

#[test]
fn without_a_matching_upstream_there_is_nothing() {
    let routes = Routes::new(vec![upstream("orders", &["orders.example.com"], "/")]).unwrap();
    assert_eq!(found(&routes, "elsewhere", &Method::GET, "/"), "no_upstream");
    assert_eq!(found(&Routes::new(Vec::new()).unwrap(), "elsewhere", &Method::GET, "/"), "no_upstream");
}

#[test]
fn a_tie_is_an_error_that_names_both() {
    let Err(error) = Routes::new(vec![upstream("one", &["A.b"], "/x/"), upstream("two", &["a.b"], "/x")])
    else {
        panic!("a tie was taken")
    };
    assert_eq!(error, "upstreams `one` and `two` both serve a.b with the path prefix `/x/`");
    assert!(Routes::new(vec![upstream("one", &[], "/"), upstream("two", &[], "")]).is_err());
}

#[test]
fn the_first_rule_whose_path_and_method_match_decides() {
    let routes = with_rules(vec![
        rule("/healthz", &[], Allow::Public),
        rule("/items/*", &[Method::GET], Allow::Optional),
        rule("/items/*", &[Method::POST, Method::PUT], Allow::Customer),
    ]);
    let rules = |method: Method, path| found(&routes, "h", &method, path);
    assert_eq!(rules(Method::GET, "/healthz"), "api /healthz");
    assert_eq!(rules(Method::POST, "/items/1"), "api /items/*");
    assert_eq!(rules(Method::DELETE, "/items/1"), "method_not_allowed");
    assert_eq!(rules(Method::GET, "/healthz/"), "no_rule");
    let Err(Rejection::MethodNotAllowed(methods)) = routes.find("h", &Method::DELETE, "/items/1") else {
        panic!("DELETE was not refused by its method")
    };
    assert_eq!(methods, [Method::GET, Method::POST, Method::PUT]);
}

#[test]
fn a_path_that_a_laxer_reader_would_bring_to_another_rule_is_refused() {
    let routes = with_rules(vec![
        rule("/internal/*", &[], Allow::Admin),
        rule("/a%20b", &[], Allow::Public),
        rule("/*", &[], Allow::Verified),
    ]);
    for path in ["//internal/x", "/%69nternal/x", "/internal;v=1/x", "/internal%2e;/x", "/intern%61l"] {
        let expected = if path == "/internal%2e;/x" { "api /*" } else { "ambiguous_path" };
        assert_eq!(found(&routes, "h", &Method::GET, path), expected, "{path}");
    }
    for (path, expected) in [
        ("/files//a%20b;c", "api /*"),
        ("/internal//x", "api /internal/*"),
        ("/internal/%61;b", "api /internal/*"),
        ("/a%20b", "api /a%20b"),
    ] {
        assert_eq!(found(&routes, "h", &Method::GET, path), expected, "{path}");
    }
}

#[test]
fn a_path_that_a_laxer_reader_would_bring_to_another_upstream_is_refused() {
    let routes = Routes::new(vec![
        upstream("orders", &[], "/orders"),
        upstream("spaced", &[], "/a%20b"),
        upstream("rest", &[], "/"),
    ])
    .unwrap();
    for path in ["//orders/1", "/%6frders/1", "/orders;v=1/1", "/;/orders", "/a%20%62/x"] {
        assert_eq!(found(&routes, "h", &Method::GET, path), "ambiguous_path", "{path}");
    }
    for (path, expected) in
        [("/orders//1", "orders /*"), ("/a%20b/x", "spaced /*"), ("/ordersheet//%31;x", "rest /*")]
    {
        assert_eq!(found(&routes, "h", &Method::GET, path), expected, "{path}");
    }
}

#[test]
fn rules_see_the_path_that_is_forwarded() {
    let config = UpstreamConfig {
        strip_prefix: Some("/orders".into()),
        add_prefix: Some("/v1/".into()),
        rules: vec![rule("/v1/internal/*", &[], Allow::Admin), rule("/v1/*", &[], Allow::Verified)],
        ..upstream("orders", &[], "/orders")
    };
    let routes = Routes::new(vec![config]).unwrap();
    for (path, forwarded, rule) in [
        ("/orders/internal/x", "/v1/internal/x", "/v1/internal/*"),
        ("/orders", "/v1", "/v1/*"),
        ("/orders/", "/v1/", "/v1/*"),
        ("/orders/a%20b", "/v1/a%20b", "/v1/*"),
    ] {
        assert_eq!(
            (rewritten(&routes, path), found(&routes, "h", &Method::GET, path)),
            (forwarded.into(), format!("orders {rule}")),
            "{path}"
        );
    }
    assert_eq!(found(&routes, "h", &Method::GET, "/ordersx"), "no_upstream");
}

#[test]
fn a_stripped_path_still_begins_with_a_slash() {
    let config = UpstreamConfig { strip_prefix: Some("/orders".into()), ..upstream("orders", &[], "/") };
    let routes = Routes::new(vec![config]).unwrap();
    for (path, forwarded) in [("/orders", "/"), ("/orders/x", "/x"), ("/other", "/other"), ("/orders?", "/?")]
    {
        assert_eq!(rewritten(&routes, path), forwarded, "{path}");
    }
}

#[test]
fn an_identity_header_that_could_not_be_ours_alone_is_an_error() {
    for name in
        ["x-integration-app-token", "host", "content-length", "x-forwarded-for", "x_forwarded_for", "te"]
    {
        let identity = vec![(HeaderName::from_static(name), Property::Id)];
        let Err(error) = Routes::new(vec![UpstreamConfig { identity, ..upstream("api", &[], "/") }]) else {
            panic!("{name} was taken")
        };
        assert!(error.contains(name), "{error}");
    }
    let twice = ["x-user", "x_user"].map(|name| (HeaderName::from_static(name), Property::Id)).to_vec();
    assert!(Routes::new(vec![UpstreamConfig { identity: twice, ..upstream("api", &[], "/") }]).is_err());
}

#[test]
fn the_query_and_the_host_stay_when_the_path_changes() {
    let with_path = |path, target: &str| with_path(path, target.parse().unwrap());
    assert_eq!(with_path("/b", "/a?q=1&q=%20"), "/b?q=1&q=%20");
    assert_eq!(with_path("/b", "http://h:1/a"), "http://h:1/b");
    assert_eq!(with_path("//b", "/?").path(), "//b");
}
