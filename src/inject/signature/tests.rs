use std::sync::Arc;

use http::header::HOST;
use http::{HeaderName, Uri};

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::connector::{ApiClient, ResponseHandlers};
use crate::inject::{UnsignedRequest, sign};
use crate::oauth1::Token;
use crate::secret::Secret;

const FORM: &str = "application/x-www-form-urlencoded";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn signer(method: SignatureMethod) -> Signer {
    Signer {
        consumer_key: String::from("app"),
        consumer_secret: secret("planted-app"),
        token: Some(Token { key: String::from("customer"), secret: secret("planted-token") }),
        method,
        realm: Some(String::from("Realm_1")),
    }
}

fn client(method: SignatureMethod) -> ApiClient {
    ApiClient {
        base_uri: String::from("https://api.example.com"),
        headers: Vec::new(),
        query: vec![(String::from("v"), secret("2 3"))],
        basic: Some((String::from("user"), secret("password"))),
        signer: Some(signer(method)),
        response_handlers: ResponseHandlers::default(),
    }
}

fn request(target: &str, kind: Option<&str>, body: Option<&'static str>) -> UnsignedRequest {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("authorization"), HeaderValue::from_static("OAuth theirs"));
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
    }
    UnsignedRequest {
        method: Method::POST,
        origin: Origin::Tcp { host: Arc::from("api.example.com"), port: 8443, tls: true },
        path_and_query: target.to_owned(),
        headers,
        body: body.map(|body| Bytes::from_static(body.as_bytes())),
    }
}

/// The target and the `Authorization` of a request that was signed.
struct Sent {
    uri: Uri,
    authorization: HeaderValue,
}

fn sent(request: UnsignedRequest, client: &ApiClient) -> Sent {
    let signed = sign(request, client, &ManualClock::at(Timestamp::from_secs(1_700_000_000))).unwrap();
    let (_, request) = signed.with_body(crate::http::Body::empty());
    assert_eq!(request.headers()[HOST], "api.example.com:8443");
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let authorization = values.next().unwrap().clone();
    assert_eq!(values.next(), None);
    Sent { uri: request.uri().clone(), authorization }
}

impl Sent {
    fn parameter(&self, name: &str) -> String {
        let text = self.authorization.to_str().unwrap();
        let (_, after) =
            text.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {text}"));
        after.split('"').next().unwrap().to_owned()
    }

    /// What our own signer makes of the request as it was sent.
    fn expected(&self, method: SignatureMethod, form: &[u8]) -> String {
        let request = Request {
            method: "POST",
            https: true,
            host: "api.example.com",
            port: 8443,
            path_and_query: self.uri.path_and_query().unwrap().as_str(),
            form,
        };
        let stamp =
            Stamp { timestamp: Timestamp::from_secs(1_700_000_000), nonce: self.parameter("oauth_nonce") };
        signer(method).authorization(&request, &[], &stamp).to_string()
    }
}

#[test]
fn a_request_is_signed_as_it_is_sent_and_the_signature_is_its_only_authorization() {
    for method in [SignatureMethod::HmacSha1, SignatureMethod::HmacSha256, SignatureMethod::Plaintext] {
        let sent = sent(request("/a//b/%2f?x=1+2&y", None, None), &client(method));
        assert_eq!(sent.uri, "/a//b/%2f?x=1+2&y&v=2%203");
        assert_eq!(sent.authorization, sent.expected(method, b"").as_str());
        assert_eq!(sent.parameter("oauth_timestamp"), "1700000000");
        assert!(sent.authorization.is_sensitive());
    }
}

#[test]
fn the_parameters_of_a_form_are_signed_and_other_bodies_are_not() {
    let method = SignatureMethod::HmacSha1;
    for (kind, signed) in [
        (Some(FORM), true),
        (Some("Application/X-WWW-Form-URLEncoded; charset=UTF-8"), true),
        (Some("multipart/form-data; boundary=x"), false),
        (Some("application/json"), false),
        (None, false),
    ] {
        let sent = sent(request("/", kind, Some("b=1&a=2")), &client(method));
        let form: &[u8] = if signed { b"b=1&a=2" } else { b"" };
        assert_eq!(sent.authorization, sent.expected(method, form).as_str(), "{kind:?}");
    }
}

#[test]
fn a_form_that_was_not_kept_is_refused_unless_the_signature_does_not_hold_it() {
    let clock = ManualClock::at(Timestamp::from_secs(0));
    for method in [SignatureMethod::HmacSha1, SignatureMethod::HmacSha256] {
        let refused = sign(request("/", Some(FORM), None), &client(method), &clock).unwrap_err();
        assert!(matches!(refused, InjectError::LongForm));
        assert!(sign(request("/", Some("text/plain"), None), &client(method), &clock).is_ok());
    }
    assert!(sign(request("/", Some(FORM), None), &client(SignatureMethod::Plaintext), &clock).is_ok());
}

#[test]
fn a_parameter_of_the_protocol_is_never_the_callers() {
    let target = "/a?oauth_token=theirs&x=1&%6Fauth_nonce=n&oauth_other=kept";
    let sent = sent(request(target, None, None), &client(SignatureMethod::HmacSha1));
    assert_eq!(sent.uri, "/a?x=1&oauth_other=kept&v=2%203");
}

#[test]
fn the_same_request_has_another_nonce_each_time() {
    let client = client(SignatureMethod::HmacSha1);
    let nonce = || sent(request("/", None, None), &client).parameter("oauth_nonce");
    assert_ne!(nonce(), nonce());
}
