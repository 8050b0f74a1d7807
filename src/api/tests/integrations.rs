//! What can be connected, and how.

use serde_json::json;

use super::KEYS;
use super::scene::Scene;

#[tokio::test]
async fn integrations_that_can_be_used_are_listed_with_the_customers_connection() {
    let scene = Scene::start().await;
    let page = scene.ok(&scene.ada(), "GET /integrations?limit=1000&cursor=0", "").await;
    let keys: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["key"].clone()).collect();
    assert!(keys.contains(&json!("keys")), "{keys:?}");
    for hidden in ["off", "foreign", "internal-api"] {
        assert!(!keys.contains(&json!(hidden)), "{hidden}");
    }
    assert_eq!(page.get("cursor"), None);
    let found = scene.ok(&scene.ada(), "GET /integrations?search=THE%20key", "").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);

    let id = scene.create(&serde_json::from_str(KEYS).unwrap()).await;
    for line in ["GET /integrations/keys", "GET /integration?key=keys", "GET /integration?id=keys"] {
        let one = scene.ok(&scene.ada(), line, "").await;
        assert_eq!((&one["id"], &one["name"]), (&json!("keys"), &json!("The keys")));
        assert_eq!((&one["authType"], &one["connection"]["id"]), (&json!("client-credentials"), &json!(id)));
        assert_eq!(one["authOptions"][0]["key"], "");
    }
    let nobody = scene.caller(&json!({"isAdmin": true}));
    assert_eq!(scene.ok(&nobody, "GET /integrations/keys", "").await.get("connection"), None);
    assert_eq!(scene.ask(&scene.ada(), "GET /integrations/off", "").await.code, "integration_unavailable");
    assert_eq!(scene.ask(&scene.ada(), "GET /integrations/kyes", "").await.code, "unknown_integration");
}

#[tokio::test]
async fn a_connectors_spec_says_how_to_authenticate_and_shows_no_method() {
    let scene = Scene::start().await;
    let spec = scene.ok(&scene.ada(), "GET /integrations/typed/connector-spec", "").await;
    assert_eq!(spec["auth"]["type"], "client-credentials");
    let text = scene.ok(&scene.ada(), "GET /integrations/oauth/connector-spec", "").await.to_string();
    for hidden in ["makeApiClient", "getOAuthConfig", "clientSecret", "api.example.com"] {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[tokio::test]
async fn the_ways_to_connect_are_listed_for_an_integration_and_for_a_connection() {
    let scene = Scene::start().await;
    let id = scene.create(&serde_json::from_str(KEYS).unwrap()).await;
    for body in
        [json!({"integrationKey": "keys"}), json!({"integrationId": "keys"}), json!({"connectionId": id})]
    {
        let options = scene.ok(&scene.ada(), "POST /connection-options", &body.to_string()).await;
        // The SDK looks for the way whose key is the `undefined` that it was called with.
        assert_eq!(options[0].get("key"), None, "{body}");
        assert_eq!(options[0]["type"], "client-credentials");
    }
    assert_eq!(scene.ask(&scene.ada(), "POST /connection-options", "").await.code, "missing_field");
    let eve = scene.caller(&json!({"id": "eve"}));
    let foreign = json!({"connectionId": id}).to_string();
    assert_eq!(scene.ask(&eve, "POST /connection-options", &foreign).await.code, "unknown_connection");
}

#[tokio::test]
async fn disconnecting_an_integration_archives_the_customers_connections_to_it() {
    let scene = Scene::start().await;
    for integration in ["many", "many", "keys"] {
        scene.create(&json!({"integrationKey": integration, "credentials": {}})).await;
    }
    let eve = scene.caller(&json!({"id": "eve"}));
    let others = scene.ok(&eve, "POST /connections", r#"{"integrationKey":"many","credentials":{}}"#).await;
    let told = scene.ok(&scene.ada(), "POST /integrations/many/disconnect", "").await;
    assert_eq!((&told["key"], told.get("connection")), (&json!("many"), None));
    let left = scene.ok(&scene.ada(), "GET /connections", "").await;
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    assert_eq!(left["items"][0]["integrationKey"], "keys");
    assert_eq!(scene.ok(&eve, "GET /connections/many", "").await["id"], others["id"]);
    let admin = scene.caller(&json!({"isAdmin": true}));
    assert_eq!(scene.ask(&admin, "POST /integrations/many/disconnect", "").await.code, "customer_required");
}
