//! What decides besides a signature: the list of revoked tokens, and the conditions of rules.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Map, Value, json};
use sidegate::clock::{ManualClock, Timestamp};
use sidegate::document::{self, Complaint, Kind, Node};
use sidegate::formula::{Condition, Variables};
use sidegate::inbound::rules::would_admit;
use sidegate::inbound::{Routes, UpstreamConfig, VARIABLES};
use sidegate::secret::Secret;
use sidegate::token::jws::json as strict;
use sidegate::token::keys::TextFile;
use sidegate::token::{Claims, Config, Policy, TokenError, Verified, Verifier, WorkspaceConfig};

use super::settings::load;

const SECRET: &str = "the secret of acme, long enough for HS512: 0123456789abcdefghijklmnopqrstuvw";
const NOW: u64 = 1_800_000_000;

/// What the seeds' lists speak of.
static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    [
        (json!({"jti": "t1", "id": "anna", "iat": NOW - 60}), Some("k1")),
        (json!({"jti": 42, "sub": 42, "iat": 1_799_999_999.5}), Some("42")),
        (json!({"tenantKey": "anna", "iat": NOW + 60}), None),
        (json!({"isAdmin": true}), None),
    ]
    .into_iter()
    .map(|(claims, kid)| Subject::new(claims, kid))
    .collect()
});

/// A token with its parts.
struct Subject {
    token: String,
    claims: Value,
    kid: Option<&'static str>,
}

impl Subject {
    fn new(mut claims: Value, kid: Option<&'static str>) -> Self {
        claims["iss"] = "acme".into();
        let mut header = json!({"alg": "HS256"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        Self { token: signed(&header, &claims), claims, kid }
    }
}

/// Any bytes as the list of what is revoked: complaints have their place, and what is taken refuses what it says, whether
/// a token was seen before or not.
pub fn revoked(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let list = TextFile { path: "revoked.yaml".into(), text: text.to_owned() };
    let Ok((fresh, _)) = Verifier::new(acme(Some(list.clone())), clock()) else {
        let refused = sidegate::token::revocations::Revocations::read("revoked.yaml", text, "acme");
        return judge_complaints(&refused.expect_err("it was refused, and can be read"));
    };
    let root = document::parse("revoked.yaml", text).expect("it was taken, and is no document");
    let (before, _) = Verifier::new(acme(None), clock()).unwrap();
    for subject in SUBJECTS.iter() {
        before.verify(&subject.token, &Policy::default()).expect("nothing is revoked yet");
    }
    let (after, _) = Arc::new(before).succeeded_by(acme(Some(list))).unwrap();
    for subject in SUBJECTS.iter() {
        let outcomes = [&fresh, &fresh, &after].map(|verifier| {
            match verifier.verify(&subject.token, &Policy::default()) {
                Ok(_) => false,
                Err(TokenError::Revoked) => true,
                Err(other) => panic!("{other} for {}", subject.claims),
            }
        });
        let [expected, ..] = outcomes;
        assert_eq!(outcomes, [expected; 3], "what was remembered of {} decides", subject.claims);
        let said: Vec<_> = root.items().iter().map(|entry| names(entry, subject)).collect();
        let must = said.contains(&Some(true));
        let may = must || said.contains(&None);
        assert!(if expected { may } else { !must }, "{}: revoked {expected}, by {text}", subject.claims);
    }
}

/// Whether an entry revokes the token, as a person reads it; nothing where that takes a calendar.
fn names(entry: &Node, subject: &Subject) -> Option<bool> {
    let is = |value: Option<&Value>, wanted: &str| match value {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Number(number)) => number.to_string() == wanted,
        _ => false,
    };
    let claim = |name: &str| subject.claims.get(name);
    let mut all = Some(true);
    for member in entry.entries() {
        let (Kind::Text(wanted) | Kind::Number(wanted)) = &member.value.kind else { return Some(false) };
        let seconds = matches!(member.value.kind, Kind::Number(_)).then(|| wanted.parse::<f64>().unwrap());
        let holds = match member.key.as_str() {
            "jti" => Some(is(claim("jti"), wanted)),
            "kid" => Some(subject.kid == Some(wanted)),
            "customer" => Some(is(["id", "tenantKey", "sub"].into_iter().find_map(claim), wanted)),
            "workspace" => Some(wanted == "acme"),
            "issuedBefore" => seconds.map(|before| claim("iat").is_none_or(|at| at.as_f64() < Some(before))),
            "until" => seconds.map(|until| (NOW as f64) < until),
            _ => Some(false),
        };
        match holds {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

static ROUTED: LazyLock<UpstreamConfig> = LazyLock::new(|| {
    let rules = "rules: [{path: /*, allow: verified}]";
    let text = format!("upstreams: {{api: {{upstream: 'http://127.0.0.1:1', {rules}}}}}\n");
    load(text.as_bytes()).unwrap().upstreams.remove(0)
});

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::new(acme(None), clock()).unwrap().0);

/// A token's claims on the first line, and any document after it as the `when` of a rule: nothing that the pages do not
/// list is taken, and only what holds admits, also in a simpler reading.
pub fn when(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (claims, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(node) = document::parse("when.yaml", text) else { return };
    let condition = match Condition::from_node("when.yaml", &node, &VARIABLES) {
        Ok(condition) => condition,
        Err(complaints) => return judge_complaints(&complaints),
    };
    assert!(is_listed(&node), "taken: {text}");
    let Some(verified) = token_of(claims) else { return };

    let mut upstream = ROUTED.clone();
    upstream.rules[0].when = Some(condition.clone());
    let routes = Routes::new(vec![upstream]).unwrap();
    let route = routes.find("api.test", &Method::GET, "/").unwrap();
    let [first, second] = [0; 2].map(|_| would_admit(&route, Some(&verified)).map_err(|no| no.code()));
    assert_eq!(first, second);
    let holds = condition.holds(&everything(verified.claims()));
    assert_eq!(
        first,
        holds
            .as_ref()
            .map_err(|_| "condition_failed")
            .and_then(|holds| { if *holds { Ok(()) } else { Err("condition_not_met") } })
    );
    if let (Ok(holds), Some(expected)) = (holds, expected(&node, verified.claims())) {
        assert_eq!(holds, expected, "{:?} by {text}", verified.claims().all);
    }
}

fn token_of(claims: &[u8]) -> Option<Verified> {
    let mut claims = strict::object(claims).ok()?;
    claims.insert("iss".into(), "acme".into());
    let token = signed(&json!({"alg": "HS256"}), &Value::Object(claims));
    VERIFIER.verify(&token, &Policy::default()).ok()
}

/// Every variable, also those that the condition does not read.
fn everything(claims: &Claims) -> Variables {
    let mut variables = Variables::new();
    for (name, value) in spread(claims) {
        variables.set(name, &serde_json::from_value(value).unwrap());
    }
    variables
}

fn spread(claims: &Claims) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("workspace", claims.workspace.as_str().into()),
        ("isAdmin", claims.is_admin.into()),
        ("claims", claims.all.clone().into()),
    ];
    all.extend(claims.id.as_ref().map(|id| ("id", id.as_str().into())));
    all.extend(claims.name().map(|name| ("name", name.into())));
    all.extend(claims.fields().map(|fields| ("fields", fields.clone().into())));
    all
}

/// Whether a condition is made of what the pages list, and of variables that there are.
fn is_listed(node: &Node) -> bool {
    let [first, rest @ ..] = node.entries() else { return false };
    match (first.key.as_str(), rest) {
        ("$and" | "$or", []) => !first.value.items().is_empty() && first.value.items().iter().all(is_listed),
        ("$var", []) => is_variable(&first.value),
        ("$eval", [operator]) => {
            !operator.key.starts_with('$') && is_value(&first.value) && is_value(&operator.value)
        }
        _ => false,
    }
}

fn is_value(node: &Node) -> bool {
    match &node.kind {
        Kind::Sequence(items) => items.iter().all(is_value),
        Kind::Mapping(entries) => match &entries[..] {
            [formula] => match formula.key.as_str() {
                "$var" => is_variable(&formula.value),
                "$concat" | "$tpl" | "$firstNotEmpty" => are_arguments(&formula.value),
                "$plain" => true,
                _ => false,
            },
            _ => false,
        },
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => true,
    }
}

/// Of formulas that take a list, or a mapping with values and mappings of values.
fn are_arguments(node: &Node) -> bool {
    let is_argument = |node: &Node| {
        let is_plain = !node.entries().iter().any(|entry| entry.key.starts_with('$'));
        if is_plain { node.entries().iter().all(|entry| is_value(&entry.value)) } else { is_value(node) }
    };
    node.items().iter().all(is_value) && node.entries().iter().all(|entry| is_argument(&entry.value))
}

fn is_variable(node: &Node) -> bool {
    let name = node.text().map(|text| text.strip_prefix("$.").unwrap_or(text));
    // A backslash keeps a dot from ending the name.
    let first = name.and_then(|name| name.split(['.', '[']).next()).unwrap_or_default().replace('\\', "");
    VARIABLES.contains(&first.as_str())
}

/// What the plainest conditions say: junctions of variables, and of texts that are compared with them.
fn expected(node: &Node, claims: &Claims) -> Option<bool> {
    let [first, rest @ ..] = node.entries() else { return None };
    let parts = || first.value.items().iter().map(|item| expected(item, claims)).collect::<Option<Vec<_>>>();
    match (first.key.as_str(), rest) {
        ("$and", []) => Some(parts()?.into_iter().all(|part| part)),
        ("$or", []) => Some(parts()?.into_iter().any(|part| part)),
        ("$var", []) => Some(variable(first.value.text()?, claims)? == Value::Bool(true)),
        ("$eval", [operator]) => {
            let Value::String(text) = variable(first.value.get("$var")?.text()?, claims)? else {
                return None;
            };
            let operand = &operator.value;
            let texts = || operand.items().iter().map(Node::text).collect::<Option<Vec<_>>>();
            match operator.key.as_str() {
                "is" => Some(operand.text()? == text),
                "isNot" => Some(operand.text()? != text),
                "oneOf" => Some(texts()?.contains(&text.as_str())),
                "noneOf" => Some(!texts()?.contains(&text.as_str())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The variable of a plain name; null where the token has none.
fn variable(path: &str, claims: &Claims) -> Option<Value> {
    let is_plain = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let all = Value::Object(
        spread(claims).into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>(),
    );
    let mut found = &all;
    for name in path.split('.') {
        if !is_plain(name) || name == "length" {
            return None;
        }
        found = found.get(name).unwrap_or(&Value::Null);
    }
    Some(found.clone())
}

fn judge_complaints(complaints: &[Complaint]) {
    assert!(!complaints.is_empty(), "refused, and nobody says why");
    for complaint in complaints {
        assert!(complaint.position.is_some() && !complaint.cure.is_empty(), "{complaint}");
    }
}

fn acme(revoked: Option<TextFile>) -> Config {
    let mut acme = WorkspaceConfig::named("acme");
    acme.secret = Some(Secret::new(SECRET.to_owned()));
    acme.revoked = revoked;
    Config { workspaces: vec![acme], cache_entries: 1000, ..Config::default() }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_secs(NOW)))
}

fn signed(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let input = format!("{header}.{claims}");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}
