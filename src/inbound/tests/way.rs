use super::*;

fn behind_a_proxy() -> GateConfig {
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    GateConfig { trusted_proxies: TrustedProxies { networks, unix: false }, ..GateConfig::default() }
}

#[tokio::test]
async fn h37_what_a_proxy_says_is_logged_and_told_on_only_if_it_is_trusted() {
    for (config, client, told_on) in [
        (behind_a_proxy(), Some("203.0.113.9"), "203.0.113.9, 192.0.2.7"),
        (GateConfig::default(), None, "192.0.2.7"),
    ] {
        let gate = Gate::guarded(config, echo().await, |_| {});
        let asked = || get("/").header("x-forwarded-for", "198.51.100.1, 203.0.113.9");
        let seen = seen(gate.ask(asked().header(TOKEN, token(json!({"id": "c-1"})))).await).await;
        assert_eq!(values(&seen, "x-forwarded-for"), [told_on]);
        assert_eq!(gate.ask(asked()).await.status(), 401);
        let line = gate.last_line();
        assert_eq!((line["client"].as_str(), line["peer"].as_str()), (client, Some("192.0.2.7:4711")));
    }
}

#[tokio::test]
async fn h37_no_forwarded_header_chooses_an_upstream_or_a_rule_even_from_a_trusted_proxy() {
    let rules = vec![
        RuleConfig { path: "/open".into(), allow: Allow::Public, ..RuleConfig::everything_verified() },
        RuleConfig {
            methods: vec![Method::OPTIONS],
            allow: Allow::Public,
            ..RuleConfig::everything_verified()
        },
        RuleConfig::everything_verified(),
    ];
    let gate = Gate::guarded(behind_a_proxy(), 1, |upstream| {
        upstream.rules = rules;
        upstream.hosts = vec!["api.test".into()];
    });
    for name in [
        "x-original-url",
        "x-original-uri",
        "x-rewrite-url",
        "x-forwarded-uri",
        "x-forwarded-prefix",
        "x-forwarded-path",
    ] {
        assert_eq!(gate.ask(get("/closed").header(name, "/open")).await.status(), 401, "{name}");
    }
    for name in ["x-http-method-override", "x-http-method", "x-method-override", "x-forwarded-method"] {
        assert_eq!(gate.ask(get("/closed").header(name, "OPTIONS")).await.status(), 401, "{name}");
    }
    for (name, value) in [("x-forwarded-host", "api.test"), ("forwarded", "for=192.0.2.1;host=api.test")] {
        let request = Request::get("/open").header("host", "other.test").header(name, value);
        let answer = gate.inbound.answer(request.body(Body::empty()).unwrap(), arrival()).await;
        assert_eq!(answer.status(), 404, "{name}");
    }
}

#[tokio::test]
async fn h38_nothing_but_a_token_opens_a_path() {
    let gate = Gate::before(1, |_| {});
    for path in [
        "/health",
        "/healthz",
        "/ready",
        "/readyz",
        "/ping",
        "/metrics",
        "/status",
        "/favicon.ico",
        "/.well-known/x",
    ] {
        assert_eq!(gate.ask(get(path)).await.status(), 401, "{path}");
    }
    for agent in ["kube-probe/1.29", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/2.0"] {
        assert_eq!(gate.ask(get("/").header("user-agent", agent)).await.status(), 401, "{agent}");
    }
}

#[tokio::test]
async fn h41_what_means_something_in_a_regular_expression_means_itself() {
    let only = |path: &str| RuleConfig {
        path: path.into(),
        allow: Allow::Public,
        ..RuleConfig::everything_verified()
    };
    let claims = vec![("id".to_owned(), vec![json!("a.c")])];
    let rules = vec![
        only("/a.c"),
        only("/x+y/*"),
        only("/(a|b)"),
        only("/[ab]$"),
        RuleConfig { path: "/claims".into(), claims, ..RuleConfig::everything_verified() },
    ];
    let gate = Gate::before(echo().await, |upstream| {
        upstream.rules = rules;
        upstream.hosts = vec!["api.test".into()];
    });
    for (path, status) in [
        ("/a.c", 200),
        ("/abc", 404),
        ("/x+y/z", 200),
        ("/xxy/z", 404),
        ("/a", 404),
        ("/(a|b)", 200),
        ("/[ab]$", 200),
        ("/b", 404),
    ] {
        assert_eq!(gate.ask(get(path)).await.status(), status, "{path}");
    }
    for (id, status) in [("a.c", 200), ("abc", 403)] {
        let request = get("/claims").header(TOKEN, token(json!({"id": id})));
        assert_eq!(gate.ask(request).await.status(), status, "{id}");
    }
    let request = Request::get("/a.c").header("host", "apiXtest").body(Body::empty()).unwrap();
    assert_eq!(gate.inbound.answer(request, arrival()).await.status(), 404);
}

#[tokio::test]
async fn h45_nothing_of_a_request_is_in_an_answer_of_ours() {
    let gate = Gate::before(1, |_| {});
    let marker = "markerbutnotours";
    let hostile = format!("<script>{marker}</script>");
    let asked = [
        get(&format!("/{marker}/%3Cscript%3E?{marker}")),
        get("/").header(TOKEN, &hostile),
        get("/").header(TOKEN, format!("{marker}.{marker}.{marker}")),
        get(&format!("/{marker}/%2e%2e")),
        Request::builder().method(marker).uri("/"),
        get("/").header(format!("x_sidegate_{marker}"), "1"),
    ];
    for request in asked {
        let answer = gate.ask(request.header("accept", "text/html").header("accept-encoding", "gzip")).await;
        assert!(answer.status().is_client_error());
        let text = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(text("content-type").as_deref(), Some("application/json"));
        assert_eq!(text("x-content-type-options").as_deref(), Some("nosniff"));
        assert_eq!(text("content-encoding"), None);
        let headers = format!("{:?}", answer.headers());
        let Ok(Collected::Whole(body)) = collect_within(answer.into_body(), 1000).await else {
            panic!("our answers are short")
        };
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(!body.contains(marker) && !headers.contains(marker), "{headers} {body}");
    }
}
