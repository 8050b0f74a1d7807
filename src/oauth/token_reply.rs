//! What a token endpoint's reply says: the tokens, or why there are none.
//! Pure; knows nothing of how the reply travelled, and lets nothing secret into an error.

use std::fmt;

use http::StatusCode;
use indexmap::IndexMap;
use serde_json::Value as Json;
use url::form_urlencoded;
use zeroize::{Zeroize, Zeroizing};

use crate::clock::Timestamp;
use crate::oauth1::Signer;
use crate::secret::Secret;

use super::client_authentication::{Basic, Client, Proof, basic};
use super::error::{ExchangeError, Sent};
use super::http_request::Reply;
use super::meaning::{Dialect, Meaning};
use super::reading::Reading;
use super::token_request::TokenRequest;

/// How much of a provider's `error` and `error_description` is kept.
const CODE_LIMIT: usize = 64;
const DESCRIPTION_LIMIT: usize = 200;

/// A successful reply: it holds an `access_token`. Wiped when dropped, redacted when printed.
pub struct TokenResponse {
    status: u16,
    date: Option<Timestamp>,
    fields: Secret<Fields>,
}

impl TokenResponse {
    /// The reply's fields in its order, by the provider's names.
    #[must_use]
    pub fn fields(&self) -> &IndexMap<String, Json> {
        &self.fields.expose().0
    }

    /// Its status, a success.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// When it was sent, by its sender's clock.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenResponse([secret])")
    }
}

struct Fields(IndexMap<String, Json>);

impl Zeroize for Fields {
    fn zeroize(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Json) {
    match value {
        Json::String(text) => text.zeroize(),
        Json::Array(items) => items.iter_mut().for_each(wipe),
        Json::Object(fields) => fields.values_mut().for_each(wipe),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// What a reply says. Any 2xx with everything that is `needed` is a success, unless it says that it is an error.
pub(super) fn understand(
    reply: &Reply,
    reading: Reading<'_>,
    needed: &[&str],
    own: &OwnSecrets,
) -> Result<TokenResponse, ExchangeError> {
    let fields = Fields(reading.read(&reply.body));
    let refusal = refusal(&fields.0);
    if !reply.status.is_success() {
        return Err(reply.refused(&refusal.unwrap_or_default(), reading, own));
    }
    if let Some(refusal) = refusal {
        return Err(reply.refused(&refusal, reading, own));
    }
    for name in needed {
        match fields.0.get(*name) {
            Some(Json::String(token)) if is_token(name, token) => {}
            Some(_) => return Err(reply.transient(&format!("unreadable: its {name} is no token"))),
            None => return Err(reply.transient(&format!("unreadable: no {name} in its reply"))),
        }
    }
    Ok(TokenResponse { status: reply.status.as_u16(), date: reply.date, fields: Secret::new(fields) })
}

impl Reply {
    fn refused(&self, refusal: &Refusal, reading: Reading<'_>, own: &OwnSecrets) -> ExchangeError {
        let status = self.status.as_u16();
        let code = own.clean(&refusal.code, CODE_LIMIT);
        let description = own.clean(&refusal.description, DESCRIPTION_LIMIT);
        match reading.meaning(&refusal.code).unwrap_or_else(|| self.meaning(refusal)) {
            Meaning::DeadGrant => ExchangeError::DeadGrant { status, code, description },
            Meaning::DeadApp => ExchangeError::DeadApp { status, code, description },
            Meaning::Transient if code.is_empty() => self.transient(&format!("status {status}")),
            Meaning::Transient => self.transient(&format!("status {status}, {code}")),
            Meaning::Unknown if code.is_empty() => ExchangeError::Unknown { status, code: "none".into() },
            Meaning::Unknown => ExchangeError::Unknown { status, code },
        }
    }

    /// A provider that is down may say anything beside that.
    fn meaning(&self, refusal: &Refusal) -> Meaning {
        if self.status.is_server_error() || matches!(self.status.as_u16(), 408 | 425 | 429) {
            return Meaning::Transient;
        }
        refusal.dialect.meaning(&refusal.code)
    }

    fn transient(&self, reason: &str) -> ExchangeError {
        match (self.status, self.retry_after) {
            (StatusCode::TOO_MANY_REQUESTS, Some(retry_after)) => ExchangeError::Throttled { retry_after },
            (_, retry_after) => {
                let sent = Sent::Answered { status: self.status.as_u16() };
                ExchangeError::Transient { reason: reason.into(), retry_after, sent }
            }
        }
    }
}

#[derive(Default)]
struct Refusal {
    dialect: Dialect,
    code: String,
    description: String,
}

/// What the reply complains about: `error` as RFC 6749 has it or as an object, `oauth_problem` as OAuth 1.0a's providers
/// report it, Slack's `ok: false`, Marketo's `success: false` with `errors`, or WeChat's `errcode`. A `code` that is not 0
/// is a complaint only where there is no token (TikTok).
fn refusal(fields: &IndexMap<String, Json>) -> Option<Refusal> {
    let text = |name: &str| fields.get(name).map(scalar).unwrap_or_default();
    let says = |dialect, code, description| {
        Some(Refusal { dialect, code: text(code), description: text(description) })
    };
    match fields.get("error") {
        Some(Json::String(code)) if !code.is_empty() => {
            return says(Dialect::Words, "error", "error_description");
        }
        Some(Json::Object(error)) => return Some(Refusal::of_object(error)),
        Some(Json::Bool(true)) => return Some(Refusal::default()),
        _ => {}
    }
    if fields.contains_key("oauth_problem") {
        return says(Dialect::Words, "oauth_problem", "oauth_problem_advice");
    }
    if ["ok", "success"].iter().any(|name| fields.get(*name) == Some(&Json::Bool(false))) {
        let first = fields.get("errors").and_then(|errors| errors.get(0)?.as_object());
        let refusal = first.map(Refusal::of_object).unwrap_or_default();
        return Some(Refusal { dialect: Dialect::Marketo, ..refusal });
    }
    if !matches!(text("errcode").as_str(), "" | "0") {
        return says(Dialect::WeChat, "errcode", "errmsg");
    }
    let has_token = ["access_token", "oauth_token"].iter().any(|name| fields.contains_key(*name));
    if !has_token && !matches!(text("code").as_str(), "" | "0") {
        return says(Dialect::Words, "code", "message");
    }
    // HubSpot: {"status": "BAD_AUTH_CODE", "message": "missing or unknown auth code"}.
    if !has_token && text("status").starts_with("BAD_") {
        return says(Dialect::Words, "status", "message");
    }
    None
}

impl Refusal {
    fn of_object(error: &serde_json::Map<String, Json>) -> Self {
        let text = |name: &str| error.get(name).map(scalar).unwrap_or_default();
        let (code, kind, description) = (text("code"), text("type"), text("message"));
        let dialect = if kind == "OAuthException" { Dialect::Meta } else { Dialect::Words };
        Self { dialect, code: if code.is_empty() { kind } else { code }, description }
    }
}

/// A text or a number as text.
fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The characters of RFC 6749 appendix A.12 for an access token: anything else would break out of the header it is put in.
/// Those of OAuth 1.0a are percent-encoded there, and its secret may be empty (RFC 5849 section 3.4.4).
fn is_token(name: &str, text: &str) -> bool {
    match name {
        "oauth_token_secret" => true,
        "oauth_token" => !text.is_empty(),
        _ => !text.is_empty() && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)),
    }
}

/// What a provider may echo into its complaints and we must not pass on.
pub(super) struct OwnSecrets(Vec<Zeroizing<String>>);

impl OwnSecrets {
    pub(super) fn of(request: &TokenRequest<'_>, proof: &Proof<'_>) -> Self {
        let mut own: Vec<_> =
            request.grant.secrets().map(|secret| Zeroizing::new(secret.expose().clone())).collect();
        let Client { id, secret, .. } = request.client;
        if let Some(secret) = secret {
            own.extend([Basic::Encoded, Basic::Raw].map(|form| basic(form, id, secret)));
            own.push(Zeroizing::new(secret.expose().clone()));
        }
        let assertion = proof.fields.iter().find(|(name, _)| *name == "client_assertion");
        own.extend(assertion.map(|(_, assertion)| assertion.clone()));
        Self::written(own)
    }

    /// Of what signs a request, and of a parameter in it.
    pub(super) fn of_signer(signer: &Signer, parameter: &str) -> Self {
        let secrets = [Some(&signer.consumer_secret), signer.token.as_ref().map(|token| &token.secret)];
        let secrets = secrets.into_iter().flatten().map(|secret| Zeroizing::new(secret.expose().clone()));
        Self::written(secrets.chain([Zeroizing::new(parameter.to_owned())]).collect())
    }

    /// As they are, as a form has them, and as JSON does.
    fn written(mut own: Vec<Zeroizing<String>>) -> Self {
        let in_form = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let in_json = |text: &str| Json::from(text).to_string().trim_matches('"').to_owned();
        let encoded: Vec<String> = own.iter().flat_map(|text| [in_form(text), in_json(text)]).collect();
        own.extend(encoded.into_iter().map(Zeroizing::new));
        own.retain(|text| !text.is_empty());
        Self(own)
    }

    /// Visible ASCII only, without our secrets, at most `limit` long. Secrets go last, so that none is put together by
    /// what is left out; and before the cut, so that none is cut beyond recognition.
    fn clean(&self, text: &str, limit: usize) -> String {
        let mut clean: String =
            self.without(text).chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
        clean = self.without(&clean);
        clean.truncate(limit);
        clean
    }

    fn without(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[secret]"))
    }
}

#[cfg(test)]
mod tests;
