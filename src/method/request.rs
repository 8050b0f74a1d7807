//! A method that is one request: made by its formulas, signed with the connection's own API client, sent, and read.
//! Never follows a redirect, never repeats, and never sends to a host that a call could not reach.

use std::time::Duration;

use http::response::Parts;
use http::{HeaderMap, StatusCode};
use zeroize::Zeroizing;

use super::{Methods, RunError, Subject};
use crate::connector::{Draft, Handled, Method, Reply, RequestMapping};
use crate::formula::Value;
use crate::http::Body;
use crate::http::body::{Collected, collect_within};
use crate::http::egress::Egress;
use crate::inject::target::{Base, Requested, locate};
use crate::inject::{self, SignedRequest, UnsignedRequest};

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 1 << 20;
/// How long a request with its whole answer may take.
const DEADLINE: Duration = Duration::from_secs(60);

impl Methods {
    /// What the method gives, and the status of the answer that it is made of.
    pub(super) async fn request(
        &self,
        method: Method,
        mapping: &RequestMapping,
        subject: &Subject<'_>,
    ) -> Result<(Option<Zeroizing<Value>>, StatusCode), RunError> {
        let name = method.name();
        let variables = mapping.variables(name, subject.variables(method))?;
        let client = self.api_client(subject).await?;
        let draft = mapping.draft(name, &variables)?;
        let allowed = subject.allowed();
        let requested = requested(&draft);
        let target = Base::parse(&client.base_uri).and_then(|base| locate(&base, &requested, &allowed));
        let target = target.map_err(|source| RunError::Target { method: name, source })?;
        let body = draft.body.map_or_else(Body::empty, |bytes| Body::full(bytes.to_vec()));
        let unsigned = UnsignedRequest {
            method: draft.method,
            origin: target.origin,
            path_and_query: target.path_and_query,
            headers: draft.headers.into_iter().collect::<HeaderMap>(),
            body: body.whole(),
        };
        let signed = inject::sign(unsigned, &client, &*self.clock);
        let signed = signed.map_err(|source| RunError::Inject { method: name, source })?;
        let (head, data) = tokio::time::timeout(DEADLINE, self.exchange(name, signed, allowed.egress, body))
            .await
            .map_err(|_| RunError::TooSlow { method: name })??;
        let (status, headers) = (head.status, &head.headers);
        let reply = Reply { status, headers, data: Some(&data) };
        let replaced = match client.handled(&reply) {
            Some(Handled::Success(replaced)) => replaced,
            None if status.is_success() => None,
            Some(Handled::Failure(staleness)) => {
                return Err(RunError::Refused { method: name, status, staleness });
            }
            None => {
                let staleness = client.staleness(&reply);
                return Err(RunError::Refused { method: name, status, staleness });
            }
        };
        let reply = Reply { status, headers, data: Some(replaced.as_ref().unwrap_or(&data)) };
        Ok((mapping.result(name, variables, &reply)?, status))
    }
}

impl Methods {
    async fn exchange(
        &self,
        method: &'static str,
        request: SignedRequest,
        egress: Egress,
        body: Body,
    ) -> Result<(Parts, Zeroizing<Value>), RunError> {
        let (origin, request) = request.with_body(body);
        let response = self.client.send(&origin, egress, request).await;
        let (head, body) = response.map_err(|source| RunError::Send { method, source })?.into_parts();
        Ok((head, read(method, body).await?))
    }
}

fn requested(draft: &Draft) -> Requested {
    let is_url = ["https://", "http://"].iter().any(|scheme| draft.target.starts_with(scheme));
    if is_url { Requested::Url(draft.target.clone()) } else { Requested::Path(draft.target.clone()) }
}

/// The body as JSON, else as text. No body at all, as 204 has it, counts as true: the answer itself says yes.
async fn read(method: &'static str, body: Body) -> Result<Zeroizing<Value>, RunError> {
    let collected = collect_within(body, LONGEST_ANSWER).await;
    let bytes = match collected.map_err(|source| RunError::Body { method, source })? {
        Collected::Whole(bytes) => bytes,
        Collected::TooLong(_) => return Err(RunError::TooLong { method }),
    };
    if bytes.is_empty() {
        return Ok(Zeroizing::new(Value::Bool(true)));
    }
    let value = serde_json::from_slice(&bytes);
    Ok(Zeroizing::new(value.unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))))
}
