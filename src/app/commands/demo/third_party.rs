//! The demo's third party: contacts behind a bearer token, and a token endpoint that rotates refresh tokens.
//! Never forgives a replay: a spent refresh token ends the grant, as certified servers do.

use std::sync::{Mutex, PoisonError};

use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::json;

use crate::http::listener::{Arrival, Handler};
use crate::http::{Body, reply};

#[derive(Default)]
pub(super) struct ThirdParty(Mutex<Grant>);

/// The one grant this third party has given: its tokens are numbered.
#[derive(Default)]
struct Grant {
    access: u32,
    access_revoked: bool,
    refresh: u32,
    dead: bool,
    rejected: u32,
    refreshes: u32,
}

impl ThirdParty {
    /// Gives out an access token and a refresh token, as after a customer's consent.
    pub(super) fn grant(&self) -> (String, String) {
        let mut grant = self.lock();
        (grant.access, grant.refresh) = (1, 1);
        (access_token(1), refresh_token(1))
    }

    /// From now on the access token is refused; the refresh token still works.
    pub(super) fn revoke_access_token(&self) {
        self.lock().access_revoked = true;
    }

    /// How many calls were refused, and how many refreshes were made.
    pub(super) fn counts(&self) -> (u32, u32) {
        let grant = self.lock();
        (grant.rejected, grant.refreshes)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Grant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contacts(&self, authorization: &str) -> Response<Body> {
        let mut grant = self.lock();
        if grant.access_revoked || authorization != format!("Bearer {}", access_token(grant.access)) {
            grant.rejected += 1;
            return reply::json(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}));
        }
        let masked = format!("Bearer …-{:04}", grant.access);
        reply::json(StatusCode::OK, &json!({"contacts": ["Grace", "Edsger"], "sawAuthorization": masked}))
    }

    fn token(&self, form: &str) -> Response<Body> {
        let mut grant = self.lock();
        if grant.dead || !form.contains(&format!("refresh_token={}", refresh_token(grant.refresh))) {
            grant.dead = true;
            return reply::json(StatusCode::BAD_REQUEST, &json!({"error": "invalid_grant"}));
        }
        grant.refresh += 1;
        grant.access += 1;
        grant.refreshes += 1;
        grant.access_revoked = false;
        let tokens = json!({
            "access_token": access_token(grant.access),
            "refresh_token": refresh_token(grant.refresh),
            "token_type": "Bearer",
            "expires_in": 3600,
        });
        reply::json(StatusCode::OK, &tokens)
    }
}

impl Handler for ThirdParty {
    async fn handle(&self, request: Request<Body>, _arrival: Arrival) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match parts.uri.path() {
            "/contacts" => self.contacts(authorization.unwrap_or_default()),
            "/token" => {
                let form = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                self.token(&String::from_utf8_lossy(&form))
            }
            _ => reply::json(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
        }
    }
}

fn access_token(number: u32) -> String {
    format!("demo-access-token-{number:04}")
}

fn refresh_token(number: u32) -> String {
    format!("demo-refresh-token-{number:04}")
}
