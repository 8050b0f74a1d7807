//! Tokens as they come over the wire: one is taken, agreed on and verified, or the request ends here.

use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sidegate::clock::{Clock as _, SystemClock};

use crate::support::{Gate, OTHER_SECRET, Origin, SECRET, as_anna, signed, token};

/// A token with this header and a signature that fits nothing but its length.
fn forged(header: &Value) -> String {
    let [header, claims] =
        [header, &json!({"iss": "acme", "id": "eve"})].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([7; 32]))
}

#[track_caller]
fn refuses(gate: &Gate, headers: &str, status: u16, code: &str) {
    let answer = gate.get("/", headers);
    assert_eq!((answer.status, answer.code()), (status, code), "{headers}");
}

fn refuses_each(tokens: &[String]) {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    for token in tokens {
        refuses(&gate, &format!("X-Integration-App-Token: {token}\r\n"), 401, "invalid_token");
    }
    origin.is_untouched();
}

#[test]
fn t1_t4_t13_what_is_not_three_signed_parts_is_refused() {
    let good = token(&json!({}));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let [none, blank] = [json!({"alg": "none"}), json!({"alg": "NoNe"})].map(|header| forged(&header));
    let unsigned = none.rsplit_once('.').unwrap().0.to_owned() + ".";
    refuses_each(&[
        format!("{signed}."),
        signed.to_owned(),
        format!("{good}.x"),
        format!("{good}.x.y"),
        format!(".{good}"),
        "..".into(),
        r#"{"payload":""}"#.into(),
        none,
        blank,
        unsigned,
    ]);
}

#[test]
fn t7_base64url_is_read_strictly() {
    let good = token(&json!({}));
    let (head, last) = good.split_at(good.len() - 1);
    // 32 bytes end in a letter with two unused bits: setting one changes no byte of the signature.
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.iter().position(|letter| *letter == last.as_bytes()[0]).unwrap();
    let unused_bit_set = format!("{head}{}", alphabet[at | 1] as char);
    refuses_each(&[
        format!("{good}="),
        good.replacen('.', "=.", 1),
        good.replacen('.', " .", 1),
        unused_bit_set,
        format!("{head}+"),
        format!("{head}/"),
        format!("{head}!"),
        format!("\"{good}\""),
    ]);
}

#[test]
fn t8_t9_keys_that_a_token_brings_or_names_are_never_fetched_or_trusted() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", canary.local_addr().unwrap());
    let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([1; 64])});
    refuses_each(&[
        forged(&json!({"alg": "HS256", "jku": url})),
        forged(&json!({"alg": "RS256", "jku": url, "kid": "a"})),
        forged(&json!({"alg": "RS256", "x5u": url})),
        forged(&json!({"alg": "HS256", "jwk": jwk})),
        forged(&json!({"alg": "RS256", "x5c": ["MIIB"], "x5t": "abc"})),
        forged(&json!({"alg": "HS256", "kid": url})),
        forged(&json!({"alg": "HS256", "kid": "../../dev/null"})),
    ]);
    let nobody = canary.accept().map(|_| ()).unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock, "somebody fetched a key");
}

#[test]
fn t17_a_token_beyond_8_kib_is_refused() {
    refuses_each(&[token(&json!({"fields": {"x": "x".repeat(9_000)}})), "a".repeat(48 * 1024)]);
    let origin = Origin::new();
    let fits = token(&json!({"fields": {"x": "x".repeat(5_000)}}));
    assert_eq!(Gate::before(&origin).get("/", &format!("X-Membrane-Token: {fits}\r\n")).status, 200);
}

#[test]
fn t23_each_workspace_signs_for_itself_alone() {
    let far = 4_000_000_000_u64;
    refuses_each(&[
        signed(&json!({"iss": "acme", "id": "anna", "exp": far}), OTHER_SECRET),
        signed(&json!({"iss": "globex", "id": "anna", "exp": far}), SECRET),
        signed(&json!({"iss": "globex", "workspaceKey": "acme", "exp": far}), OTHER_SECRET),
        signed(&json!({"iss": "Acme", "id": "anna", "exp": far}), SECRET),
        signed(&json!({"id": "anna", "exp": far}), SECRET),
    ]);
}

#[test]
fn t30_h40_several_tokens_must_be_the_same_bytes_once_each() {
    let origin = Origin::new();
    let gate =
        Gate::with(&origin, "token: {headers: [X-Membrane-Token, X-Integration-App-Token, Authorization]}");
    let (anna, bert) = (token(&json!({})), token(&json!({"id": "bert"})));
    let both = |first: &str, second: &str| {
        format!("X-Membrane-Token: {first}\r\nX-Integration-App-Token: {second}\r\n")
    };
    for headers in [
        both(&anna, &bert),
        both(&anna, "garbage"),
        both(&anna, ""),
        format!("X-Membrane-Token: {anna}\r\nX-Membrane-Token: {anna}\r\n"),
        format!("X-Membrane-Token: {anna}\r\nX-Membrane-Token: {bert}\r\n"),
        format!("X-Membrane-Token: {anna},{bert}\r\n"),
        format!("X-Membrane-Token: {anna}, {anna}\r\n"),
        format!("X-Membrane-Token: {anna}\r\nAuthorization: Bearer {bert}\r\n"),
        format!("Authorization: Bearer {anna}\r\nAuthorization: Basic abc\r\n"),
    ] {
        refuses(&gate, &headers, 400, "token_headers_disagree");
    }
    origin.is_untouched();
    assert_eq!(gate.get("/", &both(&anna, &anna)).status, 200);
    let all = format!("{}Authorization: bearer {anna}\r\n", both(&anna, &anna));
    assert_eq!(gate.get("/", &all).status, 200);
    for seen in origin.seen() {
        assert!(!seen.head.contains(&anna), "{seen:?}");
    }
}

#[test]
fn t31_only_a_wellformed_bearer_is_a_token() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "token: {headers: [Authorization]}");
    let anna = token(&json!({}));
    for value in [
        format!("Bearer  {anna}"),
        format!("Bearer\t{anna}"),
        format!("Bearer{anna}"),
        format!("XBearer {anna}"),
        format!("Bearer \"{anna}\""),
        format!("Bearer {anna},"),
        format!("Bearer {anna} x"),
        format!("Basic {anna}"),
        "Bearer".into(),
    ] {
        refuses(&gate, &format!("Authorization: {value}\r\n"), 401, "no_token");
    }
    origin.is_untouched();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        assert_eq!(gate.get("/", &format!("Authorization: {scheme} {anna}\r\n")).status, 200);
    }
    assert!(origin.seen().iter().all(|seen| seen.values("authorization").is_empty()));
}

#[test]
fn t33_a_token_that_one_upstream_takes_is_judged_anew_at_another() {
    let origin = Origin::new();
    let at = origin.address;
    let gate = Gate::configured(&format!(
        "upstreams:\n  any: {{upstream: 'http://{at}'}}\n  \
         globex: {{upstream: 'http://{at}', match: {{pathPrefix: /globex}}, token: {{workspaces: [globex]}}}}\n  \
         strict: {{upstream: 'http://{at}', match: {{pathPrefix: /strict}}, token: {{requireExpiry: true}}}}\n  \
         soon: {{upstream: 'http://{at}', match: {{pathPrefix: /late}}, token: {{leeway: 1h}}}}\n"
    ));
    let endless = format!("X-Membrane-Token: {}\r\n", token(&json!({"exp": null})));
    for _ in 0..2 {
        assert_eq!(gate.get("/", &endless).status, 200);
        assert_eq!(gate.get("/strict", &endless).code(), "invalid_token");
        assert_eq!(gate.get("/globex", &as_anna()).code(), "invalid_token");
        assert_eq!(gate.get("/strict", &as_anna()).status, 200);
    }
    let minutes_ago = SystemClock.now().as_secs() - 300;
    let expired = format!("X-Membrane-Token: {}\r\n", token(&json!({"exp": minutes_ago})));
    for _ in 0..2 {
        assert_eq!(gate.get("/late", &expired).status, 200);
        assert_eq!(gate.get("/", &expired).code(), "expired_token");
    }
}
