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

#[cfg(test)]
mod tests {
    use super::*;

    /// The colours of a scheme, `light` or `dark`.
    fn colours(scheme: &str) -> Vec<(&'static str, [u8; 3])> {
        let schemes: Vec<_> =
            STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        let [light, dark] = schemes[..] else { panic!("two schemes") };
        let declared =
            if scheme == "light" { light } else { dark }.split(';').filter_map(|one| one.split_once(':'));
        let colour = |text: &str| {
            let digits = text.trim().trim_start_matches('#');
            let long = if digits.len() == 3 {
                digits.chars().flat_map(|digit| [digit; 2]).collect()
            } else {
                digits.to_owned()
            };
            [0, 2, 4].map(|at| u8::from_str_radix(&long[at..at + 2], 16).unwrap())
        };
        declared.map(|(name, text)| (name.trim(), colour(text))).collect()
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(colour: [u8; 3]) -> f64 {
        let [red, green, blue] = colour.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_is_computed_as_the_standard_does() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([0x77; 3], [255; 3]) - 4.48).abs() < 0.005);
    }

    #[test]
    fn every_colour_can_be_read_on_what_is_behind_it() {
        // 4.5 for text, 3 for the edges of what can be used (WCAG 2.2, 1.4.3 and 1.4.11).
        let pairs = [
            (4.5, "ink", "card"),
            (4.5, "ink", "back"),
            (4.5, "soft", "card"),
            (4.5, "soft", "back"),
            (4.5, "link", "card"),
            (4.5, "on-act", "act"),
            (4.5, "bad", "card"),
            (4.5, "bad", "bad-back"),
            (4.5, "good", "card"),
            (4.5, "card", "good"),
            (4.5, "card", "bad"),
            (3.0, "edge", "card"),
            (3.0, "edge", "back"),
            (3.0, "act", "card"),
        ];
        for scheme in ["light", "dark"] {
            let colours = colours(scheme);
            let colour = |name: &str| {
                let variable = format!("--{name}");
                let found = colours.iter().find(|(declared, _)| *declared == variable);
                found.unwrap_or_else(|| panic!("{variable} is missing in {scheme}")).1
            };
            for (least, front, behind) in pairs {
                let ratio = contrast(colour(front), colour(behind));
                assert!(ratio >= least, "{front} on {behind} in {scheme}: {ratio:.2}");
            }
        }
    }
}
