//! What an operator writes is meant literally, and an answer tells no more than it must.

use serde_json::json;

use crate::support::{Gate, OTHER_SECRET, Origin, signed, token};

#[test]
fn h41_a_pattern_is_text_and_no_sign_in_it_stands_for_another() {
    let origin = Origin::new();
    let gate = Gate::with(
        &origin,
        "rules: [{path: /a.b/*, allow: public}, {path: '/c+d', allow: public}, {path: '/(e|f)', allow: public}, \
         {path: '/[gh]', allow: public}, {path: '/^j$', allow: public}, \
         {path: /*, allow: admin}]",
    );
    for path in ["/axb/x", "/a%2", "/ccd", "/cd", "/e", "/f", "/g", "/h", "/j", "/kl", "/kkl", "/kxl", "/k/l"]
    {
        assert_ne!(gate.get(path, "").status, 200, "{path}");
    }
    origin.is_untouched();
    assert_eq!(gate.get("/a.b/x", "").status, 200);
    assert_eq!(gate.get("/c+d", "").status, 200);
}

#[test]
fn h41_a_host_and_a_claim_are_text_too() {
    let origin = Origin::new();
    let at = origin.address;
    let gate = Gate::configured(&format!(
        "upstreams:\n  open: {{upstream: 'http://{at}', match: {{hosts: [a.b.test]}}, rules: [{{path: /*, allow: public}}]}}\n  \
         rest: {{upstream: 'http://{at}', rules: [{{path: /*, allow: verified, claims: {{fields.plan: ['pro.*', '.']}}}}]}}\n"
    ));
    for host in ["axb.test", "a.b-test", "b.test", "x.a.b.test", "a.b.test.evil", "A.B.TESTS"] {
        assert_eq!(gate.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).status, 401, "{host}");
    }
    for plan in ["pro", "prox", "pro.x", "x", "", ".*", "pro.*.", "PRO.*"] {
        let held = token(&json!({"fields": {"plan": plan}}));
        let answer = gate.get("/", &format!("X-Integration-App-Token: {held}\r\n"));
        assert_eq!(answer.code(), "claims_not_allowed", "{plan}");
    }
    origin.is_untouched();
    let held = token(&json!({"fields": {"plan": "pro.*"}}));
    assert_eq!(gate.get("/", &format!("X-Integration-App-Token: {held}\r\n")).status, 200);
}

#[test]
fn h36_h43_a_forwarded_preflight_carries_no_twin_of_what_is_ours() {
    let origin = Origin::new();
    let gate = Gate::with(
        &origin,
        "identity: {X-User: id}, cors: {preflight: forward, origins: ['https://app.test'], methods: [GET]}",
    );
    let twins =
        "X_User: root\r\nX_Integration_App_Token: t\r\nTransfer_Encoding: chunked\r\nContent_Length: 9\r\n";
    let answer = gate.ask(format!(
        "OPTIONS /x HTTP/1.1\r\nHost: api.test\r\nOrigin: https://app.test\r\nAccess-Control-Request-Method: GET\r\n{twins}\r\n"
    ));
    assert_eq!(answer.status, 200, "{answer:?}");
    let head = origin.only().head.to_lowercase();
    assert!(!head.contains('_') && !head.contains("x-user"), "{head}");
}

#[test]
fn t35_no_answer_tells_whether_issuer_key_or_signature_was_wrong() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let good = token(&json!({}));
    let (input, signature) = good.rsplit_once('.').unwrap();
    let claims = |issuer: &str| json!({"iss": issuer, "id": "anna", "exp": 4_000_000_000_u64});
    let answers: Vec<_> = [
        signed(&claims("nobody"), OTHER_SECRET),
        signed(&claims("acme"), OTHER_SECRET),
        format!("{input}.{}", "A".repeat(signature.len())),
        format!("{input}.{}", &signature[..signature.len() - 4]),
        // Wrong at the first byte and right in all others, and the other way round.
        format!("{input}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]),
        format!("{input}.{}AAAA", &signature[..signature.len() - 4]),
    ]
    .iter()
    .map(|token| {
        let answer = gate.get("/", &format!("X-Integration-App-Token: {token}\r\nX-Request-Id: one\r\n"));
        let head =
            answer.head.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n");
        (head, answer.text())
    })
    .collect();
    for answer in &answers {
        assert_eq!(*answer, answers[0]);
    }
    assert!(answers[0].0.contains("401"), "{answers:?}");
    origin.is_untouched();
}
