//! A method that is a script: what it is given, and the requests it makes, each admitted, signed, and sent through the guard.
//! Never lets a script reach a host that the connection's credentials may not go to.

use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use zeroize::Zeroizing;

use super::{Made, Methods, RunError, Subject};
use crate::connector::{ApiClient, Method, Reply, ResponseHandlers, Staleness};
use crate::formula::Value;
use crate::http::Body;
use crate::http::body::{Collected, collect_within};
use crate::inject::target::{Allowed, Base, Requested, TargetError, locate, locate_alone};
use crate::inject::{self, SignedRequest, UnsignedRequest};
use crate::report::report;
use crate::script::{BoxFuture, HostCalls, HostClient, HostError, HostRequest, HostResponse, Script};
use crate::secret::Secret;

impl Methods {
    /// Runs a script; `more`: what it sees beside the usual variables.
    pub(super) async fn script(
        &self,
        method: Method,
        script: &Script,
        subject: &Subject<'_>,
        more: &[(&str, &Value)],
    ) -> Made {
        let mut argument = subject.variables(method);
        for (name, value) in more {
            argument.set(name, value);
        }
        let host =
            Host { methods: self, allowed: subject.allowed(), client: self.offered(method, subject).await? };
        let outcome = self.scripts.run(script, method.name(), &argument, &host).await?;
        if !outcome.log.is_empty() {
            tracing::debug!(
                script = script.file(),
                method = method.name(),
                log = outcome.log,
                "a script logged"
            );
        }
        Ok(outcome.value)
    }

    /// The connection's own client, for the methods that are run with a connection. It is made before the script starts, for it
    /// may be made by a script, too. Where credentials are to be refreshed, the old ones need not make one.
    async fn offered(&self, method: Method, subject: &Subject<'_>) -> Result<Option<Offered>, RunError> {
        if subject.input().credentials.is_none() {
            return Ok(None);
        }
        let made = match method {
            Method::Test | Method::Disconnect => Some(Box::pin(self.api_client(subject)).await?),
            Method::RefreshCredentials => Box::pin(self.api_client(subject)).await.ok(),
            _ => None,
        };
        let offered = |client: ApiClient| {
            let base = Base::parse(&client.base_uri);
            let base = base.map_err(|source| RunError::Target { method: method.name(), source })?;
            Ok(Offered { client, base })
        };
        made.map(offered).transpose()
    }
}

/// The connection's own API client.
struct Offered {
    client: ApiClient,
    base: Base,
}

impl Offered {
    /// What the connector's response handlers make of an answer. What 401 is by default the script is told with the answer.
    fn verdict(&self, head: &Parts, body: &[u8]) -> Option<&'static str> {
        let wanted = self.client.response_handlers.read_bodies();
        let data = wanted.then(|| serde_json::from_slice(body).ok().map(Zeroizing::new)).flatten();
        let reply = Reply { status: head.status, headers: &head.headers, data: data.as_deref() };
        match self.client.staleness(&reply) {
            Staleness::AccessTokenExpired if head.status != StatusCode::UNAUTHORIZED => {
                Some("access_token_expired")
            }
            Staleness::ConnectionIsDefunct => Some("connection_is_defunct"),
            Staleness::AccessTokenExpired | Staleness::Fine => None,
        }
    }
}

/// Where a script's requests go.
struct Host<'a> {
    methods: &'a Methods,
    allowed: Allowed<'a>,
    client: Option<Offered>,
}

impl HostCalls for Host<'_> {
    fn offers_api_client(&self) -> bool {
        self.client.is_some()
    }

    fn call(&self, request: HostRequest) -> BoxFuture<'_, Result<HostResponse, HostError>> {
        Box::pin(async move {
            let through = if request.client == HostClient::Connection { self.client.as_ref() } else { None };
            let body = request.body.as_ref().map_or_else(Body::empty, |bytes| Body::full(bytes.to_vec()));
            let signed = match through {
                Some(own) => self.signed(own, request, &body),
                None => self.open(request),
            }?;
            self.exchange(signed, body, through).await
        })
    }
}

impl Host<'_> {
    /// A request of `apiClient`: to the base URI, with the connection's credentials.
    fn signed(&self, own: &Offered, request: HostRequest, body: &Body) -> Result<SignedRequest, HostError> {
        let is_url = ["https://", "http://"].iter().any(|scheme| request.url.starts_with(scheme));
        let requested = if is_url { Requested::Url } else { Requested::Path };
        let target = locate(&own.base, &requested(request.url), &self.allowed)
            .map_err(|error| not_admitted(&error))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| refused(&"a header's value is not visible ASCII"))?;
            headers.append(header_name(name)?, value);
        }
        let unsigned = UnsignedRequest {
            method: verb(&request.method)?,
            origin: target.origin,
            path_and_query: target.path_and_query,
            headers,
            body: body.whole(),
        };
        inject::sign(unsigned, &own.client, &*self.methods.clock).map_err(|error| refused(&report(&error)))
    }

    /// A request of `fetch`, axios or the script's own client: its headers are all there are, and they may be credentials.
    fn open(&self, request: HostRequest) -> Result<SignedRequest, HostError> {
        let base = self.client.as_ref().map(|own| &own.base);
        let target = locate_alone(&request.url, base, &self.allowed).map_err(|error| not_admitted(&error))?;
        let headers = request
            .headers
            .into_iter()
            .map(|(name, value)| Ok((header_name(&name)?, Secret::new(value.to_string()))));
        let client = ApiClient {
            base_uri: String::new(),
            headers: headers.collect::<Result<_, HostError>>()?,
            query: Vec::new(),
            basic: None,
            signer: None,
            response_handlers: ResponseHandlers::default(),
        };
        let unsigned = UnsignedRequest {
            method: verb(&request.method)?,
            origin: target.origin,
            path_and_query: target.path_and_query,
            headers: HeaderMap::new(),
            body: None,
        };
        inject::sign(unsigned, &client, &*self.methods.clock).map_err(|error| refused(&report(&error)))
    }

    async fn exchange(
        &self,
        request: SignedRequest,
        body: Body,
        through: Option<&Offered>,
    ) -> Result<HostResponse, HostError> {
        let (origin, request) = request.with_body(body);
        let response = self.methods.client.send(&origin, self.allowed.egress, request).await;
        let (head, body) = response.map_err(|error| unreachable(&report(&error)))?.into_parts();
        let status = head.status.as_u16();
        let longest = usize::try_from(self.methods.scripts.limits().response).unwrap_or(usize::MAX);
        let body =
            match collect_within(body, longest).await.map_err(|_| unreachable(&"the answer broke off"))? {
                Collected::Whole(bytes) => bytes.to_vec(),
                Collected::TooLong(_) => return Err(refused(&"the answer is longer than scripts.response")),
            };
        if let Some(key) = through.and_then(|own| own.verdict(&head, &body)) {
            let message = format!("the API answered {status}");
            return Err(HostError { message, key: Some(key.into()), status: Some(status) });
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers =
            head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Ok(HostResponse { status, headers, body: Zeroizing::new(body) })
    }
}

fn verb(method: &str) -> Result<http::Method, HostError> {
    method.parse().map_err(|_| refused(&"this is no HTTP method"))
}

fn header_name(name: &str) -> Result<HeaderName, HostError> {
    name.parse().map_err(|_| refused(&"this is no header name"))
}

fn refused(problem: &dyn std::fmt::Display) -> HostError {
    HostError { message: problem.to_string(), key: None, status: None }
}

fn unreachable(problem: &dyn std::fmt::Display) -> HostError {
    HostError { key: Some(HostError::UNREACHABLE.into()), ..refused(problem) }
}

fn not_admitted(error: &TargetError) -> HostError {
    let is_unlisted = matches!(error, TargetError::NotAllowed { .. });
    let cure = if is_unlisted { "; list its host in the integration's `hosts`" } else { "" };
    HostError { key: Some(HostError::NOT_ADMITTED.into()), ..refused(&format!("{error}{cure}")) }
}
