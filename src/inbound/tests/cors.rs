use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, VARY,
};

use super::*;
use crate::inbound::cors::{CorsConfig, OnPreflight, Origins};

const APP: &str = "https://app.example.com";

fn config(preflight: OnPreflight) -> CorsConfig {
    CorsConfig {
        preflight,
        origins: Origins::Listed(vec![HeaderValue::from_static(APP)]),
        methods: vec![Method::GET, Method::PUT],
        headers: vec![HeaderName::from_static("content-type"), HeaderName::from_static(TOKEN)],
        credentials: true,
        max_age: Duration::from_secs(60),
    }
}

fn gate(port: u16, preflight: OnPreflight) -> Gate {
    Gate::before(port, |upstream| upstream.cors = Some(config(preflight)))
}

fn preflight(origin: &str) -> http::request::Builder {
    Request::options("/orders").header("origin", origin).header("access-control-request-method", "PUT")
}

fn text<'a>(answer: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn h43_by_default_a_preflight_is_a_request_like_any_other() {
    let gate = Gate::before(1, |_| {});
    let answer = gate.ask(preflight(APP)).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[&REJECTION]),
        (401, &"no_token".parse().unwrap())
    );
    assert_eq!(text(&answer, &ACCESS_CONTROL_ALLOW_ORIGIN), None);
}

#[tokio::test]
async fn h43_a_forwarded_preflight_carries_neither_token_nor_identity() {
    let gate = Gate::before(echo().await, |upstream| {
        upstream.cors = Some(config(OnPreflight::Forward));
        upstream.forward_token = true;
    });
    let request = preflight("https://anyone.example.com")
        .header(TOKEN, token(json!({"id": "c-1"})))
        .header("x-sidegate-customer", "forged");
    let seen = seen(gate.ask(request).await).await;
    assert_eq!(seen[0], "OPTIONS /orders HTTP/1.1");
    assert_eq!(values(&seen, "access-control-request-method"), ["PUT"]);
    for name in [TOKEN, "x-sidegate-customer", "x-sidegate-workspace", "x-sidegate-admin"] {
        assert_eq!(values(&seen, name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn h43_only_a_true_preflight_passes_without_a_token() {
    for preflight_is in [OnPreflight::Forward, OnPreflight::Answer] {
        let gate = gate(1, preflight_is);
        let of = |method| Request::builder().method(method).uri("/");
        let asked = [
            of("OPTIONS").header("origin", APP),
            of("OPTIONS").header("access-control-request-method", "PUT"),
            of("GET").header("origin", APP).header("access-control-request-method", "PUT"),
            of("OPTIONS")
                .header("origin", APP)
                .header("origin", APP)
                .header("access-control-request-method", "PUT"),
            preflight(APP).header("access-control-request-method", "GET"),
        ];
        for request in asked {
            assert_eq!(gate.ask(request).await.status(), 401, "{preflight_is:?}");
        }
        let with_body = preflight(APP).header("host", "api.test").body(Body::full("x")).unwrap();
        assert_eq!(gate.inbound.answer(with_body, arrival()).await.status(), 401, "{preflight_is:?}");
    }
}

#[tokio::test]
async fn h43_an_answered_preflight_never_reaches_the_api() {
    let gate = gate(1, OnPreflight::Answer);
    let answer = gate.ask(preflight(APP).header(TOKEN, "garbage")).await;
    assert_eq!(answer.status(), 204);
    for (name, expected) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, APP),
        (ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, PUT"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "content-type, x-integration-app-token"),
        (ACCESS_CONTROL_MAX_AGE, "60"),
        (VARY, "origin"),
    ] {
        assert_eq!(text(&answer, &name), Some(expected), "{name}");
    }
    for stranger in
        ["https://app.example.com.evil.test", "https://APP.example.com", "null", "http://app.example.com"]
    {
        let answer = gate.ask(preflight(stranger)).await;
        let told = (answer.status().as_u16(), &answer.headers()[&REJECTION]);
        assert_eq!(told, (403, &"origin_not_allowed".parse().unwrap()), "{stranger}");
        assert_eq!(text(&answer, &ACCESS_CONTROL_ALLOW_ORIGIN), None, "{stranger}");
    }
}

#[tokio::test]
async fn an_answer_says_who_may_read_it_also_where_it_is_a_refusal() {
    let gate = gate(echo().await, OnPreflight::Answer);
    let valid = token(json!({"id": "c-1"}));
    let passed = gate.ask(get("/").header(TOKEN, &valid).header("origin", APP)).await;
    let refused = gate.ask(get("/").header("origin", APP)).await;
    assert_eq!((passed.status().as_u16(), refused.status().as_u16()), (200, 401));
    for answer in [&passed, &refused] {
        assert_eq!(text(answer, &ACCESS_CONTROL_ALLOW_ORIGIN), Some(APP));
        assert_eq!(text(answer, &ACCESS_CONTROL_ALLOW_CREDENTIALS), Some("true"));
        assert_eq!(text(answer, &VARY), Some("origin"));
    }
    assert!(
        text(&refused, &http::header::ACCESS_CONTROL_EXPOSE_HEADERS)
            .unwrap()
            .contains("x-sidegate-rejection")
    );
    for origin in [None, Some("https://evil.test")] {
        let request = origin
            .iter()
            .fold(get("/").header(TOKEN, &valid), |request, origin| request.header("origin", *origin));
        let answer = gate.ask(request).await;
        assert_eq!(
            (text(&answer, &ACCESS_CONTROL_ALLOW_ORIGIN), text(&answer, &VARY)),
            (None, Some("origin"))
        );
    }
}

#[tokio::test]
async fn any_origin_may_read_without_credentials() {
    let any = CorsConfig { origins: Origins::Any, credentials: false, ..config(OnPreflight::Answer) };
    let gate = Gate::before(1, |upstream| upstream.cors = Some(any));
    let answer = gate.ask(preflight("https://anyone.example.com")).await;
    assert_eq!((answer.status().as_u16(), text(&answer, &ACCESS_CONTROL_ALLOW_ORIGIN)), (204, Some("*")));
    assert_eq!((text(&answer, &ACCESS_CONTROL_ALLOW_CREDENTIALS), text(&answer, &VARY)), (None, None));
}
