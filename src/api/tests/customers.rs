//! Customers as an admin keeps them, and as they see themselves.

use http::StatusCode;
use serde_json::json;

use super::KEYS;
use super::scene::Scene;

const EVE: &str =
    r#"{"name":"Eve","internalId":"eve","fields":{"plan":"pro"},"credentials":{"k":"planted-own"}}"#;

#[tokio::test]
async fn an_admin_makes_reads_changes_and_removes_a_customer() {
    let scene = Scene::start().await;
    let admin = scene.caller(&json!({"isAdmin": true}));
    let made = scene.ok(&admin, "POST /customers", EVE).await;
    assert_eq!((&made["internalId"], &made["name"]), (&json!("eve"), &json!("Eve")));
    assert_eq!(made["fields"], json!({"plan": "pro"}));
    for line in ["GET /customers/eve", "GET /customer?id=eve"] {
        assert_eq!(scene.ok(&admin, line, "").await, made, "{line}");
    }
    let changed = scene.ok(&admin, "PATCH /customer?id=eve", r#"{"fields":{"plan":"free"}}"#).await;
    assert_eq!((&changed["name"], &changed["fields"]), (&json!("Eve"), &json!({"plan": "free"})));
    assert_eq!(changed["lastActiveAt"], made["lastActiveAt"]);
    scene.ok(&admin, "PUT /customers/eve", r#"{"name":"Eva"}"#).await;

    let eve = scene.caller(&json!({"id": "eve"}));
    let own = scene.ok(&eve, "GET /customers/eve", "").await;
    assert_eq!((&own["name"], &own["fields"]), (&json!("Eva"), &json!({"plan": "free"})));
    let connection = scene.ok(&eve, "POST /connections", KEYS).await;
    assert_eq!(scene.ok(&admin, "DELETE /customers/eve", "").await["name"], "Eva");
    let gone = scene.ask(&admin, "GET /customers/eve", "").await;
    assert_eq!((gone.status, gone.code.as_str()), (StatusCode::NOT_FOUND, "unknown_customer"));
    assert_eq!(gone.body["key"], "not_found");
    let id = connection["id"].as_str().unwrap();
    assert_eq!(scene.ask(&eve, &format!("GET /connections/{id}"), "").await.code, "unknown_connection");
    assert!(!scene.leaks("planted-"));
}

#[tokio::test]
async fn a_customer_is_made_once_and_gets_an_id_where_none_is_given() {
    let scene = Scene::start().await;
    let admin = scene.caller(&json!({"isAdmin": true}));
    let made = scene.ok(&admin, "POST /customers", r#"{"name":"Anybody"}"#).await;
    assert_eq!(made["internalId"].as_str().unwrap().len(), 32);
    scene.ok(&admin, "POST /customers", EVE).await;
    let again = scene.ask(&admin, "POST /customers", EVE).await;
    assert_eq!((again.status, again.code.as_str()), (StatusCode::CONFLICT, "already_exists"));
    assert_eq!(again.body["key"], "already_exists");
    let nameless = scene.ask(&admin, "POST /customers", r#"{"internalId":""}"#).await;
    assert_eq!((nameless.status, nameless.code.as_str()), (StatusCode::BAD_REQUEST, "wrong_field"));
}

#[tokio::test]
async fn each_write_takes_an_admin_and_nobody_reads_another() {
    let scene = Scene::start().await;
    scene.ok(&scene.caller(&json!({"isAdmin": true})), "POST /customers", EVE).await;
    for line in [
        "GET /customers",
        "POST /customers",
        "GET /customers/eve",
        "PATCH /customers/ada",
        "PUT /customers/ada",
        "DELETE /customers/ada",
        "PATCH /customer?id=ada",
        "PUT /customer?id=ada",
        "DELETE /customer?id=ada",
    ] {
        let told = scene.ask(&scene.ada(), line, r#"{"name":"Mallory"}"#).await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::FORBIDDEN, "admin_required"), "{line}");
        assert_eq!(told.body["key"], "access_denied");
    }
    let other = scene.caller(&json!({"isAdmin": true, "iss": "globex"}));
    assert_eq!(scene.ask(&other, "GET /customers/eve", "").await.code, "unknown_customer");
    assert_eq!(scene.ok(&other, "GET /customers", "").await["items"], json!([]));
}

#[tokio::test]
async fn pages_of_customers_follow_one_another_to_the_end() {
    let scene = Scene::start().await;
    let admin = scene.caller(&json!({"isAdmin": true}));
    // `0` is what the SDKs call the start of a list; here it is a customer too.
    for id in ["0", "a", "b", "c", "ü"] {
        scene.ok(&admin, "POST /customers", &json!({"internalId": id}).to_string()).await;
    }
    let (mut cursor, mut found) = (String::from("0"), Vec::new());
    loop {
        let query: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        let page = scene.ok(&admin, &format!("GET /customers?limit=2&cursor={query}"), "").await;
        found.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()));
        let Some(next) = page.get("cursor") else { break };
        cursor = next.as_str().unwrap().to_owned();
    }
    assert_eq!(found, ["0", "a", "b", "c", "ü"]);
    assert_eq!(scene.ask(&admin, "GET /customers?cursor=strange", "").await.code, "invalid_query");
}
