use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::identity::Property;
use super::rejection::REJECTION;
use super::rules::{Allow, RuleConfig};
use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::http::body::{Collected, collect_within};
use crate::http::pool::{Origin, Protocol};
use crate::http::tls::ClientTls;
use crate::secret::Secret;
use crate::telemetry::AccessLog;
use crate::token::keys::{Algorithm, WorkspaceConfig};
use crate::token::mint::{SigningKey, mint};
use crate::token::{Config, Policy, Verifier};

mod cors;
mod limits;
mod observe;
mod record;
mod way;

const SECRET: &str = "a secret of more than thirty-two bytes";
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TOKEN: &str = "x-integration-app-token";

/// A worker in front of an API, with its access log.
struct Gate {
    inbound: Inbound,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Gate {
    fn before(port: u16, change: impl FnOnce(&mut UpstreamConfig)) -> Self {
        Self::guarded(GateConfig::default(), port, change)
    }

    fn guarded(config: GateConfig, port: u16, change: impl FnOnce(&mut UpstreamConfig)) -> Self {
        let mut upstream = UpstreamConfig {
            name: "api".into(),
            mode: Mode::Enforce,
            origin: Origin::Tcp { host: "127.0.0.1".into(), port, tls: false },
            tls: ClientTls::default(),
            preserve_host: true,
            protocol: Protocol::default(),
            upgrades: vec!["websocket".into()],
            strip_prefix: None,
            add_prefix: None,
            hosts: Vec::new(),
            path_prefix: "/".into(),
            token_headers: ["x-membrane-token", TOKEN].map(HeaderName::from_static).to_vec(),
            policy: Policy::default(),
            rules: Vec::new(),
            identity: vec![
                (HeaderName::from_static("x-sidegate-customer"), Property::Id),
                (HeaderName::from_static("x-sidegate-workspace"), Property::Workspace),
                (HeaderName::from_static("x-sidegate-admin"), Property::IsAdmin),
            ],
            forward_token: false,
            cors: None,
            limits: LimitsConfig::default(),
            closes_on_expiry: false,
            upgrade_idle_timeout: None,
            connect_timeout: Duration::from_secs(5),
            response_head_timeout: Duration::from_secs(5),
            body_idle_timeout: Duration::from_secs(5),
            pool_idle_timeout: Duration::from_secs(4),
        };
        change(&mut upstream);
        let clock = Arc::new(ManualClock::at(NOW));
        let workspace = WorkspaceConfig {
            secret: Some(Secret::new(SECRET.to_owned())),
            ..WorkspaceConfig::named("acme")
        };
        let tokens = Config { workspaces: vec![workspace], cache_entries: 100, ..Config::default() };
        let (verifier, _) = Verifier::new(tokens, clock.clone()).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let telemetry = Telemetry::new(AccessLog::to_buffer(log.clone()), clock);
        let snapshot = Snapshot::first(vec![upstream], Arc::new(verifier)).unwrap().guarded_by(config);
        Self { inbound: Inbound::new(Arc::new(ArcSwap::from_pointee(snapshot)), telemetry), log }
    }

    async fn ask(&self, request: http::request::Builder) -> Response<Body> {
        let request = request.header("host", "api.test").body(Body::empty()).unwrap();
        self.inbound.answer(request, arrival()).await
    }

    fn last_line(&self) -> Value {
        let log = self.log.lock().unwrap();
        serde_json::from_slice(log.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap()).unwrap()
    }
}

fn arrival() -> Arrival {
    Arrival {
        peer: Some("192.0.2.7:4711".parse().unwrap()),
        tls: false,
        misdirected: false,
        at: Instant::now(),
    }
}

/// An API on a real socket that answers every request with its head, as text.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while let Ok(byte) = socket.read_u8().await {
                    head.push(byte);
                    if head.ends_with(b"\r\n\r\n") {
                        let own = "x-sidegate-rejection: forged\r\nx-request-id: forged";
                        let answer =
                            format!("HTTP/1.1 200 OK\r\n{own}\r\ncontent-length: {}\r\n\r\n", head.len());
                        socket.write_all(answer.as_bytes()).await.unwrap();
                        socket.write_all(&std::mem::take(&mut head)).await.unwrap();
                    }
                }
            });
        }
    });
    port
}

/// What the API saw: its request line, then each header as sent.
async fn seen(answer: Response<Body>) -> Vec<String> {
    assert_eq!(answer.status(), 200, "{:?}", answer.headers());
    let Ok(Collected::Whole(head)) = collect_within(answer.into_body(), 100_000).await else {
        panic!("the API answers with a short body")
    };
    String::from_utf8(head.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

fn values<'a>(seen: &'a [String], name: &str) -> Vec<&'a str> {
    let of_name = |line: &'a String| {
        let (found, value) = line.split_once(": ")?;
        crate::http::headers::folds_to(found, name).then_some(value)
    };
    seen.iter().filter_map(of_name).collect()
}

fn token(claims: Value) -> String {
    let Value::Object(mut claims) = claims else { panic!("claims are an object") };
    claims.insert("iss".into(), json!("acme"));
    mint(&claims, Algorithm::HS256, &SigningKey::Secret(Secret::new(SECRET.to_owned())), None).unwrap()
}

fn get(path: &str) -> http::request::Builder {
    Request::get(path)
}

#[tokio::test]
async fn an_admitted_request_reaches_the_api_with_our_identity_and_without_its_token() {
    let gate = Gate::before(echo().await, |_| {});
    let request =
        get("/orders/7?q=%20").header(TOKEN, token(json!({"id": "c-1"}))).header("x-request-id", "r-1");
    let answer = gate.ask(request.header("authorization", "Bearer own.of.api")).await;
    assert_eq!(answer.headers()["x-request-id"], "r-1");
    assert!(!answer.headers().contains_key(&REJECTION), "the API passed off an answer as ours");
    let seen = seen(answer).await;
    assert_eq!(seen[0], "GET /orders/7?q=%20 HTTP/1.1");
    assert_eq!(values(&seen, "x-sidegate-customer"), ["c-1"]);
    assert_eq!(values(&seen, "x-sidegate-workspace"), ["acme"]);
    assert_eq!(values(&seen, "x-sidegate-admin"), ["false"]);
    assert_eq!(values(&seen, "x-request-id"), ["r-1"]);
    assert_eq!(values(&seen, "x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(values(&seen, "authorization"), ["Bearer own.of.api"]);
    assert_eq!(values(&seen, TOKEN), [""; 0]);
    let line = gate.last_line();
    assert_eq!(
        (&line["reason"], &line["status"], &line["path"]),
        (&"ok".into(), &200.into(), &"/orders/7".into())
    );
    assert_eq!((&line["target"], &line["rule"]), (&"api".into(), &"/*".into()));
    assert_eq!((&line["customer"], &line["algorithm"]), (&"c-1".into(), &"HS256".into()));
}

#[tokio::test]
async fn without_a_valid_token_nothing_reaches_the_api() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = Gate::before(nobody.local_addr().unwrap().port(), |_| {});
    let forged = format!("{}x", token(json!({"id": "c-1"})));
    let expired = token(json!({"id": "c-1", "exp": NOW.as_secs()}));
    for (sent, code, reason) in [
        (None, "no_token", "no_token"),
        (Some(String::new()), "invalid_token", "malformed"),
        (Some(forged), "invalid_token", "bad_signature"),
        (Some(expired), "expired_token", "expired"),
    ] {
        let request = sent.iter().fold(get("/"), |request, token| request.header(TOKEN, token));
        let answer = gate.ask(request).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[&REJECTION]),
            (401, &HeaderValue::from_static(code))
        );
        let line = gate.last_line();
        assert_eq!(
            (line["reason"].as_str(), line["blame"].as_str()),
            (Some(reason), Some("caller")),
            "{line}"
        );
        assert_eq!(line["request_id"], answer.headers()["x-request-id"].to_str().unwrap());
    }
}

#[tokio::test]
async fn a_public_rule_ignores_tokens_and_still_erases_them_and_the_identity() {
    let public = RuleConfig { allow: Allow::Public, ..RuleConfig::everything_verified() };
    let gate = Gate::before(echo().await, |upstream| upstream.rules = vec![public]);
    let request =
        get("/").header(TOKEN, "not a token").header(TOKEN, "twice").header("x-sidegate-customer", "root");
    let seen = seen(gate.ask(request).await).await;
    assert_eq!(values(&seen, TOKEN), [""; 0]);
    assert_eq!(values(&seen, "x-sidegate-customer"), [""; 0]);
}

#[tokio::test]
async fn the_token_goes_on_where_the_upstream_asks_for_it() {
    let gate = Gate::before(echo().await, |upstream| upstream.forward_token = true);
    let token = token(json!({"id": "c-1"}));
    let seen = seen(gate.ask(get("/").header(TOKEN, &token)).await).await;
    assert_eq!(values(&seen, TOKEN), [token]);
}

#[tokio::test]
async fn h18_connection_cannot_take_our_headers_away() {
    let gate = Gate::before(echo().await, |_| {});
    let listed = "close, X-Sidegate-Customer, X-Sidegate-Admin, X-Forwarded-For, X-Request-Id";
    let request = get("/").header(TOKEN, token(json!({"id": "c-1"}))).header("connection", listed);
    let seen = seen(gate.ask(request).await).await;
    assert_eq!(values(&seen, "x-sidegate-customer"), ["c-1"]);
    assert_eq!(values(&seen, "x-sidegate-admin"), ["false"]);
    assert_eq!(values(&seen, "x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(values(&seen, "x-request-id").len(), 1);
}

#[tokio::test]
async fn h10_a_name_that_some_servers_read_as_ours_is_refused() {
    let gate = Gate::before(1, |_| {});
    for name in
        ["x_integration_app_token", "x-integration_app-token", "x_sidegate-customer", "x-sidegate_any"]
    {
        let answer = gate.ask(get("/").header(TOKEN, token(json!({"id": "c"}))).header(name, "v")).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[&REJECTION]),
            (400, &"ambiguous_header".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn prefix_and_host_are_the_upstreams_where_it_says_so() {
    let port = echo().await;
    let gate = Gate::before(port, |upstream| {
        upstream.preserve_host = false;
        upstream.strip_prefix = Some("/orders".into());
        upstream.add_prefix = Some("/v1".into());
    });
    let seen = seen(gate.ask(get("/orders/a%20b?x=1").header(TOKEN, token(json!({"id": "c"})))).await).await;
    assert_eq!(seen[0], "GET /v1/a%20b?x=1 HTTP/1.1");
    assert_eq!(values(&seen, "host"), [format!("127.0.0.1:{port}")]);
    assert_eq!(values(&seen, "x-forwarded-host"), ["api.test"]);
}

#[tokio::test]
async fn a_dead_upstream_is_blamed_for_it() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let gate = Gate::before(gone, |_| {});
    let answer = gate.ask(get("/").header(TOKEN, token(json!({"id": "c-1"})))).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[&REJECTION]),
        (502, &"upstream_down".parse().unwrap())
    );
    let line = gate.last_line();
    assert_eq!((line["blame"].as_str(), line["customer"].as_str()), (Some("upstream"), Some("c-1")));
    assert!(
        line["detail"].as_str().is_some_and(|detail| detail.len() > "the service cannot be reached".len())
    );
}

#[tokio::test]
async fn a_silent_upstream_is_given_up_after_its_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = Gate::before(silent.local_addr().unwrap().port(), |upstream| {
        upstream.response_head_timeout = Duration::from_millis(20);
    });
    let answer = gate.ask(get("/").header(TOKEN, token(json!({"id": "c-1"})))).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[&REJECTION]),
        (504, &"upstream_timeout".parse().unwrap())
    );
}

#[tokio::test]
async fn a_caller_who_leaves_is_one_event_too() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = Gate::before(silent.local_addr().unwrap().port(), |_| {});
    tokio::select! {
        _ = gate.ask(get("/").header(TOKEN, token(json!({"id": "c-1"})))) => panic!("nobody answers"),
        _ = silent.accept() => {}
    }
    let line = gate.last_line();
    assert_eq!((line["reason"].as_str(), line["status"].as_u64()), (Some("client_gone"), Some(499)));
    assert!(
        gate.inbound.telemetry.metrics.render().contains(r#"http_server_active_requests{door="inbound"} 0"#)
    );
}

#[tokio::test]
async fn only_a_matching_rule_lets_a_method_through() {
    let rules = vec![RuleConfig { methods: vec![Method::GET], ..RuleConfig::everything_verified() }];
    let gate = Gate::before(1, |upstream| upstream.rules = rules);
    let answer = gate.ask(Request::delete("/").header(TOKEN, token(json!({"id": "c"})))).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, "GET"));
}

fn any_header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        "[xX]-[sS]idegate-(customer|CUSTOMER|workspace|admin|other)",
        "x[-_]sidegate[-_](customer|workspace|admin)",
        "(connection|forwarded|x-forwarded-for|x-forwarded-host|x-request-id|x-real-ip|x-own)",
    ];
    let value = prop_oneof!["[a-z0-9]{0,8}", "(close|x-sidegate-customer|x-sidegate-admin|x-own)"];
    (name, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// H36 and H40: whatever is sent, the API sees one value of ours under each managed name, or none.
    #[test]
    fn h36_the_api_sees_our_identity_or_none(
        sent in proptest::collection::vec(any_header(), 0..12),
        with_token in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let optional = RuleConfig { allow: Allow::Optional, ..RuleConfig::everything_verified() };
            let gate = Gate::before(echo().await, |upstream| upstream.rules = vec![optional]);
            let mut request = sent.iter().fold(get("/"), |request, (name, value)| request.header(name, value));
            if with_token {
                request = request.header(TOKEN, token(json!({"id": "c-1", "isAdmin": true})));
            }
            let twin = sent.iter().any(|(name, _)| name.contains('_'));
            let answer = gate.ask(request).await;
            assert_eq!(answer.status() == 400, twin, "{sent:?}");
            if twin {
                return;
            }
            let seen = seen(answer).await;
            let ours: [(&str, &[&str]); 6] = [
                ("x-sidegate-customer", &["c-1"]),
                ("x-sidegate-workspace", &["acme"]),
                ("x-sidegate-admin", &["true"]),
                ("x-sidegate-other", &[]),
                ("x-real-ip", &[]),
                ("forwarded", &[]),
            ];
            for (name, expected) in ours {
                let expected = if with_token { expected } else { &[] };
                assert_eq!(values(&seen, name), expected, "{sent:?}");
            }
            assert_eq!(values(&seen, "x-forwarded-for"), ["192.0.2.7"]);
            assert_eq!(values(&seen, "x-forwarded-host"), ["api.test"]);
            assert_eq!(values(&seen, "x-request-id").len(), 1);
        });
    }
}
