//! An OAuth 2.0 provider with its API, played by the test: it consents at once, and holds every exchange against what was asked.
//! Never forgives a client: a code works once, with its verifier, its redirect URI and its app.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::parse;

use super::origin::{Origin, Player, Seen};

/// A provider that consents to everything.
pub(crate) struct Provider {
    origin: Origin,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Codes that were not redeemed yet, with the query that asked for each.
    codes: BTreeMap<String, Pairs>,
    /// Refresh tokens that work, with the app of each.
    refresh_tokens: BTreeMap<String, String>,
    /// Access tokens that work.
    access_tokens: Vec<String>,
    /// How many tokens were given out.
    count: usize,
    /// What is laid over the next token replies.
    more: Option<Value>,
    refused: Option<(u16, Value)>,
}

pub(crate) type Pairs = BTreeMap<String, String>;

/// The secret of the app `a1`, and so on.
pub(crate) fn app_secret(app: &str) -> String {
    format!("planted-secret-of-{app}")
}

impl Provider {
    pub(crate) fn new() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let origin = Origin::played(move |player| {
            while let Some(seen) = player.request() {
                answer(player, &seen, &mut shared.lock().unwrap());
            }
        });
        Self { origin, state }
    }

    /// Its address, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.origin.address)
    }

    /// What a browser that was sent here with this address brings back.
    pub(crate) fn consent(&self, authorize: &Url) -> String {
        let asked: Pairs = authorize.query_pairs().into_owned().collect();
        let mut state = self.state();
        let code = format!("planted-code-{}", state.codes.len() + state.count);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .finish();
        state.codes.insert(code, asked);
        query
    }

    /// A code that nobody asked for with a challenge, as from the provider's own list of apps.
    pub(crate) fn unasked_code(&self, app: &str, redirect_uri: &str) -> String {
        let asked = [("client_id", app), ("redirect_uri", redirect_uri)];
        let asked = asked.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.state().codes.insert("planted-unasked".into(), Pairs::from(asked));
        "planted-unasked".into()
    }

    /// What a browser that was sent here by OAuth 1.0a is sent back with, and where to.
    pub(crate) fn consent_by_oauth1(&self, authorize: &Url) -> Url {
        let asked: Pairs = authorize.query_pairs().into_owned().collect();
        let mut back = Url::parse(&self.state().codes[&asked["oauth_token"]]["oauth_callback"]).unwrap();
        back.query_pairs_mut()
            .append_pair("oauth_token", &asked["oauth_token"])
            .append_pair("oauth_verifier", "planted-verifier");
        back
    }

    /// Lays these fields over its token replies.
    pub(crate) fn reply_with(&self, more: Value) {
        self.state().more = Some(more);
    }

    /// Refuses every token request.
    pub(crate) fn refuse(&self, status: u16, reply: Value) {
        self.state().refused = Some((status, reply));
    }

    /// No access token works any more.
    pub(crate) fn revoke_access(&self) {
        self.state().access_tokens.clear();
    }

    /// The token requests so far, as fields, and the app's id and secret wherever they stood.
    pub(crate) fn exchanges(&self) -> Vec<Pairs> {
        let seen = self.origin.seen();
        seen.iter().filter(|seen| seen.line().starts_with("POST /token ")).map(fields).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// The fields of a token request, with the client's wherever they stand.
fn fields(seen: &Seen) -> Pairs {
    let mut fields: Pairs = parse(&seen.body).into_owned().collect();
    for basic in seen.values("authorization").iter().filter_map(|value| value.strip_prefix("Basic ")) {
        let pair = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
        let (id, secret) = pair.split_once(':').unwrap();
        for (name, value) in [("client_id", id), ("client_secret", secret)] {
            let value = percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned();
            assert!(fields.insert(name.into(), value).is_none(), "the client authenticates twice");
        }
    }
    fields
}

fn answer(player: &mut Player, seen: &Seen, state: &mut State) {
    let signed = signature(seen);
    if let Some(body) = by_oauth1(seen, &signed, state) {
        let status = if body.is_empty() { 401 } else { 200 };
        let length = body.len();
        player.say(format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{body}"));
        return;
    }
    let (status, body) = if seen.line().starts_with("POST /token ") {
        tokens(&fields(seen), state)
    } else if seen.line().starts_with("POST /own-token ") {
        own_tokens(seen, state)
    } else {
        let token = seen.values("authorization").first().and_then(|value| value.strip_prefix("Bearer "));
        let is_good = token.is_some_and(|token| state.access_tokens.iter().any(|good| good == token));
        if is_good { (200, json!({"ok": true})) } else { (401, json!({"error": "invalid_token"})) }
    };
    let body = body.to_string();
    let length = body.len();
    player.say(format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
}

/// An exchange that no standard knows, as for a connector's `getTokenData`.
fn own_tokens(seen: &Seen, state: &mut State) -> (u16, Value) {
    let sent: Value = serde_json::from_slice(&seen.body).unwrap();
    let text = |name: &str| sent[name].as_str().unwrap_or_default().to_owned();
    let fields =
        ["code", "redirect_uri", "code_verifier", "client_id"].map(|name| (name.to_owned(), text(name)));
    let fields = Pairs::from(fields);
    let is_good = state.codes.remove(&fields["code"]).is_some_and(|asked| redeems(&fields, &asked));
    if !is_good {
        return (400, json!({"error": "no such code"}));
    }
    state.count += 1;
    let access = format!("planted-a{}", state.count);
    state.access_tokens.push(access.clone());
    (200, json!({"data": {"token": access}}))
}

/// The parameters of an OAuth 1.0a signature.
fn signature(seen: &Seen) -> Pairs {
    let header = seen.values("authorization").first().and_then(|value| value.strip_prefix("OAuth "));
    let pairs = header.into_iter().flat_map(|header| header.split(',')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim_matches('"')).decode_utf8().unwrap();
        Some((name.to_owned(), value.into_owned()))
    });
    pairs.collect()
}

/// What OAuth 1.0a is answered, as a form; nothing is a refusal. The signature itself is held against a real server elsewhere.
fn by_oauth1(seen: &Seen, signed: &Pairs, state: &mut State) -> Option<String> {
    let says = |name: &str| signed.get(name).map(String::as_str).unwrap_or_default();
    if seen.line().starts_with("POST /request-token ") {
        assert!(says("oauth_consumer_key") == "a1" && !says("oauth_signature").is_empty());
        state.codes.insert("planted-temporary".into(), signed.clone());
        let reply = "oauth_token=planted-temporary&oauth_token_secret=planted-temporary-secret&oauth_callback_confirmed=true";
        return Some(reply.into());
    }
    if seen.line().starts_with("POST /access-token ") {
        let is_good =
            says("oauth_verifier") == "planted-verifier" && state.codes.remove(says("oauth_token")).is_some();
        let reply = "oauth_token=planted-one&oauth_token_secret=planted-one-secret&user=u1";
        return Some(if is_good { reply.into() } else { String::new() });
    }
    let is_signed = says("oauth_token") == "planted-one" && !says("oauth_nonce").is_empty();
    is_signed.then(|| "ok".into())
}

fn tokens(fields: &Pairs, state: &mut State) -> (u16, Value) {
    if let Some(refused) = &state.refused {
        return refused.clone();
    }
    let app = fields.get("client_id").cloned().unwrap_or_default();
    if fields.get("client_secret") != Some(&app_secret(&app)) {
        return (401, json!({"error": "invalid_client"}));
    }
    let is_good = match fields["grant_type"].as_str() {
        "authorization_code" => {
            state.codes.remove(&fields["code"]).is_some_and(|asked| redeems(fields, &asked))
        }
        "refresh_token" => state.refresh_tokens.remove(&fields["refresh_token"]) == Some(app.clone()),
        _ => false,
    };
    if !is_good {
        return (400, json!({"error": "invalid_grant", "error_description": "that is no grant of yours"}));
    }
    state.count += 1;
    let (access, refresh) = (format!("planted-a{}", state.count), format!("planted-r{}", state.count));
    state.access_tokens.push(access.clone());
    state.refresh_tokens.insert(refresh.clone(), app);
    let mut reply =
        json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600});
    for (name, value) in state.more.iter().flat_map(|more| more.as_object().unwrap()) {
        reply[name] = value.clone();
    }
    (200, reply)
}

/// RFC 6749 section 4.1.3, RFC 7636 section 4.6.
fn redeems(fields: &Pairs, asked: &Pairs) -> bool {
    let proven = fields
        .get("code_verifier")
        .map(|verifier| URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())));
    let is_same = |name: &str| fields.get(name) == asked.get(name);
    is_same("redirect_uri") && is_same("client_id") && proven.as_ref() == asked.get("code_challenge")
}
