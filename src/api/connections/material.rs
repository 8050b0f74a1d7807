//! A connection's secrets made complete: credentials from what was sent, when they end, where they may go.
//! Never stores anything.

use super::draft::Source;
use crate::api::Api;
use crate::api::rejection::Rejection;
use crate::clock::Timestamp;
use crate::connector::{AuthType, Hosts, Integration, MethodInput, Place};
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

/// The origin to pin on a connection whose integration says `hosts: connection`; none for the others. Whatever the
/// connector makes a base URI of must be where the connection's credentials may go: the same is asked with each call.
pub(in crate::api) fn pinned_origin(
    integration: &Integration,
    app: Option<&AppId>,
    secrets: &Secrets,
) -> Result<Option<String>, Rejection> {
    let is_pinned = integration.hosts == Hosts::Connection;
    // What is written in the spec holds nothing of the customer's.
    if !is_pinned && integration.connector.literal_base_host().is_some() {
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
    let egress = Egress { allow_private: integration.allow_private, allow_plain: integration.allow_plain };
    let place = place(&client.base_uri, egress)?;
    if is_pinned {
        return Ok(Some(client.origin()));
    }
    if !integration.hosts.admits(&place.site(), &place.site(), None) {
        return Err(Rejection::Origin {
            why: "the integration's `hosts` do not admit its host",
            source: None,
        });
    }
    Ok(None)
}

/// Where the base URI leads, if that can be read in one way only and the guard's doors are open for it.
fn place(base_uri: &str, egress: Egress) -> Result<Place, Rejection> {
    let (place, _) = Place::parse(base_uri).map_err(|why| Rejection::Origin { why, source: None })?;
    let site = place.site();
    let checked = egress.check_scheme(site.scheme == "https").and_then(|()| egress.check_host(site.host));
    checked.map(drop).map_err(Rejection::Egress)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHUT: Egress = Egress { allow_private: false, allow_plain: false };

    #[test]
    fn an_origin_in_its_usual_spelling_is_pinned() {
        for base in [
            "https://acme.example.com",
            "https://acme.example.com/api/v2",
            "https://ACME.example.com:443/",
            "https://acme.example.com:8443/x",
        ] {
            assert!(place(base, SHUT).is_ok(), "{base}");
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
            let refused = place(base, SHUT).err();
            assert_eq!(refused.map(|refused| refused.code()), Some("origin_refused"), "{base}");
        }
        let open = Egress { allow_private: true, allow_plain: true };
        assert!(place("http://127.0.0.1:9000/x", open).is_ok());
        assert!(place("http://169.254.169.254/", open).is_err());
    }
}
