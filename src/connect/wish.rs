//! What a browser was sent here for, in the words of both of the vendor's generations.
//! Never complains of a word it does not know: each of the SDKs says more than the other reads.

use zeroize::Zeroizing;

use super::Redirect;
use super::rejection::Rejection;
use crate::api::ConnectionRequest;
use crate::formula::Value;

/// Says that a form came back filled in; the SDKs open these pages by POST too.
pub(super) const FILLED_IN: &str = "filledIn";
/// What a customer typed in, in both generations.
const INPUT: [&str; 4] = ["input", "connectionParameters", "connectionInput", "parameters"];
/// Objects stand in a query as JSON.
const OBJECTS: [&str; 5] =
    ["connectionParameters", "connectionInput", "input", "parameters", "connectorParameters"];

/// The parameters of a request to connect.
#[derive(Clone)]
pub(super) struct Wish(Zeroizing<Value>);

impl Wish {
    /// From the pairs of a query and of a form; what stands in the field `payload` as JSON counts before them.
    pub(super) fn of(pairs: &[(String, String)]) -> Result<Self, Rejection> {
        let mut wish = Zeroizing::new(Value::empty_object());
        for (name, value) in pairs.iter().filter(|(name, value)| name != "payload" && !value.is_empty()) {
            let value = match OBJECTS.contains(&name.as_str()) {
                true => json(value, "a parameter that must be JSON is not")?,
                false => Value::from(value.as_str()),
            };
            wish.overlay(&Value::from_iter([(name.as_str(), value)]));
        }
        if let Some((_, payload)) = pairs.iter().find(|(name, _)| name == "payload") {
            let payload = Zeroizing::new(json(payload, "the field `payload` is not JSON")?);
            if payload.as_object().is_none() {
                return Err(Rejection::MalformedForm("the field `payload` is no JSON object"));
            }
            wish.overlay(&payload);
        }
        Ok(Self(wish))
    }

    /// What was kept of an earlier visit: [`Wish::afterwards`].
    pub(super) fn kept(afterwards: &Value) -> Self {
        Self(Zeroizing::new(afterwards.clone()))
    }

    /// What is to be known once the browser comes back from a third party.
    pub(super) fn afterwards(&self) -> Value {
        let names = ["requestId", "redirectUri", "connectionRequestId", "connectionId"];
        names.into_iter().filter_map(|name| Some((name, self.any(name)?.clone()))).collect()
    }

    /// What was typed in or sent along for the connector.
    pub(super) fn input(&self) -> Option<&Value> {
        INPUT.iter().find_map(|name| self.any(name))
    }

    /// A text that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Any value but null.
    pub(super) fn any(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| **value != Value::Null)
    }

    /// `true`, `"true"`, `1` or `"1"`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.any(name).is_some_and(|value| matches!(value.text().as_str(), "true" | "1"))
    }

    /// The token that it came with.
    pub(super) fn token(&self) -> Option<&str> {
        self.text("token")
    }

    /// The connection that is wanted, in the words of the API. `input` is what was typed into a form, where there was one.
    pub(super) fn connection(
        &self,
        integration: &str,
        option: Option<&Value>,
        input: Option<Value>,
    ) -> Value {
        let input = input.or_else(|| self.input().cloned());
        let several = self.flag("allowMultipleConnections");
        let mut members = vec![
            ("integrationKey", Value::from(integration)),
            ("allowMultipleConnections", Value::Bool(several)),
        ];
        members.extend(input.map(|input| ("input", input)));
        members.extend(option.map(|option| ("authOptionKey", option.clone())));
        let same =
            [("name", "name"), ("key", "connectionKey"), ("connectorParameters", "connectorParameters")];
        members.extend(same.iter().filter_map(|(name, own)| Some((*name, self.any(own)?.clone()))));
        Value::from_iter(members)
    }

    /// Takes over what a connection request says of the connection and of what comes afterwards.
    pub(super) fn fulfils(&mut self, request: &ConnectionRequest) {
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
        self.0.overlay(&Value::from_iter([
            ("name", text(&request.name)),
            ("allowMultipleConnections", Value::Bool(request.several)),
            ("redirectUri", text(&request.redirect_uri)),
        ]));
    }

    /// Where the browser wants to be sent afterwards, if that is a place it may be sent to.
    pub(super) fn redirect(&self, allowed: &[Redirect]) -> Result<Option<url::Url>, Rejection> {
        let Some(wanted) = self.text("redirectUri") else { return Ok(None) };
        let place = wanted.split('?').next().unwrap_or_default();
        if !allowed.iter().any(|redirect| redirect.url == place) {
            return Err(Rejection::RedirectNotAllowed);
        }
        // What the parser reads otherwise than it stands there is not what was compared.
        match url::Url::parse(wanted) {
            Ok(url) if url.fragment().is_none() => Ok(Some(url)),
            _ => Err(Rejection::RedirectNotAllowed),
        }
    }
}

fn json(text: &str, what: &'static str) -> Result<Value, Rejection> {
    serde_json::from_str(text).map_err(|_| Rejection::MalformedForm(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(pairs: &[(&str, &str)]) -> Wish {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Wish::of(&pairs).unwrap_or_else(|rejection| panic!("{rejection}"))
    }

    fn allowed() -> Vec<Redirect> {
        vec![Redirect {
            url: "https://app.example.com/done".into(),
            origin: "https://app.example.com".into(),
        }]
    }

    #[test]
    fn a_query_and_a_payload_say_the_same() {
        let query = wish(&[("token", "t"), ("input", r#"{"a":1}"#), ("allowMultipleConnections", "1")]);
        let payload = wish(&[(
            "payload",
            r#"{"token":"t","input":{"a":1},"allowMultipleConnections":true,"name":null}"#,
        )]);
        for wish in [query, payload] {
            assert_eq!((wish.token(), wish.text("name"), wish.any("name")), (Some("t"), None, None));
            assert_eq!(wish.any("input"), Some(&Value::from(serde_json::json!({"a": 1}))));
            assert!(wish.flag("allowMultipleConnections") && !wish.flag("other"));
        }
    }

    #[test]
    fn what_is_no_json_is_refused_without_a_word_of_it() {
        for (name, value) in [("payload", "{planted"), ("payload", "[]"), ("input", "planted")] {
            let refused = Wish::of(&[(name.into(), value.into())]).err().unwrap();
            assert!(!format!("{refused} {refused:?}").contains("planted"), "{name}");
        }
    }

    #[test]
    fn a_browser_is_sent_only_where_it_may_be() {
        let to = |url: &str| wish(&[("redirectUri", url)]).redirect(&allowed());
        assert_eq!(wish(&[]).redirect(&allowed()).unwrap(), None);
        for good in ["https://app.example.com/done", "https://app.example.com/done?tab=2"] {
            assert_eq!(to(good).unwrap().unwrap().as_str(), good);
        }
        for bad in [
            "https://app.example.com/",
            "https://app.example.com/done/",
            "https://app.example.com/done/../other",
            "https://app.example.com/done#x",
            "https://app.example.com/done?a#x",
            "https://app.example.com.evil.example/done",
            "https://app.example.com@evil.example/done",
            "http://app.example.com/done",
            "//app.example.com/done",
            "javascript:alert(1)",
            "https:app.example.com/done",
            " https://app.example.com/done",
            "https://app.example.com/done\t",
            "https://app.example.com\\@evil.example/done",
        ] {
            assert!(matches!(to(bad), Err(Rejection::RedirectNotAllowed)), "{bad}");
        }
    }
}
