//! A connection's secrets made complete: credentials from what was sent, when they end, where they may go.
//! Never stores anything.

use zeroize::Zeroizing;

use super::draft::Source;
use crate::api::Api;
use crate::api::rejection::Rejection;
use crate::clock::Timestamp;
use crate::connector::{AuthType, Hosts, Integration, MethodInput, Site};
use crate::formula::Value;
use crate::http::egress::Egress;
use crate::names::AppId;
use crate::refresh::freshness::{self, Jitter};
use crate::store::{Connection, Health, Secrets};

/// Whether a connection gets new credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// It does; they end then, if that is known.
    Renewed(Option<Timestamp>),
    /// It keeps what it has.
    Kept,
}

impl Api {
    /// The first credentials of a connection, put into `secrets`, and when they end, if that is known.
    pub(in crate::api) async fn first_credentials(
        &self,
        integration: &Integration,
        app: Option<&AppId>,
        source: Source,
        secrets: &mut Secrets,
    ) -> Result<Option<Timestamp>, Rejection> {
        if let Renewal::Renewed(expires_at) = self.renewed_credentials(integration, app, source, secrets)? {
            return Ok(expires_at);
        }
        let first = self.refresher.first_token(integration, app, secrets).await;
        let lifetime = first.map_err(|error| self.not_refreshed(error))?;
        if secrets.credentials == Value::empty_object() {
            let why = "send what gives access, or what the connector makes it from as `input`";
            return Err(Rejection::MissingField { field: "credentials", why });
        }
        Ok(lifetime.map(|lifetime| self.clock.now().plus(lifetime)))
    }

    /// New credentials from what was sent, if anything was.
    pub(super) fn renewed_credentials(
        &self,
        integration: &Integration,
        app: Option<&AppId>,
        source: Source,
        secrets: &mut Secrets,
    ) -> Result<Renewal, Rejection> {
        if source == Source::Sent {
            integration.check_credentials(&secrets.credentials).map_err(Rejection::Schema)?;
        }
        match (integration.connector.auth, source) {
            (AuthType::OAuth2, Source::Sent) => {
                Ok(Renewal::Renewed(freshness::expiry_of_kept(&secrets.credentials, self.clock.now())))
            }
            // Nothing refreshes them, so that an end would only cut them off.
            (AuthType::ClientCredentials, Source::Sent) => Ok(Renewal::Renewed(None)),
            (AuthType::ClientCredentials, Source::Input) => {
                let parameters = integration.connector_parameters(app, &secrets.connector_parameters);
                let input = MethodInput {
                    connector_parameters: &parameters,
                    connection_parameters: &secrets.input,
                    credentials: None,
                };
                let made = integration.connector.credentials_from_parameters(&input);
                secrets.credentials = made.map_err(Rejection::Input)?;
                Ok(Renewal::Renewed(None))
            }
            (AuthType::OAuth2, Source::Input) | (_, Source::Nothing) => Ok(Renewal::Kept),
        }
    }
}

/// Puts what follows from credentials that are new at `now` into the open part: they make any connection ready.
pub(in crate::api) fn connect(connection: &mut Connection, expires_at: Option<Timestamp>, now: Timestamp) {
    let jitter = Jitter::of(&connection.id);
    connection.health = Health::Ready;
    connection.expires_at = expires_at;
    connection.refresh_at = expires_at.map(|end| freshness::refresh_at(end, end.since(now), jitter));
    connection.refreshed_at = None;
    connection.granted_scopes = None;
}

/// The origin to pin on a connection whose integration says `hosts: connection`; none for the others.
pub(in crate::api) fn pinned_origin(
    integration: &Integration,
    app: Option<&AppId>,
    secrets: &Secrets,
) -> Result<Option<String>, Rejection> {
    if integration.hosts != Hosts::Connection {
        return Ok(None);
    }
    let parameters = integration.connector_parameters(app, &secrets.connector_parameters);
    let input = MethodInput {
        connector_parameters: &parameters,
        connection_parameters: &secrets.input,
        credentials: Some(&secrets.credentials),
    };
    let client = integration.connector.make_api_client(&input).map_err(|source| Rejection::Origin {
        why: "the connector gets no absolute http or https URL from what was entered",
        source: Some(source),
    })?;
    let origin = client.origin();
    let egress = Egress { allow_private: integration.allow_private, allow_plain: integration.allow_plain };
    check_origin(&client.base_uri, &origin, egress)?;
    Ok(Some(origin))
}

/// Whether the base URI says plainly that it lies at `origin`, and the guard's doors are open for it.
fn check_origin(base_uri: &str, origin: &str, egress: Egress) -> Result<(), Rejection> {
    let refused = |why| Rejection::Origin { why, source: None };
    let base_uri = Zeroizing::new(base_uri.to_ascii_lowercase());
    let rest = base_uri.strip_prefix(origin);
    // A port that follows the origin is the scheme's own: any other would be part of it.
    if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':'])) {
        return Err(refused("its host is not in its usual spelling"));
    }
    let url = url::Url::parse(origin).map_err(|_| refused("it has no origin"))?;
    let site = Site::of(&url).ok_or_else(|| refused("it has no host"))?;
    let checked = egress.check_scheme(site.scheme == "https").and_then(|()| egress.check_host(site.host));
    checked.map(drop).map_err(Rejection::Egress)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUT: Egress = Egress { allow_private: false, allow_plain: false };

    fn origin_of(base_uri: &str) -> String {
        url::Url::parse(base_uri).unwrap().origin().ascii_serialization()
    }

    #[test]
    fn an_origin_in_its_usual_spelling_is_pinned() {
        for base in [
            "https://acme.example.com",
            "https://acme.example.com/api/v2",
            "https://ACME.example.com:443/",
            "https://acme.example.com:8443/x",
        ] {
            assert!(check_origin(base, &origin_of(base), SHUT).is_ok(), "{base}");
        }
    }

    #[test]
    fn hosts_in_odd_spellings_and_behind_shut_doors_are_refused() {
        for base in [
            "http://acme.example.com",
            "https://127.0.0.1",
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://%61cme.example.com/",
        ] {
            let refused = check_origin(base, &origin_of(base), SHUT).err();
            assert_eq!(refused.map(|refused| refused.code()), Some("origin_refused"), "{base}");
        }
        let open = Egress { allow_private: true, allow_plain: true };
        assert!(check_origin("http://127.0.0.1:9000/x", "http://127.0.0.1:9000", open).is_ok());
        assert!(check_origin("http://169.254.169.254/", "http://169.254.169.254", open).is_err());
    }
}
