//! `rest-api-mapping`: a request to the third party in formulas, and what its answer gives.
//! Never sends the request, and never sees the API client that it is sent with.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::fields::{Fields, MethodError, is_header_text, scalar};
use crate::formula::{Template, Value, Variables};

/// All but the unreserved characters of RFC 3986 section 2.3.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const FORM: &str = "application/x-www-form-urlencoded";

/// A request in formulas.
#[derive(Clone, Debug)]
pub struct RequestMapping {
    /// `path` and `requestMapping`.
    pub(super) request: Template,
    pub(super) method: http::Method,
    /// What the answer gives; without it, its body.
    pub(super) response: Option<Template>,
    /// Of an operation: what it is given, its variable `input`.
    pub(super) input: Option<Template>,
    /// Of an operation: what becomes of what it gives, the variable `output`.
    pub(super) output: Option<Template>,
}

/// A request as the formulas made it, for the room that sends.
pub struct Draft {
    /// Its method.
    pub method: http::Method,
    /// A path with its query, or an absolute URL.
    pub target: String,
    /// Its headers, Content-Type among them where there is a body.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its body; none where nothing is sent.
    pub body: Option<Zeroizing<Vec<u8>>>,
}

/// What came back, for the formulas.
pub struct Reply<'a> {
    /// The status.
    pub status: http::StatusCode,
    /// The headers.
    pub headers: &'a http::HeaderMap,
    /// The body: JSON, else text. None where it was not read.
    pub data: Option<&'a Value>,
}

impl RequestMapping {
    /// What its formulas see: the method's variables; those of an operation see its own input under that name.
    ///
    /// # Errors
    /// If the formulas fail.
    pub fn variables(
        &self,
        method: &'static str,
        mut variables: Variables,
    ) -> Result<Variables, MethodError> {
        if let Some(input) = &self.input {
            let made = evaluated(method, input, &variables)?;
            variables.set("input", made.as_deref().unwrap_or(&Value::empty_object()));
        }
        Ok(variables)
    }

    /// The request for these variables. `method`: whose it is, for errors.
    ///
    /// # Errors
    /// If the formulas give what no request can hold.
    pub fn draft(&self, method: &'static str, variables: &Value) -> Result<Draft, MethodError> {
        let made = evaluated(method, &self.request, variables)?;
        let made = made.unwrap_or_else(|| Zeroizing::new(Value::empty_object()));
        let fields = Fields { method, result: &made };
        let mut target = with_path_parameters(&fields, &fields.required(&["path"])?)?;
        append_query(&fields, &mut target)?;
        let mut headers = headers(&fields)?;
        let body = body(&fields, &mut headers)?;
        Ok(Draft { method: self.method.clone(), target, headers, body })
    }

    /// What the answer gives: the mapping's value, else the body; None is "undefined".
    ///
    /// # Errors
    /// If the formulas fail.
    pub fn result(
        &self,
        method: &'static str,
        mut variables: Variables,
        reply: &Reply<'_>,
    ) -> Result<Option<Zeroizing<Value>>, MethodError> {
        variables.set("response", &reply.variables());
        let made = match &self.response {
            Some(template) => evaluated(method, template, &variables)?,
            None => reply.data.cloned().map(Zeroizing::new),
        };
        let Some(output) = &self.output else { return Ok(made) };
        if let Some(made) = &made {
            variables.set("output", made);
        }
        evaluated(method, output, &variables)
    }
}

fn evaluated(
    method: &'static str,
    template: &Template,
    variables: &Value,
) -> Result<Option<Zeroizing<Value>>, MethodError> {
    let made = template.evaluate(variables);
    Ok(made.map_err(|source| MethodError::Formula { method, source })?.map(Zeroizing::new))
}

impl Reply<'_> {
    /// `data`, `headers`, `status` and `statusCode`; below them the members of the body, for some of the vendor's pages
    /// write `response.id` where others write `response.data.id`.
    pub(super) fn variables(&self) -> Variables {
        let mut response = self.head();
        let mut all = Variables::new();
        if let Some(data) = self.data {
            all.set_all(data);
            response.set("data", data);
        }
        all.set_all(&response);
        all
    }

    /// `status`, `statusCode` and `headers`, their names in lower case.
    fn head(&self) -> Variables {
        let status = Value::Number(f64::from(self.status.as_u16()));
        let values =
            |name| self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let headers: Value = self
            .headers
            .keys()
            .map(|name| (name.as_str(), values(name).collect::<Vec<_>>().join(", ")))
            .collect();
        let mut variables = Variables::new();
        variables.set("status", &status);
        variables.set("statusCode", &status);
        variables.set("headers", &headers);
        variables
    }
}

/// Replaces each `{name}` of the path, encoded as one segment.
fn with_path_parameters(fields: &Fields<'_>, path: &str) -> Result<String, MethodError> {
    let parameters = fields.members(&["pathParameters"])?;
    let mut made = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        let value = parameters.iter().find(|(key, _)| *key == name).and_then(|(_, value)| scalar(value));
        let value = value.ok_or_else(|| {
            fields.wrong(&format!("path parameter {}", name.escape_debug()), "there, as text")
        })?;
        made.push_str(before);
        made.extend(utf8_percent_encode(&value, NOT_UNRESERVED));
        rest = after;
    }
    made.push_str(rest);
    Ok(made)
}

fn append_query(fields: &Fields<'_>, target: &mut String) -> Result<(), MethodError> {
    let mut separator = if target.contains('?') { '&' } else { '?' };
    for (name, value) in fields.pairs(&["query"])? {
        target.push(separator);
        separator = '&';
        target.extend(utf8_percent_encode(name, NOT_UNRESERVED));
        target.push('=');
        target.extend(utf8_percent_encode(&value, NOT_UNRESERVED));
    }
    Ok(())
}

fn headers(fields: &Fields<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, MethodError> {
    let mut headers = Vec::new();
    for (name, value) in fields.pairs(&["headers"])? {
        let wrong = |expected| fields.wrong(&format!("header {}", name.escape_debug()), expected);
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("a valid header name"))?;
        let value = Some(value).filter(|value| is_header_text(value));
        let value = value.and_then(|value| HeaderValue::try_from(value.as_str()).ok());
        let mut value = value.ok_or_else(|| wrong("visible ASCII on one line"))?;
        value.set_sensitive(true);
        headers.push((header, value));
    }
    Ok(headers)
}

/// `data` as JSON, or as a form where the mapping says so; a text goes as it stands.
fn body(
    fields: &Fields<'_>,
    headers: &mut Vec<(HeaderName, HeaderValue)>,
) -> Result<Option<Zeroizing<Vec<u8>>>, MethodError> {
    let Some(data) = fields.get(&["data"]) else { return Ok(None) };
    let said = headers.iter().find(|(name, _)| *name == CONTENT_TYPE).map(|(_, value)| value);
    let is_form = said.is_some_and(|value| value.as_bytes().starts_with(FORM.as_bytes()));
    let (bytes, kind) = match data {
        Value::String(text) => (text.clone().into_bytes(), "text/plain"),
        _ if is_form => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in fields.pairs(&["data"])? {
                form.append_pair(name, &value);
            }
            (form.finish().into_bytes(), FORM)
        }
        _ => {
            let json = serde_json::to_vec(data).map_err(|_| fields.wrong("data", "JSON"))?;
            (json, "application/json")
        }
    };
    if said.is_none() {
        headers.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
    }
    Ok(Some(Zeroizing::new(bytes)))
}
