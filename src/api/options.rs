//! The ways in which an integration can be connected, as the vendor's SDKs and a form want to see them.
//! Never shows a method of a connector: its literals may be secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::connector::{AuthOption, Integration};
use crate::formula::Value;

/// One way to connect; the connector's own has no key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OptionView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_schema: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ui: Option<Value>,
    #[serde(rename = "oAuthCallbackUri", skip_serializing_if = "Option::is_none")]
    oauth_callback_uri: Option<&'a str>,
}

/// The `auth` of a connector's spec: its own way, and its options by key.
#[derive(Serialize)]
pub(super) struct AuthView<'a> {
    #[serde(flatten)]
    own: Option<OptionView<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<&'a str, OptionView<'a>>,
}

impl<'a> OptionView<'a> {
    /// Those that are offered.
    pub(super) fn all(integration: &'a Integration) -> Vec<Self> {
        let parameters = |option| integration.connector_parameters(option, None, &Value::empty_object());
        let ways = integration.connector.offered();
        ways.filter(|way| integration.offers(way, &parameters(way)))
            .map(|way| Self::of(integration, way))
            .collect()
    }

    fn of(integration: &'a Integration, option: &'a AuthOption) -> Self {
        let input_schema = option.input_schema.as_ref();
        let text = |name: &str, text: Option<&String>| Some((name.to_owned(), Value::from(text?.as_str())));
        let ui = [
            input_schema.map(|schema| ("schema".to_owned(), schema.clone())),
            text("description", option.ui.description.as_ref()),
            text("helpUri", option.ui.help_uri.as_ref()),
        ];
        let ui: Vec<_> = ui.into_iter().flatten().collect();
        Self {
            key: option.key.as_deref(),
            kind: option.auth.as_str(),
            title: option.title.as_deref(),
            description: option.description.as_deref(),
            input_schema,
            ui: (!ui.is_empty()).then(|| Value::from_iter(ui)),
            oauth_callback_uri: integration.app_owner(option).oauth_callback.as_deref(),
        }
    }

    /// The kind of credentials, as the vendor calls it.
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    /// With a key in any case: the connector's own way has an empty one, where lists of ways are concerned.
    pub(super) fn keyed(self) -> Self {
        Self { key: Some(self.key.unwrap_or_default()), ..self }
    }
}

impl<'a> AuthView<'a> {
    pub(super) fn of(integration: &'a Integration) -> Self {
        let (keyed, own): (Vec<_>, Vec<_>) =
            OptionView::all(integration).into_iter().partition(|option| option.key.is_some());
        let options = keyed.into_iter().filter_map(|option| Some((option.key?, option))).collect();
        Self { own: own.into_iter().next(), options }
    }
}
