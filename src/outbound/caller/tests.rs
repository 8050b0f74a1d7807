use http::HeaderName;
use serde_json::json;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::secret::Secret;
use crate::token::keys::Algorithm;
use crate::token::mint::{SigningKey, mint};
use crate::token::{self, WorkspaceConfig};

const KEY: &str = "workspace-secret-of-at-least-32-bytes";
const SERVICE_SECRET: &str = "service-secret";
const NOW: u64 = 1_700_000_000;

fn token(claims: &serde_json::Value) -> String {
    let key = SigningKey::Secret(Secret::new(KEY.to_owned()));
    mint(claims.as_object().unwrap(), Algorithm::HS256, &key, None).unwrap()
}

fn of_customer(id: &str) -> String {
    token(&json!({"iss": "ws", "id": id, "exp": NOW + 60}))
}

fn callers(trust_caller: bool, service_secret: Option<&str>) -> Callers {
    crate::http::tls::install_crypto();
    let workspace =
        WorkspaceConfig { secret: Some(Secret::new(KEY.to_owned())), ..WorkspaceConfig::named("ws") };
    let config = token::Config { workspaces: vec![workspace], cache_entries: 0, ..token::Config::default() };
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let Ok((verifier, _)) = Verifier::new(config, clock) else { panic!("the key is sound") };
    let service_secret = service_secret.map(|secret| Secret::new(secret.to_owned()));
    Callers::new(Config { trust_caller, service_secret }, Arc::new(verifier))
}

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let parsed = list.iter().map(|(name, value)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    });
    parsed.collect()
}

/// Who it is, as `workspace/customer`, or the code of the rejection.
fn asked(callers: &Callers, list: &[(&str, &str)]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match runtime.block_on(callers.identify(&headers(list))) {
        Ok(caller) => format!("{}/{}", caller.workspace(), caller.customer().map_or("-", CustomerId::as_str)),
        Err(rejection) => rejection.code().to_owned(),
    }
}

#[test]
fn a_token_is_taken_from_each_of_its_headers() {
    let (callers, token) = (callers(false, None), of_customer("c1"));
    for name in ["x-membrane-token", "X-Integration-App-Token", "x-sidegate-token"] {
        assert_eq!(asked(&callers, &[(name, &token)]), "ws/c1", "{name}");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(asked(&callers, &[("authorization", &format!("{scheme} {token}"))]), "ws/c1");
    }
}

#[test]
fn several_tokens_must_be_the_same() {
    let callers = callers(false, None);
    let (one, other) = (of_customer("c1"), of_customer("c2"));
    let bearer = format!("Bearer {one}");
    assert_eq!(asked(&callers, &[("authorization", &bearer), ("x-sidegate-token", &one)]), "ws/c1");
    let disagreeing = [("authorization", bearer.as_str()), ("x-sidegate-token", &other)];
    assert_eq!(asked(&callers, &disagreeing), "token_headers_disagree");
    let doubled = [("x-membrane-token", one.as_str()), ("x-membrane-token", &other)];
    assert_eq!(asked(&callers, &doubled), "token_headers_disagree");
}

#[test]
fn a_token_that_does_not_verify_is_refused_even_where_the_caller_is_trusted() {
    let callers = callers(true, None);
    let expired = token(&json!({"iss": "ws", "id": "c1", "exp": NOW}));
    let foreign = token(&json!({"iss": "other", "id": "c1"}));
    let pair = [("x-sidegate-workspace", "ws"), ("x-sidegate-customer", "c1")];
    for (token, code) in
        [(expired.as_str(), "expired_token"), (&foreign, "invalid_token"), ("junk", "invalid_token")]
    {
        let mut list = vec![("x-sidegate-token", token)];
        assert_eq!(asked(&callers, &list), code);
        list.extend(pair);
        assert_eq!(asked(&callers, &list), code);
    }
}

#[test]
fn the_pair_of_a_trusted_service_is_percent_decoded() {
    let callers = callers(true, None);
    let pair = |workspace, customer| [("x-sidegate-workspace", workspace), ("x-sidegate-customer", customer)];
    assert_eq!(asked(&callers, &pair("ws", "c1")), "ws/c1");
    assert_eq!(asked(&callers, &pair("w%20s", "%C3%BC%25")), "w s/ü%");
    for (workspace, customer) in [("", "c1"), ("ws", ""), ("ws", "%FF")] {
        assert_eq!(asked(&callers, &pair(workspace, customer)), "malformed_pair");
    }
    assert_eq!(asked(&callers, &pair("ws", "c1")[..1]), "malformed_pair");
    assert_eq!(asked(&callers, &pair("ws", "c1")[1..]), "malformed_pair");
    let doubled = [&pair("ws", "c1")[..], &[("x-sidegate-customer", "c1")]].concat();
    assert_eq!(asked(&callers, &doubled), "malformed_pair");
}

#[test]
fn the_pair_is_not_believed_from_anybody_else() {
    let pair = [("x-sidegate-workspace", "ws"), ("x-sidegate-customer", "c1")];
    let with = |bearer| [&pair[..], &[("authorization", bearer)]].concat();
    assert_eq!(asked(&callers(false, None), &pair), "caller_not_trusted");
    assert_eq!(asked(&callers(false, None), &with("Bearer service-secret")), "caller_not_trusted");
    for trust_caller in [false, true] {
        let callers = callers(trust_caller, Some(SERVICE_SECRET));
        assert_eq!(asked(&callers, &pair), "caller_not_trusted");
        for wrong in [
            "Bearer service-secre",
            "Bearer service-secret2",
            "Bearer ",
            "service-secret",
            "Basic service-secret",
        ] {
            assert_eq!(asked(&callers, &with(wrong)), "caller_not_trusted", "{wrong}");
        }
        assert_eq!(asked(&callers, &with("Bearer service-secret")), "ws/c1");
    }
}

#[test]
fn a_service_secret_with_two_dots_is_no_token() {
    let callers = callers(false, Some("a.b.c"));
    let list =
        [("authorization", "Bearer a.b.c"), ("x-sidegate-workspace", "ws"), ("x-sidegate-customer", "c1")];
    assert_eq!(asked(&callers, &list), "ws/c1");
}

#[test]
fn a_pair_beside_a_token_must_name_its_customer() {
    let (callers, token) = (callers(true, None), of_customer("c1"));
    let with = |customer| {
        [
            ("x-sidegate-token", token.as_str()),
            ("x-sidegate-workspace", "ws"),
            ("x-sidegate-customer", customer),
        ]
    };
    assert_eq!(asked(&callers, &with("c1")), "ws/c1");
    assert_eq!(asked(&callers, &with("c2")), "callers_disagree");
}

#[test]
fn without_token_and_pair_there_is_no_caller() {
    for callers in [callers(true, None), callers(false, Some(SERVICE_SECRET))] {
        assert_eq!(asked(&callers, &[]), "no_caller");
        assert_eq!(asked(&callers, &[("authorization", "Bearer service-secret")]), "no_caller");
        assert_eq!(asked(&callers, &[("authorization", "Basic dTpw")]), "no_caller");
        assert_eq!(asked(&callers, &[("authorization", "Bearer placeholder-key")]), "no_caller");
    }
}

#[test]
fn an_admin_token_may_name_no_customer() {
    let token = token(&json!({"iss": "ws", "isAdmin": true}));
    assert_eq!(asked(&callers(false, None), &[("x-sidegate-token", &token)]), "ws/-");
}
