//! Tokens, their JSON and their claims.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sidegate::clock::{Clock as _, SystemClock};
use sidegate::secret::Secret;
use sidegate::token::jws::json as strict;
use sidegate::token::{Claims, Config, Policy, Verified, Verifier, WorkspaceConfig};

const SECRET: &str = "the secret of acme, long enough for HS512: 0123456789abcdefghijklmnopqrstuvw";

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(0));
static CACHED: LazyLock<Verifier> = LazyLock::new(|| verifier(1000));

fn verifier(cache_entries: u64) -> Verifier {
    let mut acme = WorkspaceConfig::named("acme");
    acme.secret = Some(Secret::new(SECRET.to_owned()));
    let mut config = Config::default();
    config.workspaces.push(acme);
    config.cache_entries = cache_entries;
    Verifier::new(config, Arc::new(SystemClock)).unwrap().0
}

/// A token as it comes, and one with any header and claims that is signed well. Whatever is accepted has three
/// canonical parts, a signature of the secret's own, and claims that a plain reading admits too.
pub fn token(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        judge(text);
    }
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(header), Some(claims)) = (parts.next(), parts.next()) else { return };
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    for algorithm in [hmac::HMAC_SHA256, hmac::HMAC_SHA384, hmac::HMAC_SHA512] {
        let signature = hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), input.as_bytes());
        judge(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)));
    }
}

fn judge(token: &str) {
    let policy = Policy::default();
    let outcome = VERIFIER.verify(token, &policy);
    for _ in 0..2 {
        let cached = CACHED.verify(token, &policy);
        assert_eq!(cached.as_ref().map(shown), outcome.as_ref().map(shown), "the cache changes the outcome");
    }
    if let Ok(verified) = outcome {
        assert!(is_sound(token, verified.claims()), "accepted: {token}");
    }
}

fn shown(verified: &Verified) -> String {
    format!("{verified:?}")
}

fn is_sound(token: &str, accepted: &Claims) -> bool {
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let [header, claims, signature] = &parts[..] else { return false };
    let [header, claims] = [header, claims].map(|part| serde_json::from_slice::<Value>(part).unwrap());
    let algorithm = match header["alg"].as_str().unwrap() {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return false,
    };
    let (input, _) = token.rsplit_once('.').unwrap();
    let key = hmac::Key::new(algorithm, SECRET.as_bytes());
    let now = SystemClock.now().as_secs_f64();
    let time = |name: &str| claims.get(name).map(|time| time.as_f64().unwrap());
    hmac::verify(&key, input.as_bytes(), signature).is_ok()
        && ["crit", "b64", "zip", "enc"].iter().all(|name| header.get(name).is_none())
        && time("exp").is_none_or(|expires| expires > now - 1.0)
        && time("nbf").is_none_or(|begins| begins <= now + 1.0)
        && are_the_same(&claims, accepted)
}

/// Text that is read strictly is read the same by serde, and can be read again once written.
pub fn json(bytes: &[u8]) {
    let Ok(object) = strict::object(bytes) else { return };
    let plain: Map<String, Value> = serde_json::from_slice(bytes).unwrap();
    assert_eq!(object, plain);
    let written = serde_json::to_vec(&object).unwrap();
    // Not the same to the last digit: serde reads a double of many digits to within one of its steps.
    assert!(strict::object(&written).is_ok());
}

/// The claims are those of the text, whatever a path looks up in them.
pub fn claims(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (path, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(all) = strict::object(text) else { return };
    let Ok(claims) = Claims::from_json(all.clone()) else { return };
    assert!(are_the_same(&Value::Object(all.clone()), &claims), "{all:?}");
    let Ok(path) = std::str::from_utf8(path) else { return };
    if path.starts_with('/') {
        let pointed = Value::Object(all.clone());
        let found = claims.lookup(path).map(Cow::into_owned);
        assert_eq!(found.as_ref(), pointed.pointer(path), "{path} in {all:?}");
    } else {
        let _ = claims.lookup(path);
    }
}

fn are_the_same(all: &Value, claims: &Claims) -> bool {
    let first_of = |names: &[&str]| {
        names.iter().filter_map(|name| all.get(name)).find(|value| !value.is_null()).cloned()
    };
    let workspace = first_of(&["iss", "workspaceKey"]);
    let is_admin = match all.get("isAdmin") {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    };
    workspace == Some(Value::from(claims.workspace.as_str())) && claims.is_admin == is_admin
}
