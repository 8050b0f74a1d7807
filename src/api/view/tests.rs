use crate::store::testing::connection;
use serde_json::json;

use super::*;
use crate::api::tests::scene;
use crate::names::Owner;
use crate::store::RefreshFailure;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn seen(view: &ConnectionView<'_>) -> serde_json::Value {
    serde_json::to_value(view).unwrap()
}

#[test]
fn a_ready_connection_has_the_names_of_both_generations() {
    let connection = connection("c1", NOW);
    assert_eq!(
        seen(&ConnectionView::of(&connection, None)),
        json!({
            "id": "c1", "name": "Ada", "userId": "ada",
            "integrationId": "crm", "integrationKey": "crm",
            "integration": {"id": "crm", "key": "crm", "name": "crm"},
            "connected": true, "disconnected": false, "state": "READY",
            "isTest": false, "canTest": false, "canRefreshCredentials": false,
            "createdAt": "2027-01-15T08:00:00.000Z", "updatedAt": "2027-01-15T08:00:00.000Z",
        })
    );
}

#[test]
fn a_dead_connection_says_why() {
    let dead = |code: &str| {
        let message = "invalid_grant".to_owned();
        let health = Health::Disconnected { code: code.to_owned(), message, at: NOW };
        Connection { health, ..connection("c1", NOW) }
    };
    let connection = dead("needs_reconnect");
    let view = seen(&ConnectionView::of(&connection, None));
    let why = |code| json!({"refresh": {"code": code}});
    let error = json!({
        "type": "connection", "key": "connection_is_defunct", "message": "invalid_grant", "data": why("needs_reconnect")
    });
    assert_eq!((&view["error"], &view["errors"]), (&error, &json!([error])));
    assert_eq!(view["state"], "CLIENT_ACTION_REQUIRED");
    assert_eq!((&view["connected"], &view["disconnected"]), (&json!(false), &json!(true)));
    for (code, told) in [("connection_is_defunct", "needs_reconnect"), ("outcome_unknown", "outcome_unknown")]
    {
        let connection = dead(code);
        assert_eq!(seen(&ConnectionView::of(&connection, None))["error"]["data"], why(told), "{code}");
    }
}

#[test]
fn secrets_stand_in_the_view_only_where_they_were_put() {
    let connection = Connection { refresh_at: Some(NOW), ..connection("c1", NOW) };
    let object = |name: &str| Value::from(json!({ name: "planted" }));
    let secrets = Secret::new(Secrets {
        credentials: object("c"),
        input: object("i"),
        connector_parameters: object("p"),
    });
    let way = "type: client-credentials\n  makeApiClient: {type: mapping, mapping: {baseUri: 'https://api.example.com'}}\n";
    let integration = scene::integration("crm", way);
    let view = ConnectionView::of(&connection, Some(&integration));
    assert!(!seen(&view).to_string().contains("planted"));
    let nobodys = ConnectionView::of(&connection, None).with_secrets(&secrets);
    assert!(!seen(&nobodys).to_string().contains("planted"), "whose they were is not known any more");
    let view = seen(&view.with_secrets(&secrets));
    assert_eq!(view["credentials"], json!({"c": "planted"}));
    assert_eq!((&view["parameters"], &view["input"]), (&json!({"i": "planted"}), &json!({"i": "planted"})));
    assert_eq!(view["connectorParameters"], json!({"p": "planted"}));
    assert_eq!(view["nextCredentialsRefreshAt"], "2027-01-15T08:00:00.000Z");
}

#[tokio::test]
async fn a_customer_is_shown_without_its_credentials() {
    let answer = customer(&Customer {
        owner: Owner { workspace: "acme".into(), customer: "ada".into() },
        id: "ada".into(),
        name: Some("Ada".into()),
        fields: Some(Secret::new(json!({"plan": "pro"}).into())),
        credentials: Some(Secret::new(json!({"apiKey": "planted"}).into())),
        created_at: NOW,
        last_active_at: NOW,
    });
    assert_eq!(
        scene::json(answer).await,
        json!({
            "id": "ada", "internalId": "ada", "name": "Ada", "fields": {"plan": "pro"}, "isTest": false,
            "workspaceKey": "acme", "createdAt": "2027-01-15T08:00:00.000Z",
            "lastActiveAt": "2027-01-15T08:00:00.000Z",
        })
    );
}

fn failing(class: FailureClass, next_try: Option<Timestamp>) -> Connection {
    let mut connection = connection("c1", NOW);
    connection.refreshed_at = Some(NOW);
    connection.expires_at = Some(NOW);
    connection.refresh_at = Some(NOW);
    connection.refreshing.succeeded();
    connection.refreshing.failed(RefreshFailure {
        version: connection.version,
        class,
        message: "status 503".into(),
        in_a_row: 3,
        since: NOW,
        at: NOW,
        next_try,
    });
    connection
}

#[test]
fn a_connection_that_could_not_be_refreshed_says_why_and_when_it_is_tried_again() {
    let later = NOW.plus(std::time::Duration::from_secs(60));
    let connection = failing(FailureClass::Transient, Some(later));
    let view = seen(&ConnectionView::of(&connection, None));
    let (now, later) = ("2027-01-15T08:00:00.000Z", "2027-01-15T08:01:00.000Z");
    assert_eq!(
        view["refresh"],
        json!({
            "version": 1, "expiresAt": now, "lastAt": now, "exchanges": 2,
            "failure": {
                "class": "transient", "message": "status 503", "inARow": 3,
                "since": now, "at": now, "nextTry": later
            }
        })
    );
    assert_eq!((&view["state"], &view["connected"]), (&json!("READY"), &json!(true)));
    assert_eq!((&view["retryAttempts"], &view["nextRetryTimestamp"]), (&json!(3), &json!(later)));
    assert_eq!(view["nextCredentialsRefreshAt"], later);
}

#[test]
fn a_refused_app_is_the_operators_matter_and_other_credentials_are_not_held_to_it() {
    let mut connection = failing(FailureClass::DeadApp, Some(NOW));
    assert_eq!(seen(&ConnectionView::of(&connection, None))["state"], "CONFIGURATION_ERROR");
    connection.version = connection.version.next();
    let view = seen(&ConnectionView::of(&connection, None));
    assert_eq!((&view["state"], &view["refresh"]["failure"]), (&json!("READY"), &json!(null)));
}
