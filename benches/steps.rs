//! What the steps of a request cost one by one, apart from verification: admission, the rule, the headers, the event.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use serde_json::json;
use sidegate::clock::SystemClock;
use sidegate::config::{self, Flags, Sources};
use sidegate::http::headers::{Fields, admit, strip_hop_by_hop};
use sidegate::http::request_id::RequestIds;
use sidegate::http::trace_context;
use sidegate::inbound::Routes;
use sidegate::inbound::identity::{Identity, Property};
use sidegate::telemetry::labels::{Blame, Door};
use sidegate::telemetry::{AccessLog, RequestEvent, Telemetry};
use sidegate::token::Claims;

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/steps.yaml");

/// A request as a browser's fetch sends it.
fn head() -> Parts {
    Request::get("/orders/7?expand=lines")
        .header("host", "orders.example.com")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
        .header("accept", "application/json")
        .header("accept-language", "en")
        .header("x-integration-app-token", "e.y.J")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(())
        .unwrap()
        .into_parts()
        .0
}

fn routes() -> Routes {
    let sources =
        Sources { paths: vec![CONFIG.into()], flags: Flags::default(), environment: BTreeMap::new() };
    Routes::new(config::load(&sources).unwrap().upstreams).unwrap()
}

fn claims() -> Claims {
    let claims = json!({
        "iss": "acme", "id": "customer-000001", "name": "A Customer",
        "fields": {"plan": "pro", "region": "eu"}
    });
    let serde_json::Value::Object(claims) = claims else { unreachable!() };
    Claims::from_json(claims).unwrap()
}

fn event() -> RequestEvent<'static> {
    RequestEvent {
        request_id: "0af7651916cd43dd8448eb211c80319c",
        method: "GET",
        path: "/orders/7",
        protocol: "http/1.1",
        target: "orders",
        rule: "/orders/*",
        workspace: "acme",
        customer: "customer-000001",
        algorithm: "HS512",
        peer: Some(SocketAddr::from(([192, 0, 2, 1], 4711))),
        duration: Duration::from_micros(1_234),
        auth: Some(Duration::from_micros(12)),
        upstream: Some(Duration::from_micros(1_100)),
        sent: 512,
        ..RequestEvent::new(Door::Inbound, "ok", 200, Blame::None)
    }
}

fn steps(criterion: &mut Criterion) {
    let head = head();
    let mut group = criterion.benchmark_group("steps");
    group.bench_function("admission", |bench| bench.iter(|| admit(black_box(&head)).is_ok()));

    let ids = RequestIds::default();
    group.bench_function("a new request id", |bench| bench.iter(|| ids.of(black_box(&head.headers))));

    let routes = routes();
    let find = |method| routes.find(black_box("orders.example.com"), &method, black_box("/orders/7")).is_ok();
    assert!(find(Method::GET));
    group.bench_function("rule match", |bench| bench.iter(|| find(Method::GET)));

    let identity = Identity::new(&[
        (HeaderName::from_static("x-sidegate-customer"), Property::Id),
        (HeaderName::from_static("x-sidegate-workspace"), Property::Workspace),
        (HeaderName::from_static("x-sidegate-admin"), Property::IsAdmin),
    ]);
    let claims = claims();
    let rewrite = |mut headers: HeaderMap<HeaderValue>| {
        trace_context::settle(&mut headers);
        strip_hop_by_hop(&mut headers);
        identity.write(&mut Fields::of_map(&mut headers), Some(&claims));
        headers
    };
    group.bench_function("header rewrite", |bench| {
        bench.iter_batched(|| head.headers.clone(), rewrite, BatchSize::SmallInput);
    });

    let buffer = Arc::new(Mutex::new(Vec::new()));
    for (name, log) in
        [("event", AccessLog::to_buffer(buffer.clone())), ("event without a line", AccessLog::off())]
    {
        let telemetry = Telemetry::new(log, Arc::new(SystemClock));
        let series = telemetry.metrics.upstream("orders");
        let event = RequestEvent { series: Some(&series), ..event() };
        group.bench_function(name, |bench| {
            bench.iter(|| {
                buffer.lock().unwrap().clear();
                telemetry.request(black_box(&event));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
