//! What is connected, what a customer is told of it, and the page around its form.
//! Never knows what the fields of a form are.

use url::Url;

use super::ask::Visit;
use super::ending::refused_at;
use super::field::Field;
use super::form::Form;
use super::page::Html;
use super::requested::CANCEL;
use super::wish::FILLED_IN;
use super::wish::Wish;
use crate::formula::Value;

/// What a form carries along, beside what is typed.
const CARRIED: [&str; 9] = [
    "token",
    "name",
    "allowMultipleConnections",
    "redirectUri",
    "requestId",
    "connectorParameters",
    "connectionKey",
    "connectionRequestId",
    "customState",
];
/// Which of several ways was chosen, by its number.
const WAY: &str = "way";

/// How a form is left without connecting.
#[derive(Clone, Copy)]
pub(super) enum Cancel<'u> {
    /// It is sent, and says so: somebody waits for what comes of it.
    Sent,
    /// By a link to where the browser goes afterwards.
    Leads(&'u Url),
    /// By the page's script, which knows what holds or opened it.
    Script,
}

impl<'u> Cancel<'u> {
    pub(super) fn of(is_requested: bool, redirect: Option<&'u Url>) -> Self {
        match redirect {
            _ if is_requested => Self::Sent,
            Some(redirect) => Self::Leads(redirect),
            None => Self::Script,
        }
    }

    fn write(self, html: &mut Html) {
        match self {
            Self::Sent => {
                html.raw("<button name=\"").raw(CANCEL);
                html.raw("\" value=\"1\" class=\"plain\" formnovalidate>Cancel</button>");
            }
            Self::Leads(redirect) => {
                let away = refused_at(redirect, "cancelled", &Value::Null);
                html.raw("<a class=\"button plain\" id=\"cancel\" href=\"").text(away).raw("\">Cancel</a>");
            }
            Self::Script => {
                html.raw("<button type=\"button\" class=\"plain\" id=\"cancel\" hidden>Cancel</button>");
            }
        }
    }
}

/// What is connected.
pub(super) struct Subject {
    pub(super) integration: String,
    name: String,
    /// The connection to be connected again; none for a new one.
    pub(super) connection: Option<String>,
    options: Vec<Value>,
}

impl Subject {
    /// From an integration as the API shows it.
    pub(super) fn of(integration: &Value, connection: Option<String>) -> Self {
        let text = |name: &str| integration.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let options = integration.get("authOptions").and_then(Value::as_array).unwrap_or_default();
        Self { integration: text("key"), name: text("name"), connection, options: options.to_vec() }
    }

    pub(super) fn title(&self) -> String {
        let word = if self.connection.is_some() { "Reconnect" } else { "Connect" };
        format!("{word} {}", self.name)
    }

    /// The only way there is, or the one that was chosen.
    pub(super) fn chosen(&self, wish: &Wish) -> Option<(usize, &Value)> {
        let by_key = || {
            let key = wish.text("authOptionKey")?;
            self.options.iter().position(|option| option.get("key").and_then(Value::as_str) == Some(key))
        };
        let by_number = wish.text(WAY).and_then(|number| number.parse().ok());
        let only = (self.options.len() == 1).then_some(0);
        let number = by_number.or_else(by_key).or(only)?;
        Some((number, self.options.get(number)?))
    }

    /// Whether the way that was chosen sends the browser to the third party, and something must be typed in before.
    pub(super) fn asks_before_consent(&self, wish: &Wish) -> bool {
        let Some((_, option)) = self.chosen(wish) else { return false };
        let fields = Field::all(option.get("inputSchema").unwrap_or(&Value::Null));
        is_by_consent(option) && !fields.is_empty() && wish.input().is_none()
    }

    /// The ways to choose from.
    pub(super) fn ways(&self, visit: &Visit) -> Html {
        let mut html = self.head();
        if self.options.is_empty() {
            html.raw("<p>There is no way to connect it that is switched on.</p>");
            return html;
        }
        html.raw("<p class=\"soft\">How do you want to connect?</p>");
        start(&mut html, visit, "");
        html.raw("<ul class=\"ways\">");
        for (number, option) in self.options.iter().enumerate() {
            let text = |name: &str| option.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            let title = text("title").or(text("key")).unwrap_or(&self.name);
            html.raw("<li><button name=\"way\" value=\"").text(number).raw("\">").text(title);
            if let Some(description) = text("description") {
                html.raw("<small>").text(description).raw("</small>");
            }
            html.raw("</button></li>");
        }
        html.raw("</ul></form>");
        html
    }

    /// The page around a form.
    pub(super) fn form(
        &self,
        visit: &Visit,
        (number, option): (usize, &Value),
        form: &Form<'_>,
        cancel: Cancel<'_>,
    ) -> Html {
        let mut html = self.head();
        let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).map(str::to_owned);
        let ui = option.get("ui").unwrap_or(&Value::Null);
        if let Some(title) = text(option, "title").filter(|_| self.options.len() > 1) {
            html.raw("<p><strong>").text(title).raw("</strong></p>");
        }
        for description in [text(option, "description"), text(ui, "description")].into_iter().flatten() {
            html.raw("<p class=\"soft\">").text(description).raw("</p>");
        }
        if let Some(help) = text(ui, "helpUri").filter(|uri| is_web(uri)) {
            html.raw("<p><a href=\"").text(help).raw("\" target=\"_blank\" rel=\"noopener noreferrer\">");
            html.raw("Where do I find this?</a></p>");
        }
        start(&mut html, visit, if is_by_consent(option) { " data-consent=\"1\"" } else { "" });
        hidden(&mut html, FILLED_IN, "1");
        hidden(&mut html, WAY, &number.to_string());
        form.write(&mut html);
        html.raw("<div class=\"actions\"><button>");
        html.raw(if self.connection.is_some() { "Reconnect" } else { "Connect" }).raw("</button>");
        cancel.write(&mut html);
        html.raw("</div></form>");
        html
    }

    fn head(&self) -> Html {
        let mut html = Html::new();
        html.raw("<h1>").text(self.title()).raw("</h1>");
        html
    }
}

/// Whether the browser is sent to the third party for it, as far as its kind says.
fn is_by_consent(option: &Value) -> bool {
    matches!(option.get("type").and_then(Value::as_str), Some("oauth1" | "oauth2" | "proxy"))
}

/// A form that comes back to the page it is on. `more`: attributes of it.
fn start(html: &mut Html, visit: &Visit, more: &str) {
    html.raw("<form method=\"post\" action=\"").text(&visit.path).raw("\"").raw(more).raw(">");
    for name in CARRIED {
        let Some(value) = visit.wish.any(name) else { continue };
        let text = match value {
            Value::Object(_) => serde_json::to_string(value).unwrap_or_default(),
            other => other.text(),
        };
        hidden(html, name, &text);
    }
}

fn hidden(html: &mut Html, name: &str, value: &str) {
    html.raw("<input type=\"hidden\" name=\"").text(name).raw("\" value=\"").text(value).raw("\">");
}

fn is_web(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}
