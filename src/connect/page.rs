//! The pages as a browser gets them: one HTML document each, its own style and few lines of script, nothing loaded from
//! anywhere. Never writes a text into one that was not escaped.

use std::fmt::{Display, Write as _};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};

use super::Config;
use crate::formula::Value;
use crate::http::Body;
use crate::http::html::Escape;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A document being written.
pub(super) struct Html(String);

impl Html {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(8 * 1024))
    }

    /// Markup of ours.
    pub(super) fn raw(&mut self, html: &str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    /// Anybody's text, in an element or between the quotes of an attribute.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        // Writing into a String does not fail.
        let _ = write!(Escape(&mut self.0), "{text}");
        self
    }

    #[cfg(test)]
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// What the script of a page tells.
#[derive(Default)]
pub(super) struct Told {
    /// What it tells the app.
    pub(super) message: Option<Value>,
    /// The connection that was made, if one was.
    pub(super) connection: Option<Value>,
}

/// A whole page.
pub(super) fn page(config: &Config, title: &str, content: &Html, told: &Told) -> Response<Body> {
    let nonce = nonce();
    let mut html = Html::new();
    html.raw("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\"><title>")
        .text(title)
        .raw("</title><style nonce=\"");
    html.text(&nonce).raw("\">").raw(STYLE).raw("</style><main>").raw(&content.0).raw("</main>");
    html.raw("<script type=\"application/json\" id=\"told\">").raw(&data(config, told)).raw("</script>");
    html.raw("<script nonce=\"").text(&nonce).raw("\">").raw(SCRIPT).raw("</script></html>\n");
    answer(html, policy(config, &nonce))
}

/// A page that says why there is no other, for whoever reached it, in no frame.
pub(super) fn sorry(sentence: &str) -> Response<Body> {
    let nonce = nonce();
    let mut html = Html::new();
    html.raw("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html.raw(
        "<meta name=\"color-scheme\" content=\"light dark\"><title>This did not work</title><style nonce=\"",
    );
    html.text(&nonce).raw("\">").raw(STYLE).raw("</style><main><h1>This did not work</h1><p>");
    html.text(sentence).raw("</p></main></html>\n");
    answer(html, policy(&Config::default(), &nonce))
}

fn answer(html: Html, policy: HeaderValue) -> Response<Body> {
    let mut answer = Response::new(Body::full(html.0));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    answer
}

/// Style and script are those that carry this answer's nonce. A form may be sent to us, and lead from there to where
/// browsers may be sent; only listed origins may hold a page in a frame.
fn policy(config: &Config, nonce: &str) -> HeaderValue {
    let ancestors = match config.origins.as_slice() {
        [] => "'none'".to_owned(),
        origins => origins.iter().filter_map(|origin| origin.to_str().ok()).collect::<Vec<_>>().join(" "),
    };
    let mut targets: Vec<&str> = config.redirects.iter().map(|redirect| redirect.origin.as_str()).collect();
    targets.dedup();
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; \
         form-action 'self' {}; frame-ancestors {ancestors}",
        targets.join(" ")
    );
    let strictest = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    HeaderValue::try_from(policy).unwrap_or(strictest)
}

/// What the script reads, as JSON that no markup can end.
fn data(config: &Config, told: &Told) -> String {
    let origins: Vec<&str> = config.origins.iter().filter_map(|origin| origin.to_str().ok()).collect();
    let nothing = Value::Null;
    let data = serde_json::json!({
        "origins": origins,
        "message": told.message.as_ref().unwrap_or(&nothing),
        "connection": told.connection.as_ref().unwrap_or(&nothing),
    });
    data.to_string().replace('<', "\\u003c")
}

/// 128 random bits.
fn nonce() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the operating system has randomness once it runs");
    STANDARD.encode(bytes)
}
