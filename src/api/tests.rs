pub(in crate::api) mod scene;

use http::StatusCode;
use serde_json::json;

use scene::{NOW, Scene};
use std::time::Duration;

const KEYS: &str = r#"{"name":"Key","integrationId":"keys","credentials":{"apiKey":"planted-key"}}"#;

#[tokio::test]
async fn a_customer_is_made_on_first_sight_and_kept_up_with_its_tokens() {
    let scene = Scene::start().await;
    let ada = scene.caller(&json!({"id": "ada", "name": "Ada", "fields": {"plan": "pro"}}));
    let first = scene.ok(&ada, "GET /self", "").await;
    assert_eq!((&first["internalId"], &first["name"]), (&json!("ada"), &json!("Ada")));
    assert_eq!(first["fields"], json!({"plan": "pro"}));
    assert_eq!(first["workspaceKey"], "acme");

    scene.clock.advance(Duration::from_secs(60));
    let later =
        scene.ok(&scene.caller(&json!({"id": "ada", "fields": {"plan": "free"}})), "GET /self", "").await;
    assert_eq!((&later["id"], &later["createdAt"]), (&first["id"], &first["createdAt"]));
    assert_eq!((&later["name"], &later["fields"]), (&json!("Ada"), &json!({"plan": "free"})));
}

#[tokio::test]
async fn reading_self_again_writes_nothing_for_a_while() {
    let scene = Scene::start().await;
    let first = scene.ok(&scene.ada(), "GET /self", "").await;
    scene.clock.advance(Duration::from_secs(3599));
    assert_eq!(scene.ok(&scene.ada(), "GET /self", "").await["lastActiveAt"], first["lastActiveAt"]);
    scene.clock.advance(Duration::from_secs(1));
    assert_ne!(scene.ok(&scene.ada(), "GET /self", "").await["lastActiveAt"], first["lastActiveAt"]);
}

#[tokio::test]
async fn credentials_for_the_customers_own_api_are_stored_and_never_shown() {
    let scene = Scene::start().await;
    let patched = scene.ok(&scene.ada(), "PATCH /self", r#"{"credentials":{"k":"planted-self"}}"#).await;
    assert!(!patched.to_string().contains("planted"));
    assert!(!scene.ok(&scene.ada(), "GET /self", "").await.to_string().contains("planted"));
    assert!(!scene.leaks("planted-self"));
    let owner = scene.ada().owner().unwrap();
    let kept = scene.api.store.customer(&owner).await.unwrap().unwrap();
    assert_eq!(*kept.credentials.unwrap().expose(), json!({"k": "planted-self"}).into());
    let refused = scene.ask(&scene.ada(), "PATCH /self", r#"{"name":"Eve"}"#).await;
    assert_eq!((refused.status, refused.code.as_str()), (StatusCode::BAD_REQUEST, "field_not_taken"));
}

#[tokio::test]
async fn an_admin_token_without_a_customer_is_told_why_it_has_no_self() {
    let scene = Scene::start().await;
    let admin = scene.caller(&json!({"isAdmin": true}));
    for line in ["GET /self", "PATCH /self", "POST /connections", "GET /connections/keys"] {
        let told = scene.ask(&admin, line, KEYS).await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::FORBIDDEN, "customer_required"), "{line}");
        assert_eq!(told.body["key"], "access_denied");
        assert!(told.body["message"].as_str().unwrap().contains("names no customer"));
    }
}

#[tokio::test]
async fn a_connection_lives_from_creation_to_archive() {
    let scene = Scene::start().await;
    let ada = scene.ada();
    let created = scene.ok(&ada, "POST /connections", KEYS).await;
    let id = created["id"].as_str().unwrap();
    assert_eq!((&created["name"], &created["integrationKey"]), (&json!("Key"), &json!("keys")));
    assert_eq!(created["integration"]["name"], "The keys");
    assert_eq!(created["createdAt"], NOW.to_string());
    for selector in [id, "keys"] {
        assert_eq!(scene.ok(&ada, &format!("GET /connections/{selector}"), "").await["id"], created["id"]);
    }
    let renamed = scene.ok(&ada, "PATCH /connections/keys", r#"{"name":"Renamed","key":"my/key"}"#).await;
    assert_eq!(renamed["name"], "Renamed");
    assert_eq!(scene.ok(&ada, "GET /connections/my%2Fkey", "").await["id"], created["id"]);
    let archived = scene.ok(&ada, &format!("DELETE /connections/{id}"), "").await;
    assert_eq!(archived["archivedAt"], NOW.to_string());
    assert_eq!(scene.ask(&ada, &format!("GET /connections/{id}"), "").await.code, "unknown_connection");
    assert_eq!(scene.ok(&ada, "GET /connections", "").await["items"], json!([]));
    let all = scene.ok(&ada, "GET /connections?includeArchived=true", "").await;
    assert_eq!(all["items"][0]["id"], created["id"]);
}

#[tokio::test]
async fn secrets_are_shown_to_an_admin_who_asks_for_one_connection_and_nowhere_else() {
    let scene = Scene::start().await;
    let body = json!({
        "integrationKey": "keys", "credentials": {"apiKey": "planted-key"}, "input": {"i": "planted-input"},
        "connectorParameters": {"p": "planted-parameter"},
    });
    let id = scene.create(&body).await;
    let (ada, admin) = (scene.ada(), scene.caller(&json!({"id": "ada", "isAdmin": true})));
    let mut shown = Vec::new();
    for caller in [&ada, &admin] {
        for line in
            ["GET /connections?includeSecrets=true", "GET /connections/keys", "PATCH /connections/keys"]
        {
            shown.push(scene.ok(caller, line, "").await);
        }
    }
    shown.push(scene.ok(&ada, &format!("GET /connections/{id}?includeSecrets=true"), "").await);
    shown.push(scene.ask(&admin, "POST /connections/keys/refresh-credentials", "").await.body);
    for told in shown {
        assert!(!told.to_string().contains("planted"), "{told}");
    }
    let told = scene.ok(&admin, "GET /connections/keys?includeSecrets=true", "").await;
    assert_eq!(told["credentials"], json!({"apiKey": "planted-key"}));
    assert_eq!(told["parameters"], json!({"i": "planted-input"}));
    assert_eq!(told["connectorParameters"], json!({"p": "planted-parameter"}));
    assert!(!scene.leaks("planted-"));
}

#[tokio::test]
async fn another_customers_connection_is_not_there() {
    let scene = Scene::start().await;
    let id = scene.create(&serde_json::from_str(KEYS).unwrap()).await;
    let others = [
        scene.caller(&json!({"id": "eve"})),
        scene.caller(&json!({"id": "eve", "isAdmin": true})),
        scene.caller(&json!({"id": "ada", "iss": "globex"})),
    ];
    for other in &others {
        for (line, body) in [("GET", ""), ("PATCH", r#"{"name":"x"}"#), ("DELETE", "")] {
            let told = scene.ask(other, &format!("{line} /connections/{id}"), body).await;
            let missing = scene.ask(other, &format!("{line} /connections/{}", "0".repeat(32)), body).await;
            assert_eq!((told.status, told.code), (StatusCode::NOT_FOUND, missing.code));
            assert_eq!(told.body["key"], "not_found");
        }
        assert_eq!(scene.ok(other, "GET /connections", "").await["items"], json!([]));
        assert_eq!(scene.ok(other, "GET /connections?userId=ada", "").await["items"], json!([]));
    }
}

#[tokio::test]
async fn an_admin_without_a_customer_lists_its_workspace() {
    let scene = Scene::start().await;
    let id = scene.create(&serde_json::from_str(KEYS).unwrap()).await;
    scene.ok(&scene.caller(&json!({"id": "eve"})), "POST /connections", KEYS).await;
    let admin = scene.caller(&json!({"isAdmin": true}));
    let count = async |query: &str| {
        let page = scene.ok(&admin, &format!("GET /connections{query}"), "").await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("?userId=ada").await, 1);
    assert_eq!(count("?integrationKey=keys&userId=nobody").await, 0);
    assert_eq!(count("?integrationId=many").await, 0);
    assert_eq!(scene.ok(&admin, &format!("GET /connections/{id}"), "").await["userId"], "ada");
    let other = scene.caller(&json!({"isAdmin": true, "iss": "globex"}));
    assert_eq!(scene.ok(&other, "GET /connections", "").await["items"], json!([]));
    assert_eq!(scene.ask(&other, &format!("GET /connections/{id}"), "").await.code, "customer_required");
}

#[tokio::test]
async fn a_new_connection_replaces_the_old_unless_many_may_live() {
    let scene = Scene::start().await;
    let make = |integration: &str| json!({"integrationKey": integration, "credentials": {"k": "v"}});
    let (first, second) = (scene.create(&make("keys")).await, scene.create(&make("keys")).await);
    assert_ne!(first, second);
    assert_eq!(scene.ok(&scene.ada(), "GET /connections/keys", "").await["id"], second.as_str());

    let (first, second) = (scene.create(&make("many")).await, scene.create(&make("many")).await);
    let told = scene.ask(&scene.ada(), "GET /connections/many", "").await;
    assert_eq!((told.status, told.code.as_str()), (StatusCode::BAD_REQUEST, "ambiguous_connection"));
    let message = told.body["message"].as_str().unwrap();
    assert!(message.contains(&first) && message.contains(&second), "{message}");
}

#[tokio::test]
async fn a_key_is_had_by_one_live_connection_only() {
    let scene = Scene::start().await;
    let make =
        |integration: &str| json!({"integrationKey": integration, "key": "k", "credentials": {}}).to_string();
    scene.ok(&scene.ada(), "POST /connections", &make("keys")).await;
    let taken = scene.ask(&scene.ada(), "POST /connections", &make("many")).await;
    assert_eq!((taken.status, taken.code.as_str()), (StatusCode::CONFLICT, "already_exists"));
    assert_eq!(taken.body["key"], "already_exists");
    scene.ok(&scene.ada(), "POST /connections", &make("keys")).await;
    scene.ok(&scene.caller(&json!({"id": "eve"})), "POST /connections", &make("many")).await;
}

#[tokio::test]
async fn pages_follow_one_another_to_the_end() {
    let scene = Scene::start().await;
    for _ in 0..5 {
        scene.create(&json!({"integrationKey": "many", "credentials": {}})).await;
        scene.clock.advance(Duration::from_millis(1));
    }
    let (mut cursor, mut found, mut pages) = (String::from("0"), Vec::new(), 0);
    loop {
        let page = scene.ok(&scene.ada(), &format!("GET /connections?limit=2&cursor={cursor}"), "").await;
        found.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        pages += 1;
        let Some(next) = page.get("cursor") else { break };
        cursor = next.as_str().unwrap().to_owned();
    }
    found.dedup();
    assert_eq!((found.len(), pages), (5, 3));
    let strange = scene.ask(&scene.ada(), "GET /connections?cursor=strange", "").await;
    assert_eq!((strange.status, strange.code.as_str()), (StatusCode::BAD_REQUEST, "invalid_query"));
}

#[tokio::test]
async fn integrations_that_cannot_be_connected_say_why() {
    let scene = Scene::start().await;
    let cases = [
        ("kyes", "unknown_integration", "did you mean `keys`"),
        ("nothing-like-it", "unknown_integration", "there is no integration `nothing-like-it`"),
        ("off", "integration_unavailable", "is not enabled"),
        ("foreign", "integration_unavailable", "does not serve this workspace"),
    ];
    for (key, code, words) in cases {
        let body = json!({"integrationKey": key, "credentials": {}}).to_string();
        let told = scene.ask(&scene.ada(), "POST /connections", &body).await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::NOT_FOUND, code), "{key}");
        assert_eq!((&told.body["type"], &told.body["key"]), (&json!("bad_request"), &json!("not_found")));
        assert!(told.body["message"].as_str().unwrap().contains(words), "{}", told.body);
    }
    let nothing = scene.ask(&scene.ada(), "POST /connections", r#"{"integrationKey":"oauth"}"#).await;
    assert_eq!(nothing.code, "missing_field");
}

mod credentials;
mod customers;
mod door;
mod integrations;
mod not_refreshed;
mod own_api;
mod requests;
mod selectors;
