//! A connection's secrets made complete: credentials from what was sent, when they end, where they may go, whether they work.
//! Never stores anything.

use std::time::Duration;

use super::draft::Source;
use crate::api::Api;
use crate::api::rejection::Rejection;
use crate::clock::Timestamp;
use crate::connector::{AuthOption, AuthType, Hosts, Integration, Method, Place};
use crate::formula::Value;
use crate::http::egress::Egress;
use crate::method::{Account, Subject, Tested, User};
use crate::names::AppId;
use crate::refresh::freshness::{self, Jitter};
use crate::store::{Connection, Customer, Health, Secrets};

/// Whether a connection gets new credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// It does; they end then, if that is known.
    Renewed(Option<Timestamp>),
    /// It keeps what it has.
    Kept,
}

/// What the third party says of credentials.
pub(in crate::api) struct Verdict {
    pub(in crate::api) tested: Tested,
    /// When they end, if that is known.
    pub(in crate::api) expires_at: Option<Timestamp>,
}

/// What is known of a connection's first credentials.
pub(in crate::api) struct First {
    /// When they end, if that is known.
    pub(in crate::api) expires_at: Option<Timestamp>,
    /// The origin to pin.
    pub(in crate::api) pinned_origin: Option<String>,
    /// Whether a token endpoint gave them.
    pub(in crate::api) by_exchange: bool,
}

/// What a connection is made with.
#[derive(Clone, Copy)]
pub(in crate::api) struct With<'a> {
    pub(in crate::api) integration: &'a Integration,
    pub(in crate::api) option: &'a AuthOption,
    pub(super) app: Option<&'a AppId>,
    pub(super) user: Option<User<'a>>,
}

impl<'a> With<'a> {
    /// With the option that was chosen, if it is one and is enabled.
    pub(in crate::api) fn chosen(
        integration: &'a Integration,
        option: Option<&str>,
        app: Option<&'a AppId>,
        secrets: &Secrets,
    ) -> Result<Self, Rejection> {
        let with = Self::of(integration, option, app)?;
        let parameters = integration.connector_parameters(with.option, app, &secrets.connector_parameters);
        if integration.offers(with.option, &parameters) {
            return Ok(with);
        }
        Err(Rejection::WrongField { field: "authOptionKey", expected: "an option that is enabled" })
    }

    /// With the option that a connection has.
    pub(in crate::api) fn of(
        integration: &'a Integration,
        option: Option<&str>,
        app: Option<&'a AppId>,
    ) -> Result<Self, Rejection> {
        let expected = "one of the connector's options";
        let option = integration.connector.option(option);
        let option = option.ok_or(Rejection::WrongField { field: "authOptionKey", expected })?;
        Ok(Self { integration, option, app, user: None })
    }

    /// For this customer.
    pub(in crate::api) fn whose(self, user: impl Into<User<'a>>) -> Self {
        Self { user: Some(user.into()), ..self }
    }

    /// What a connector's methods see of it.
    pub(in crate::api) fn subject<'s>(
        &self,
        secrets: &'s Secrets,
        credentials: Option<&'s Value>,
        pinned_origin: Option<&'s str>,
    ) -> Result<Subject<'s>, Rejection>
    where
        'a: 's,
    {
        let account = Account { credentials, pinned_origin, ..self.account(secrets) };
        Subject::new(self.integration, account).map_err(Rejection::Input)
    }

    /// What is known of it before there are credentials.
    pub(in crate::api) fn account<'s>(&self, secrets: &'s Secrets) -> Account<'s>
    where
        'a: 's,
    {
        Account {
            option: self.option.key.as_deref(),
            app: self.app,
            connector_parameters: &secrets.connector_parameters,
            input: &secrets.input,
            credentials: None,
            pinned_origin: None,
            user: self.user,
        }
    }
}

/// A customer as the methods may see it.
pub(in crate::api) fn user(customer: &Customer) -> User<'_> {
    User { owner: &customer.owner, name: customer.name.as_deref(), fields: customer.fields.as_ref() }
}

impl Api {
    /// The first credentials of a connection, put into `secrets`.
    pub(in crate::api) async fn first_credentials(
        &self,
        with: With<'_>,
        source: Source,
        secrets: &mut Secrets,
    ) -> Result<First, Rejection> {
        if let Renewal::Renewed(expires_at) = self.renewed_credentials(with, source, secrets).await? {
            let pinned_origin = self.pinned_origin(with, secrets).await?;
            return Ok(First { expires_at, pinned_origin, by_exchange: false });
        }
        let option = with.option.key.as_deref();
        let first = self.refresher.first_token(with.integration, option, with.app, with.user, secrets).await;
        let first = first.map_err(|error| self.not_refreshed(error))?;
        if secrets.credentials == Value::empty_object() {
            let why = "send what gives access, or what the connector makes it from as `input`";
            return Err(Rejection::MissingField { field: "credentials", why });
        }
        let by_exchange = first.is_some();
        let expires_at = first.and_then(|first| Some(self.clock.steady().plus(first.lifetime?)));
        Ok(First { expires_at, pinned_origin: self.pinned_origin(with, secrets).await?, by_exchange })
    }

    /// New credentials from what was sent, if anything was.
    pub(super) async fn renewed_credentials(
        &self,
        with: With<'_>,
        source: Source,
        secrets: &mut Secrets,
    ) -> Result<Renewal, Rejection> {
        if source == Source::Sent {
            with.integration.check_credentials(&secrets.credentials).map_err(Rejection::Schema)?;
        }
        let ends = |credentials: &Value| freshness::expiry_of_kept(credentials, self.clock.steady());
        let can_refresh = with.option.can_refresh();
        match (with.option.auth, source) {
            // There is nothing to keep: each request gets a token of its own.
            (auth, _) if auth.is_minted() => Ok(Renewal::Renewed(None)),
            // Where nothing refreshes them, an end would only cut them off.
            (_, Source::Sent) => {
                Ok(Renewal::Renewed(can_refresh.then(|| ends(&secrets.credentials)).flatten()))
            }
            (AuthType::ClientCredentials, Source::Input) => {
                with.option.check_input(&secrets.input).map_err(Rejection::Schema)?;
                secrets.credentials = self.made_from_input(with, secrets).await?;
                Ok(Renewal::Renewed(can_refresh.then(|| ends(&secrets.credentials)).flatten()))
            }
            (_, Source::Input | Source::Nothing) => Ok(Renewal::Kept),
        }
    }

    /// What the connector makes of what the customer typed in. A method that sends may send to where calls would go.
    async fn made_from_input(&self, with: With<'_>, secrets: &Secrets) -> Result<Value, Rejection> {
        let sends = with.option.implementation(Method::CredentialsFromParameters).is_some();
        let pinned = if sends { self.pinned(with, secrets, None).await? } else { None };
        let subject = with.subject(secrets, None, pinned.as_deref())?;
        let mut made = self.methods.first_credentials(&subject).await.map_err(Rejection::Input)?;
        Ok(std::mem::replace(&mut *made, Value::Null))
    }

    /// The origin to pin on a connection whose integration says `hosts: connection`; none for the others. Where the
    /// connector computes its base URI, that must be where credentials may go: the same is asked with each call.
    pub(in crate::api) async fn pinned_origin(
        &self,
        with: With<'_>,
        secrets: &Secrets,
    ) -> Result<Option<String>, Rejection> {
        let hosts = &with.integration.hosts;
        if matches!(hosts, Hosts::Listed(_)) && with.option.literal_base_host().is_none() {
            let (_, place) = self.base(with, secrets, Some(&secrets.credentials)).await?;
            if !hosts.admits(&place.site(), &place.site(), None) {
                return Err(refused("the integration's `hosts` do not admit its host"));
            }
        }
        self.pinned(with, secrets, Some(&secrets.credentials)).await
    }

    async fn pinned(
        &self,
        with: With<'_>,
        secrets: &Secrets,
        credentials: Option<&Value>,
    ) -> Result<Option<String>, Rejection> {
        if with.integration.hosts != Hosts::Connection {
            return Ok(None);
        }
        let (origin, _) = self.base(with, secrets, credentials).await?;
        Ok(Some(origin))
    }

    /// The origin of the base URI that the connector makes, and where that leads: it can be read in one way only, and the
    /// guard's doors are open for it.
    async fn base(
        &self,
        with: With<'_>,
        secrets: &Secrets,
        credentials: Option<&Value>,
    ) -> Result<(String, Place), Rejection> {
        let subject = with.subject(secrets, credentials, None)?;
        let client = self.methods.api_client(&subject).await.map_err(|source| Rejection::Origin {
            why: "the connector gets no absolute http or https URL from what was entered",
            source: Some(source),
        })?;
        Ok((client.origin(), place(&client.base_uri, subject.allowed().egress)?))
    }

    /// Asks the third party whether it takes the credentials. A token that it calls expired and that can be refreshed has
    /// ended: whoever uses it next refreshes it first.
    pub(in crate::api) async fn tested(
        &self,
        with: With<'_>,
        secrets: &Secrets,
        pinned_origin: Option<&str>,
        expires_at: Option<Timestamp>,
    ) -> Result<Verdict, Rejection> {
        let subject = with.subject(secrets, Some(&secrets.credentials), pinned_origin)?;
        match self.methods.test(&subject).await {
            Ok(tested) => Ok(Verdict { tested, expires_at }),
            Err(error) if error.is_stale() && has_refresh_token(with, secrets) => {
                let tested = Tested::Passed { status: error.status() };
                Ok(Verdict { tested, expires_at: Some(self.clock.steady()) })
            }
            Err(error) => Err(Rejection::Test(error)),
        }
    }
}

fn has_refresh_token(with: With<'_>, secrets: &Secrets) -> bool {
    let token = secrets.credentials.get("refresh_token").and_then(Value::as_str);
    with.option.auth == AuthType::OAuth2
        && with.option.can_refresh()
        && token.is_some_and(|it| !it.is_empty())
}

/// Puts what follows from credentials that are new at `now` into the open part: they make any connection ready. `ahead`: how
/// long before their end they are refreshed.
pub(in crate::api) fn connect(
    connection: &mut Connection,
    expires_at: Option<Timestamp>,
    ahead: Duration,
    now: Timestamp,
) {
    let jitter = Jitter::of(&connection.id);
    connection.health = Health::Ready;
    connection.expires_at = expires_at;
    connection.refresh_at = expires_at.map(|end| freshness::refresh_at(end, end.since(now), ahead, jitter));
    connection.connected_at = Some(now);
    connection.refreshed_at = None;
    connection.granted_scopes = None;
}

/// Where the base URI leads, if that can be read in one way only and the guard's doors are open for it.
fn place(base_uri: &str, egress: Egress) -> Result<Place, Rejection> {
    let (place, _) = Place::parse(base_uri).map_err(refused)?;
    let site = place.site();
    let checked = egress.check_scheme(site.scheme == "https").and_then(|()| egress.check_host(site.host));
    checked.map(drop).map_err(Rejection::Egress)?;
    Ok(place)
}

fn refused(why: &'static str) -> Rejection {
    Rejection::Origin { why, source: None }
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
