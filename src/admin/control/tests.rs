use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;

use super::*;
use crate::admin::connections::{Connections, Count, Unwell};
use crate::admin::preview::Preview;
use crate::admin::readiness::Unmet;
use crate::admin::sealing::{KeyRows, Rotation, Sealing};
use crate::admin::status::{InFlight, Key, Listener, Reloaded, Requests, Rule, Status, Upstream, Workspace};
use crate::clock::Timestamp;
use crate::http::body::{Collected, collect_within};

/// A process that counts what it is asked to do.
#[derive(Default)]
struct Process {
    reloads: AtomicUsize,
    drains: AtomicUsize,
    refuses: bool,
}

impl Operations for Process {
    fn status(&self) -> Status {
        status()
    }

    async fn reload(&self) -> Reloaded {
        self.reloads.fetch_add(1, Ordering::Relaxed);
        let complaints = self.refuses.then(|| "sidegate.yaml:1:1: no".to_owned());
        Reloaded { applied: !self.refuses, complaints: complaints.into_iter().collect(), ..reloaded() }
    }

    fn drain(&self) {
        self.drains.fetch_add(1, Ordering::Relaxed);
    }

    fn rotate(&self) -> Option<Rotation> {
        (!self.refuses).then(rotation)
    }

    async fn preview(&self, wanted: Wanted) -> Result<Preview, String> {
        match self.refuses {
            true => Err("there is no connection `c1`".into()),
            false => Ok(Preview { method: wanted.method, url: wanted.target, headers: Vec::new() }),
        }
    }

    async fn keys(&self) -> Option<Vec<KeyRows>> {
        let key = KeyRows {
            id: "k2".into(),
            configured: true,
            seals: true,
            connections: 3,
            customers: 1,
            consents: 2,
        };
        (!self.refuses).then(|| vec![key])
    }
}

fn reloaded() -> Reloaded {
    Reloaded {
        at: Timestamp::from_secs(1_700_000_100),
        cause: "SIGHUP",
        applied: false,
        generation: 3,
        complaints: vec!["upstreams/api.yaml:3:5: `<b>` is not a path".into()],
        warnings: Vec::new(),
        needs_restart: vec!["sidegate.yaml:1:1: `workers` changed".into()],
    }
}

fn rotation() -> Rotation {
    Rotation {
        key: "k2".into(),
        running: true,
        started: Timestamp::from_secs(1_700_003_600),
        ended: None,
        found: 2000,
        resealed: 1280,
        failed: 1,
        failures: vec!["the secrets of connection `<c1>` cannot be opened".into()],
        error: None,
    }
}

fn status() -> Status {
    Status {
        version: "9.9.9",
        now: Timestamp::from_secs(1_700_003_700),
        started: Timestamp::from_secs(1_700_000_000),
        unmet: vec![Unmet { condition: "keys", reason: "no key of globex was read yet".into() }],
        generation: 3,
        last_reload: Some(reloaded()),
        listeners: vec![Listener { name: "inbound", address: "0.0.0.0:8080".into() }],
        requests: vec![Requests { door: "inbound".into(), reason: "expired".into(), count: 1234 }],
        in_flight: vec![InFlight { door: "inbound".into(), count: 2 }],
        workspaces: vec![Workspace {
            key: "globex".into(),
            usable: false,
            required: true,
            keys: vec![Key { kid: None, algorithms: vec!["HS512".into()], source: "secret".into() }],
            fetched: Some(Timestamp::from_secs(1_700_003_640)),
            error: Some("503".into()),
            revocations: 17,
        }],
        upstreams: vec![Upstream {
            name: "api".into(),
            url: "http://127.0.0.1:3000".into(),
            mode: "observe",
            serves: "every path of every host".into(),
            rules: vec![Rule { path: "/*".into(), methods: Vec::new(), allow: "verified".into() }],
        }],
        integrations: Vec::new(),
        connections: Some(Connections {
            at: Some(Timestamp::from_secs(1_700_003_640)),
            counts: vec![Count { state: "ready", count: 1234 }, Count { state: "failing", count: 1 }],
            unwell: vec![Unwell {
                id: "c1".into(),
                customer: "<ada>".into(),
                integration: "crm".into(),
                state: "failing",
                error: "dead_app".into(),
                expires_at: Some(Timestamp::from_secs(1_700_007_200)),
                refreshed_at: None,
                next_refresh: Some(Timestamp::from_secs(1_700_003_760)),
                exchanges: 17,
                version: 4,
            }],
        }),
        sealing: Some(Sealing { keys: vec!["k2".into(), "k1".into()], rotation: Some(rotation()) }),
    }
}

fn control(process: Process) -> Control<Process> {
    Control::new(Arc::new(process), Address::Tcp(([127, 0, 0, 1], 9090).into()))
}

async fn ask(
    control: &Control<Process>,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
) -> (u16, HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(target);
    if headers.iter().all(|(name, _)| *name != "host") {
        request = request.header("host", "127.0.0.1:9090");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let answer = control.answer(&head).await;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let Ok(Collected::Whole(text)) = collect_within(answer.into_body(), 100_000).await else {
        panic!("a page is whole")
    };
    (status, headers, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn the_page_is_one_document_under_a_policy_that_admits_no_script() {
    let (status, headers, page) = ask(&control(Process::default()), "GET", "/status", &[]).await;
    assert_eq!(status, 200);
    assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(
        (&headers[CACHE_CONTROL], &headers[REFERRER_POLICY]),
        (&"no-store".parse().unwrap(), &"no-referrer".parse().unwrap())
    );
    for shown in [
        "not ready",
        "no key of globex",
        "1h 1m",
        "1,234",
        "observe",
        "every path",
        "&lt;b&gt;",
        "`workers`",
        "1m ago",
        "17 revocations",
        "&lt;ada&gt;",
        "dead_app",
        "17, 4",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for absent in ["<script", "<b>", "style=", "http-equiv", "src=", "onclick"] {
        assert!(!page.contains(absent), "{absent}");
    }
}

#[tokio::test]
async fn the_same_is_json_for_whoever_asks_for_it() {
    let control = control(Process::default());
    let accept = [("accept", "text/html;q=0.1, Application/JSON")];
    for (target, headers) in [("/status?format=json", &[][..]), ("/status", &accept[..])] {
        let (status, headers, text) = ask(&control, "GET", target, headers).await;
        assert_eq!((status, headers[CONTENT_TYPE].to_str().unwrap()), (200, "application/json"));
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(shown["started"], "2023-11-14T22:13:20.000Z");
        assert_eq!((&shown["generation"], &shown["lastReload"]["applied"]), (&3.into(), &false.into()));
        assert_eq!(shown["workspaces"][0]["fetched"], "2023-11-14T23:14:00.000Z");
    }
}

#[tokio::test]
async fn a_reload_tells_how_it_ended_and_a_drain_begins() {
    let control = control(Process::default());
    let (status, _, text) = ask(&control, "POST", "/reload", &[]).await;
    assert!(status == 200 && text.contains("\"applied\":true"), "{status} {text}");
    assert_eq!(ask(&control, "POST", "/drain", &[]).await.0, 202);
    let process = &control.operations;
    assert_eq!((process.reloads.load(Ordering::Relaxed), process.drains.load(Ordering::Relaxed)), (1, 1));
    let refusing = self::control(Process { refuses: true, ..Process::default() });
    let (status, _, text) = ask(&refusing, "POST", "/reload", &[]).await;
    assert!(status == 422 && text.contains("sidegate.yaml:1:1: no"), "{status} {text}");
}

async fn refused(control: &Control<Process>, method: &str, target: &str, headers: &[(&str, &str)]) -> String {
    let (status, answered, _) = ask(control, method, target, headers).await;
    assert!(status >= 400, "{method} {target} {headers:?}");
    answered["x-sidegate-rejection"].to_str().unwrap().to_owned()
}

fn untouched(control: &Control<Process>) {
    let process = &control.operations;
    assert_eq!((process.reloads.load(Ordering::Relaxed), process.drains.load(Ordering::Relaxed)), (0, 0));
}

#[tokio::test]
async fn h46_a_name_that_somebody_made_resolve_to_this_machine_is_not_answered() {
    let control = control(Process::default());
    for host in [
        "evil.test",
        "evil.test:9090",
        "127.0.0.1.evil.test",
        "localhost.evil.test",
        "10.0.0.1",
        "[::2]",
        "0.0.0.0",
    ] {
        for (method, target) in
            [("GET", "/status"), ("POST", "/reload"), ("POST", "/drain"), ("GET", "/elsewhere")]
        {
            assert_eq!(
                refused(&control, method, target, &[("host", host)]).await,
                "host_not_allowed",
                "{host}"
            );
        }
    }
    untouched(&control);
    for host in ["localhost", "LocalHost:9090", "127.0.0.1", "127.0.0.2:1", "[::1]:9090"] {
        assert_eq!(ask(&control, "GET", "/status", &[("host", host)]).await.0, 200, "{host}");
    }
}

#[tokio::test]
async fn h46_what_a_page_of_another_site_makes_a_browser_send_is_refused() {
    let control = control(Process::default());
    let elsewhere: [&[(&str, &str)]; 8] = [
        &[("origin", "http://evil.test")],
        &[("origin", "null")],
        &[("origin", "https://127.0.0.1:9090")],
        &[("origin", "http://127.0.0.1:3000")],
        &[("origin", "http://127.0.0.1:9090"), ("origin", "http://evil.test")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
    ];
    for headers in elsewhere {
        for target in ["/reload", "/drain"] {
            assert_eq!(refused(&control, "POST", target, headers).await, "cross_origin", "{headers:?}");
        }
    }
    untouched(&control);
    // A frame and a fetch of another site may not even look; a link may be followed.
    let frame =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    assert_eq!(refused(&control, "GET", "/status", &frame).await, "cross_origin");
    assert_eq!(refused(&control, "GET", "/status", elsewhere[0]).await, "cross_origin");
    assert_eq!(ask(&control, "GET", "/status", elsewhere[7]).await.0, 200);
    let own = [("origin", "http://127.0.0.1:9090"), ("sec-fetch-site", "same-origin")];
    assert_eq!(ask(&control, "POST", "/reload", &own).await.0, 200);
}

#[tokio::test]
async fn h46_each_page_has_its_methods_and_there_are_no_others() {
    let control = control(Process::default());
    for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
        for target in ["/reload", "/drain"] {
            assert_eq!(refused(&control, method, target, &[]).await, "method_not_allowed");
        }
    }
    assert_eq!(ask(&control, "GET", "/drain", &[]).await.1["allow"], "POST");
    assert_eq!(refused(&control, "POST", "/status", &[]).await, "method_not_allowed");
    assert_eq!(ask(&control, "HEAD", "/status", &[]).await.0, 200);
    for target in ["/status/", "/reload/x", "//reload", "/Reload", "/metrics", "/debug/pprof", "/favicon.ico"]
    {
        assert_eq!(refused(&control, "POST", target, &[]).await, "not_found", "{target}");
    }
    for target in ["/status/../reload", "/%2e%2e/reload", "/status%2f..%2freload", "/etc/passwd"] {
        assert!(ask(&control, "POST", target, &[]).await.0 >= 400, "{target}");
    }
    untouched(&control);
}

#[tokio::test]
async fn no_browser_can_ask_a_unix_socket_so_its_host_does_not_matter() {
    let control = Control::new(Arc::new(Process::default()), Address::Unix("/run/sidegate.sock".into()));
    assert_eq!(ask(&control, "GET", "/status", &[("host", "anything")]).await.0, 200);
}
