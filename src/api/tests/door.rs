//! What any answer of this door has, and what becomes of requests that mean nothing to it.

use http::StatusCode;
use serde_json::json;

use super::KEYS;
use super::scene::Scene;

#[tokio::test]
async fn paths_of_the_vendors_other_products_are_not_found() {
    let scene = Scene::start().await;
    for line in [
        "GET /flows",
        "GET /",
        "GET /actions?limit=1",
        "GET /connections/a/operations/b",
        "POST /connections/a/data/b/list",
        "GET /self/x",
        "GET //self",
        "GET /connections/a/restore",
        "POST /customers/ada/restore",
        "GET /integrations/keys/operations",
        "GET /connection-options/x",
    ] {
        let told = scene.ask(&scene.ada(), line, "").await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::NOT_FOUND, "nothing_here"), "{line}");
        assert_eq!((&told.body["type"], &told.body["key"]), (&json!("bad_request"), &json!("not_found")));
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let scene = Scene::start().await;
    for (line, allow) in [
        ("DELETE /self", "GET, PATCH"),
        ("PUT /connections", "GET, POST"),
        ("POST /connections/a", "GET, PATCH, PUT, DELETE"),
        ("GET /connections/a/refresh-credentials", "POST"),
        ("GET /connections/a/test", "POST"),
        ("POST /connection?id=a", "GET, PATCH, PUT, DELETE"),
        ("DELETE /customers", "GET, POST"),
        ("POST /customer?id=ada", "GET, PATCH, PUT, DELETE"),
        ("POST /integrations", "GET"),
        ("DELETE /integrations/keys", "GET"),
        ("POST /integrations/keys/connector-spec", "GET"),
        ("GET /integrations/keys/disconnect", "POST"),
        ("GET /connection-options", "POST"),
    ] {
        let told = scene.ask(&scene.ada(), line, "").await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
        assert_eq!(told.headers["allow"], allow, "{line}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_without_a_word_of_them() {
    let scene = Scene::start().await;
    let long = format!(r#"{{"name":"planted{}"}}"#, "x".repeat(1024 * 1024));
    let cases = [
        (r#"{"name": planted}"#, StatusCode::BAD_REQUEST, "malformed_json"),
        (r#"["planted"]"#, StatusCode::BAD_REQUEST, "malformed_json"),
        (r#"{"integrationKey":7}"#, StatusCode::BAD_REQUEST, "wrong_field"),
        (r#"{"integrationKey":"keys","credentials":"planted"}"#, StatusCode::BAD_REQUEST, "wrong_field"),
        (r#"{"integrationKey":"keys","meta":["planted"]}"#, StatusCode::BAD_REQUEST, "wrong_field"),
        (r#"{"integrationKey":"keys","integrationId":"many"}"#, StatusCode::BAD_REQUEST, "fields_disagree"),
        ("", StatusCode::BAD_REQUEST, "missing_field"),
        (&long, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
    ];
    for (body, status, code) in cases {
        let told = scene.ask(&scene.ada(), "POST /connections", body).await;
        assert_eq!((told.status, told.code.as_str()), (status, code));
        assert_eq!(told.body["type"], "bad_request");
        assert!(!told.body.to_string().contains("planted"), "{}", told.body);
    }
    assert!(!scene.leaks("planted"));
}

#[tokio::test]
async fn every_request_is_one_event_and_has_a_name() {
    let scene = Scene::start().await;
    scene.ok(&scene.ada(), "POST /connections?secret=planted", KEYS).await;
    let refused = scene.ask(&scene.ada(), "GET /connections/nothing", "").await;
    assert_eq!(refused.headers["cache-control"], "no-store");
    let log = String::from_utf8(scene.log.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!((&lines[0]["door"], &lines[0]["reason"]), (&json!("api"), &json!("ok")));
    assert_eq!((&lines[0]["customer"], &lines[0]["target"]), (&json!("ada"), &json!("keys")));
    assert_eq!(lines[1]["reason"], "unknown_connection");
    assert_eq!(lines[1]["request_id"], refused.headers["x-request-id"].to_str().unwrap());
    assert!(!log.contains("planted"));
}
