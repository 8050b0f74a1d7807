//! Takes what a script was given out of what it says: a log line, or the message of an error that it threw.
//! Never decides what is logged; it makes that a script's words may be.

use std::borrow::Cow;

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::formula::Value;

/// Shorter texts are no secrets, and are found everywhere.
const SHORTEST: usize = 4;
/// Of what an answer says, only text this long and without blanks: a token, not a sentence.
const SHORTEST_TOKEN: usize = 16;
/// What stands where a secret stood.
const MASKED: &str = "[masked]";

/// What must not be said, in all the forms in which it may be written.
#[derive(Default)]
pub(super) struct Mask {
    needles: Vec<Zeroizing<String>>,
}

impl Mask {
    /// Every text in `argument`.
    pub(super) fn of(argument: &Value) -> Self {
        let mut mask = Self::default();
        mask.add_leaves(argument, &|text| text.len() >= SHORTEST);
        mask
    }

    /// What looks like a token in the body of an answer.
    pub(super) fn learn(&mut self, body: &[u8]) {
        let is_token = |text: &str| text.len() >= SHORTEST_TOKEN && !text.contains(char::is_whitespace);
        match serde_json::from_slice::<Zeroizing<Value>>(body) {
            Ok(json) => self.add_leaves(&json, &is_token),
            // A form, or bare text.
            Err(_) => String::from_utf8_lossy(body)
                .split(['&', '=', '\n', '"', ' '])
                .filter(|part| is_token(part))
                .for_each(|part| self.add(part)),
        }
    }

    /// `text` without them.
    pub(super) fn hide(&mut self, text: &str) -> String {
        // The longest first: one secret may begin as another does.
        self.needles.sort_unstable_by_key(|needle| std::cmp::Reverse(needle.len()));
        let mut shown = Cow::Borrowed(text);
        for needle in &self.needles {
            if shown.contains(needle.as_str()) {
                shown = Cow::Owned(shown.replace(needle.as_str(), MASKED));
            }
        }
        shown.into_owned()
    }

    fn add_leaves(&mut self, value: &Value, is_secret: &dyn Fn(&str) -> bool) {
        match value {
            Value::String(text) if is_secret(text) => self.add(text),
            Value::Array(items) => items.iter().for_each(|item| self.add_leaves(item, is_secret)),
            Value::Object(members) => members.values().for_each(|member| self.add_leaves(member, is_secret)),
            _ => {}
        }
    }

    fn add(&mut self, text: &str) {
        let escaped = serde_json::to_string(text).unwrap_or_default();
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let forms = [
            text.to_owned(),
            escaped.trim_matches('"').to_owned(),
            utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
            hex.to_uppercase(),
            hex,
        ];
        let encoded = (0..3).flat_map(|offset| {
            [base64_within(text, offset, &STANDARD), base64_within(text, offset, &URL_SAFE)]
        });
        let all = forms.into_iter().chain(encoded).filter(|form| form.len() >= SHORTEST);
        self.needles.extend(all.map(Zeroizing::new));
    }
}

/// The digits that `text` has in every base64 in which it begins `offset` bytes behind a multiple of three.
fn base64_within(text: &str, offset: usize, engine: &impl base64::Engine) -> String {
    let mut bytes = Zeroizing::new(vec![0; offset]);
    bytes.extend_from_slice(text.as_bytes());
    let digits = engine.encode(&*bytes);
    let (first, end) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
    digits.get(first..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    const SECRET: &str = "pl@nted \"secret\" 7Kq";

    fn mask() -> Mask {
        Mask::of(&Value::from_iter([("credentials", Value::from_iter([("apiKey", Value::from(SECRET))]))]))
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_and_the_rest_stays() {
        let mut mask = mask();
        for form in [
            SECRET.to_owned(),
            serde_json::to_string(SECRET).unwrap(),
            utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string(),
            SECRET.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ] {
            let shown = mask.hide(&format!("<{form}>"));
            assert!(
                shown.contains(MASKED) && shown.starts_with('<') && shown.ends_with('>'),
                "{form}: {shown}"
            );
        }
        assert_eq!(mask.hide("the API answered 500"), "the API answered 500");
    }

    #[test]
    fn a_secret_within_base64_is_hidden_wherever_it_begins() {
        let mut mask = mask();
        for user in ["", "u", "us", "use", "user"] {
            for engine in [&STANDARD, &URL_SAFE] {
                let digits = engine.encode(format!("{user}:{SECRET}:more"));
                let shown = mask.hide(&digits);
                // Two digits at each end may hold bits of a neighbour; what is left tells no byte in the middle.
                assert!(shown.contains(MASKED) && shown.len() < 28, "{user}: {shown}");
            }
        }
    }

    #[test]
    fn tokens_of_answers_are_hidden_and_sentences_are_not() {
        let mut mask = Mask::default();
        mask.learn(
            br#"{"access_token": "tok-1234567890abcdef", "error_description": "The client is not known"}"#,
        );
        mask.learn(b"access_token=form-1234567890abcdef&scope=all");
        let said = "The client is not known: tok-1234567890abcdef form-1234567890abcdef";
        assert_eq!(mask.hide(said), format!("The client is not known: {MASKED} {MASKED}"));
    }
}
