//! The auth type `proxy`: an integration that is connected with another one's OAuth app.

use super::*;
use crate::support::token;

/// The token server of the app's owner, and an API that takes the newest token only. Tokens are `planted-t1`, `planted-t2`, …
fn provider() -> Origin {
    let given = AtomicUsize::new(0);
    Origin::played(move |peer| {
        while let Some(request) = peer.request() {
            let newest = format!("Bearer planted-t{}", given.load(Ordering::SeqCst));
            let text = if request.line().starts_with("POST /token ") {
                let count = given.fetch_add(1, Ordering::SeqCst) + 1;
                let token = json!({"access_token": format!("planted-t{count}"), "expires_in": 3600});
                answer("200 OK", &token.to_string())
            } else if request.line().contains("/revoke") {
                given.fetch_add(1, Ordering::SeqCst);
                answer("200 OK", OK)
            } else if request.values("authorization") == [newest.as_str()] {
                answer("200 OK", OK)
            } else {
                answer("401 Unauthorized", "{}")
            };
            if !peer.try_say(text) {
                return;
            }
        }
    })
}

/// `owner` has the app; `calendar` borrows from it through `between`, and shows in a header what its own method sees.
fn service(provider: &Origin) -> Service {
    let here = format!("http://{}", provider.address);
    Service::configured(&format!(
        "integrations:
  calendar: {{connector: calendar, egress: {{allowPrivate: true, allowPlain: true}}, scopes: [calendar.read]}}
  between: {{connector: between, hosts: [nowhere.example]}}
  owner:
    connector: suite
    enabled: false
    egress: {{allowPrivate: true, allowPlain: true}}
    apps: [{{id: own, clientId: client-1, clientSecret: {{value: planted-secret}}}}]
connectors:
  calendar:
    type: proxy
    proxyKey: between
    makeApiClient:
      type: mapping
      mapping:
        baseUri: {here}/calendar
        headers:
          Authorization: {{$concat: ['Bearer ', {{$var: credentials.access_token}}]}}
          X-Client: {{$var: connectorParameters.clientId}}
          X-Secret: {{$var: connectorParameters.clientSecret}}
    test: {{type: rest-api-mapping, mapping: {{path: /me}}}}
  between: {{type: proxy, proxyKey: suite}}
  suite:
    type: oauth2
    getOAuthConfig:
      type: mapping
      mapping:
        clientId: {{$var: connectorParameters.clientId}}
        clientSecret: {{$var: connectorParameters.clientSecret}}
        tokenUri: {here}/token
        grantType: client_credentials
        clientAuthLocation: body
    makeApiClient: {{type: mapping, mapping: {{baseUri: '{here}/suite'}}}}
    test: {{type: not-supported}}
"
    ))
}

#[test]
fn a_borrower_calls_with_its_own_client_and_is_refreshed_with_the_lenders_app() {
    let provider = provider();
    let service = service(&provider);
    let made = service.ask("POST", "/connections", &json!({"integrationKey": "calendar"}));
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(service.ask("GET", "/connections/calendar/proxy/events", &Value::Null).status, 200);
    // The token ends early: the call is refused, refreshed by the owner's app, and sent once more.
    service.ask("POST", "/connections/calendar/proxy/revoke", &Value::Null);
    assert_eq!(service.ask("GET", "/connections/calendar/proxy/events", &Value::Null).status, 200);
    let seen = provider.seen();
    let lines: Vec<_> = seen.iter().map(|one| one.line().trim_end_matches(" HTTP/1.1")).collect();
    let refreshed = ["GET /calendar/events", "POST /token", "GET /calendar/events"];
    let begun = ["POST /token", "GET /calendar/me", "GET /calendar/events", "POST /calendar/revoke"];
    assert_eq!(lines, [&begun[..], &refreshed].concat());
    for exchange in [&seen[0], &seen[5]] {
        let form = String::from_utf8(exchange.body.clone()).unwrap();
        for part in ["client_id=client-1", "client_secret=planted-secret", "scope=calendar.read"] {
            assert!(form.contains(part), "{part} in {form}");
        }
    }
    for call in seen.iter().filter(|one| one.line().contains("/calendar/")) {
        assert_eq!((call.values("x-client"), call.values("x-secret").len()), (vec!["client-1"], 0));
    }
}

#[test]
fn nobody_reads_what_the_lenders_app_got_not_even_an_admin_who_asks() {
    let provider = provider();
    let service = service(&provider);
    let made = service.ask("POST", "/connections", &json!({"integrationKey": "calendar"}));
    let connection: Value = serde_json::from_str(&made.text()).unwrap();
    let admin = format!("Authorization: Bearer {}\r\n", token(&json!({"id": null, "isAdmin": true})));
    let path = format!("/connections/{}?includeSecrets=true", connection["id"].as_str().unwrap());
    let read = service.ask_as(&admin, "GET", &path, &Value::Null);
    let text = read.text();
    assert_eq!(read.status, 200, "{text}");
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["canRefreshCredentials"], true);
    assert!(read.get("credentials").is_none() && read.get("input").is_none(), "{text}");
    let shown = service.ask("GET", "/integrations/calendar", &Value::Null).text();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["authType"], "oauth2", "people see what the lender's way is");
    assert!(!format!("{text}{shown}").contains("planted"), "{text}{shown}");
}
