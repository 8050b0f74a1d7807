//! What a body says of a connection, in the words of both of the vendor's generations.
//! Never knows what is stored.

use zeroize::Zeroizing;

use crate::api::body::JsonBody;
use crate::api::rejection::Rejection;
use crate::formula::Value;
use crate::names::IntegrationKey;
use crate::store::{Connection, Opened, SecretChanges, Secrets};

/// The longest key, in characters.
const LONGEST_KEY: usize = 100;

const INTEGRATION: [&str; 3] = ["integrationKey", "integrationId", "integrationUuid"];
const INPUT: [&str; 4] = ["input", "parameters", "connectionParameters", "connectionInput"];

/// What a body says of a connection; what it leaves out is `None`.
pub(in crate::api) struct Draft<'b> {
    open: OpenPart,
    credentials: Option<&'b Value>,
    input: Option<&'b Value>,
    connector_parameters: Option<&'b Value>,
    auth_option: Option<&'b str>,
}

/// What a body says of the open part; what it leaves out is `None`.
#[derive(Clone)]
pub(in crate::api) struct OpenPart {
    key: Option<String>,
    name: Option<String>,
    meta: Option<Value>,
}

/// What new credentials are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Source {
    /// The caller sent them.
    Sent,
    /// What the customer typed in.
    Input,
    /// Nothing was sent that they could be made from.
    Nothing,
}

impl<'b> Draft<'b> {
    pub(in crate::api) fn read(body: &'b JsonBody) -> Result<Self, Rejection> {
        if body.any("accessToken").is_some() {
            let why = "put it into `credentials`, as `access_token`";
            return Err(Rejection::FieldNotTaken { field: "accessToken".into(), why });
        }
        let key = body.text("key")?;
        if key.is_some_and(|key| !(1..=LONGEST_KEY).contains(&key.chars().count())) {
            return Err(Rejection::WrongField { field: "key", expected: "text of 1 to 100 characters" });
        }
        Ok(Self {
            open: OpenPart {
                key: key.map(str::to_owned),
                name: body.text("name")?.map(str::to_owned),
                meta: body.object("meta")?.cloned(),
            },
            credentials: body.object("credentials")?,
            input: body.one_of(&INPUT, JsonBody::object)?,
            connector_parameters: body.object("connectorParameters")?,
            auth_option: body.text("authOptionKey")?.filter(|key| !key.is_empty()),
        })
    }

    pub(in crate::api) fn source(&self) -> Source {
        match (self.credentials, self.input) {
            (Some(_), _) => Source::Sent,
            (None, Some(_)) => Source::Input,
            (None, None) => Source::Nothing,
        }
    }

    /// Which of the connector's options it chooses.
    pub(super) fn auth_option(&self) -> Option<&'b str> {
        self.auth_option
    }

    /// The option that it chooses, else that of the connection that is connected again.
    pub(in crate::api) fn auth_option_over(&self, again: Option<&Opened>) -> Option<String> {
        let kept = || again.and_then(|again| again.connection.auth_option.as_deref());
        self.auth_option.or_else(kept).map(str::to_owned)
    }

    /// Whether it changes nothing that is sealed.
    pub(super) fn is_open(&self) -> bool {
        self.source() == Source::Nothing && self.connector_parameters.is_none()
    }

    /// A copy of the secrets that were sent, to be laid over stored ones.
    pub(super) fn changes(&self) -> SecretChanges {
        SecretChanges {
            credentials: self.credentials.cloned(),
            input: self.input.cloned(),
            connector_parameters: self.connector_parameters.cloned(),
        }
    }

    /// A copy of the secrets that were sent, for a new connection.
    pub(super) fn secrets(&self) -> Zeroizing<Secrets> {
        let sent = |value: Option<&Value>| value.cloned().unwrap_or_else(Value::empty_object);
        Zeroizing::new(Secrets {
            credentials: sent(self.credentials),
            input: sent(self.input),
            connector_parameters: sent(self.connector_parameters),
        })
    }

    /// A copy of the secrets that were sent, over those of the connection that is connected again.
    pub(in crate::api) fn secrets_over(&self, again: Option<&Opened>) -> Zeroizing<Secrets> {
        again.map_or_else(|| self.secrets(), |again| again.secrets_with(self.changes()))
    }

    /// A copy of what is open.
    pub(in crate::api) fn open_part(&self) -> OpenPart {
        self.open.clone()
    }
}

impl OpenPart {
    /// Puts it into a connection.
    pub(in crate::api) fn write(self, connection: &mut Connection) {
        let Self { key, name, meta } = self;
        if let Some(name) = name {
            connection.name = name;
        }
        connection.key = key.or(connection.key.take());
        connection.meta = meta.or(connection.meta.take());
    }
}

/// The integration that a new connection is for.
pub(in crate::api) fn integration(body: &JsonBody) -> Result<IntegrationKey, Rejection> {
    let why = "it says what to connect, and may be called `integrationId` too";
    let key = body.one_of(&INTEGRATION, JsonBody::text)?;
    key.map(IntegrationKey::from).ok_or(Rejection::MissingField { field: "integrationKey", why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> JsonBody {
        JsonBody::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn both_generations_name_the_integration() {
        for name in INTEGRATION {
            assert_eq!(integration(&parse(&format!(r#"{{"{name}": "crm"}}"#))).unwrap().as_str(), "crm");
        }
        let missing = integration(&parse("{}")).unwrap_err();
        assert!(matches!(missing, Rejection::MissingField { field: "integrationKey", .. }));
    }

    #[test]
    fn what_the_customer_typed_in_has_four_names() {
        for name in INPUT {
            let body = parse(&format!(r#"{{"{name}": {{"a": 1}}}}"#));
            let draft = Draft::read(&body).unwrap();
            assert_eq!(draft.source(), Source::Input);
            assert!(draft.secrets().input.get("a").is_some(), "{name}");
        }
    }

    #[test]
    fn credentials_that_were_sent_count_before_what_was_typed_in() {
        let both = parse(r#"{"credentials": {}, "input": {}}"#);
        assert_eq!(Draft::read(&both).unwrap().source(), Source::Sent);
        let none = parse(r#"{"name": "a", "credentials": null}"#);
        assert_eq!(Draft::read(&none).unwrap().source(), Source::Nothing);
    }

    #[test]
    fn a_key_has_one_to_a_hundred_characters() {
        for (key, right) in [("", false), ("k", true), (&"ü".repeat(100), true), (&"ü".repeat(101), false)]
        {
            assert_eq!(Draft::read(&parse(&format!(r#"{{"key": "{key}"}}"#))).is_ok(), right, "{key}");
        }
    }

    #[test]
    fn the_older_access_token_field_is_not_dropped_silently() {
        let body = parse(r#"{"accessToken": "planted"}"#);
        let refused = Draft::read(&body).err().unwrap();
        assert_eq!(refused.code(), "field_not_taken");
        assert!(!refused.to_string().contains("planted"));
    }
}
