use super::*;

fn observing(port: u16, rules: Vec<RuleConfig>) -> Gate {
    Gate::before(port, |upstream| {
        upstream.mode = Mode::Observe;
        upstream.rules = rules;
    })
}

fn admins_only() -> Vec<RuleConfig> {
    vec![RuleConfig {
        methods: vec![Method::GET],
        allow: Allow::Admin,
        path: "/admin/*".into(),
        ..RuleConfig::everything_verified()
    }]
}

/// What the log says enforcing would have answered.
fn would_reject(gate: &Gate) -> Option<String> {
    let line = gate.last_line();
    assert_eq!((&line["reason"], &line["status"]), (&"ok".into(), &200.into()), "{line}");
    line["would_reject"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn what_the_rules_refuse_is_forwarded_and_told() {
    let gate = observing(echo().await, admins_only());
    let expired = || token(json!({"id": "c-1", "exp": NOW.as_secs()}));
    let valid = || token(json!({"id": "c-1"}));
    let asked: [(http::request::Builder, &str, &[&str]); 7] = [
        (get("/admin/x"), "no_token", &[]),
        (get("/admin/x").header(TOKEN, "garbage"), "malformed", &[]),
        (get("/admin/x").header(TOKEN, expired()), "expired", &[]),
        (
            get("/admin/x").header(TOKEN, "a.b.c").header("x-membrane-token", "d.e.f"),
            "token_headers_disagree",
            &[],
        ),
        (get("/admin/x").header(TOKEN, valid()), "admin_required", &["c-1"]),
        (get("/elsewhere").header(TOKEN, valid()), "no_rule", &["c-1"]),
        (Request::delete("/admin/x").header(TOKEN, valid()), "method_not_allowed", &["c-1"]),
    ];
    for (request, reason, customer) in asked {
        let request = request.header("x-sidegate-customer", "forged").header("x-sidegate-admin", "true");
        let seen = seen(gate.ask(request).await).await;
        assert_eq!(would_reject(&gate).as_deref(), Some(reason));
        assert_eq!(values(&seen, "x-sidegate-customer"), customer, "{reason}");
        assert!(!values(&seen, "x-sidegate-admin").contains(&"true"), "{reason}");
        assert_eq!(values(&seen, TOKEN), [""; 0], "{reason}");
    }
    let metrics = gate.inbound.telemetry.metrics.render();
    assert!(metrics.contains(r#"sidegate_would_reject_total{reason="admin_required"} 1"#), "{metrics}");
}

#[tokio::test]
async fn what_the_rules_admit_is_as_if_they_were_enforced() {
    let gate = observing(echo().await, admins_only());
    let admin = token(json!({"id": "root", "isAdmin": true}));
    let seen = seen(gate.ask(get("/admin/x").header(TOKEN, admin)).await).await;
    assert_eq!(values(&seen, "x-sidegate-customer"), ["root"]);
    assert_eq!(values(&seen, "x-sidegate-admin"), ["true"]);
    assert_eq!(would_reject(&gate), None);
}

#[tokio::test]
async fn h36_a_twin_of_a_managed_name_does_not_pass_by_observing() {
    let gate = observing(echo().await, Vec::new());
    let request = get("/").header(TOKEN, token(json!({"id": "c-1"})));
    let request = request.header("x_sidegate_customer", "forged").header("X-Integration_App-Token", "forged");
    let seen = seen(gate.ask(request).await).await;
    assert_eq!(values(&seen, "x-sidegate-customer"), ["c-1"]);
    assert_eq!(values(&seen, TOKEN), [""; 0]);
    assert_eq!(would_reject(&gate).as_deref(), Some("ambiguous_header"));
}

#[tokio::test]
async fn what_two_parsers_would_read_in_two_ways_is_refused_even_so() {
    let gate = observing(1, Vec::new());
    let answer = gate.ask(get("/a/%2e%2e/b")).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[&REJECTION]),
        (400, &"path_dot_segment".parse().unwrap())
    );
}
