//! One thing of several, selected by what callers know of it.

use http::StatusCode;
use serde_json::json;

use super::scene::Scene;

#[tokio::test]
async fn a_query_selects_as_a_path_does() {
    let scene = Scene::start().await;
    let id = scene.create(&json!({"integrationKey": "many", "key": "first", "credentials": {}})).await;
    scene.create(&json!({"integrationKey": "keys", "credentials": {}})).await;
    for query in [
        format!("id={id}"),
        "key=first".into(),
        "integrationKey=many".into(),
        "integrationId=many".into(),
        format!("id={id}&key=first&integrationKey=many"),
    ] {
        assert_eq!(
            scene.ok(&scene.ada(), &format!("GET /connection?{query}"), "").await["id"],
            id,
            "{query}"
        );
    }
    let renamed = scene.ok(&scene.ada(), "PATCH /connection?key=first", r#"{"name":"New"}"#).await;
    assert_eq!((&renamed["id"], &renamed["name"]), (&json!(id), &json!("New")));
    let refreshed = scene.ask(&scene.ada(), "POST /connection/refresh-credentials?key=first", "").await;
    assert_eq!(refreshed.code, "not_refreshable");
    assert_eq!(scene.ok(&scene.ada(), "DELETE /connection?key=first", "").await["id"], id);
}

#[tokio::test]
async fn what_a_query_says_must_fit_as_a_whole() {
    let scene = Scene::start().await;
    let id = scene.create(&json!({"integrationKey": "many", "key": "first", "credentials": {}})).await;
    for query in [
        format!("id={id}&key=second"),
        format!("id={id}&integrationKey=keys"),
        "key=first&integrationId=keys".into(),
        // An id is no key, and an integration's key is no id.
        format!("key={id}"),
        "id=first".into(),
        "id=many".into(),
        "key=many".into(),
        format!("integrationKey={id}"),
    ] {
        let told = scene.ask(&scene.ada(), &format!("GET /connection?{query}"), "").await;
        assert_eq!(
            (told.status, told.code.as_str()),
            (StatusCode::NOT_FOUND, "unknown_connection"),
            "{query}"
        );
    }
    let nothing = scene.ask(&scene.ada(), "GET /connection?limit=1", "").await;
    assert_eq!((nothing.status, nothing.code.as_str()), (StatusCode::BAD_REQUEST, "invalid_query"));
}

#[tokio::test]
async fn an_integration_with_several_connections_is_ambiguous_and_an_id_never_is() {
    let scene = Scene::start().await;
    let make = json!({"integrationKey": "many", "credentials": {}});
    let (first, second) = (scene.create(&make).await, scene.create(&make).await);
    for line in ["GET /connections/many", "GET /connection?integrationKey=many", "DELETE /connections/many"] {
        let told = scene.ask(&scene.ada(), line, "").await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::BAD_REQUEST, "ambiguous_connection"));
        let message = told.body["message"].as_str().unwrap();
        assert!(message.contains(&first) && message.contains(&second), "{message}");
    }
    assert_eq!(scene.ask(&scene.ada(), "GET /connection?id=many", "").await.code, "unknown_connection");
    assert_eq!(scene.ok(&scene.ada(), &format!("GET /connections/{first}"), "").await["id"], first);
}
