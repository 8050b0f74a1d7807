//! The status page: one HTML document, no script, nothing loaded from anywhere.
//! Never writes a text into it that was not escaped.

mod connections;

use std::fmt::{Display, Write as _};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::sealing::{Rotation, Sealing};
use super::status::{Reloaded, Status, Upstream, Workspace};
use crate::http::html::Escape;

const STYLE: &str = include_str!("page.css");

/// The page with its style, and the policy under which a browser may show both.
pub(super) struct Page {
    policy: HeaderValue,
}

impl Default for Page {
    /// The policy names the style by its digest, so that no other style and no script at all can get in.
    fn default() -> Self {
        let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let strictest = HeaderValue::from_static("default-src 'none'");
        Self { policy: HeaderValue::try_from(policy).unwrap_or(strictest) }
    }
}

impl Page {
    /// For `Content-Security-Policy`.
    pub(super) fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }

    /// The document.
    pub(super) fn html(&self, status: &Status) -> String {
        let mut html = Html(String::with_capacity(16 * 1024));
        html.raw("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">");
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        html.raw("<meta name=\"color-scheme\" content=\"light dark\"><title>Sidegate: ");
        html.text(status.word());
        html.raw("</title><style>").raw(STYLE).raw("</style>");
        html.head(status);
        html.raw("<main>");
        html.problems(status);
        html.traffic(status);
        html.upstreams(&status.upstreams);
        html.workspaces(status);
        html.integrations(status);
        html.connections(status.connections.as_ref(), status.now);
        html.sealing(status);
        html.listeners(status);
        html.raw("</main><footer><p>As of ").text(status.now);
        html.raw(". Reload the page for newer figures; <a href=\"/status?format=json\">the same as JSON</a>.</p></footer></html>\n");
        html.0
    }
}

/// A document being written.
struct Html(String);

impl Html {
    fn raw(&mut self, html: &str) -> &mut Self {
        self.0.push_str(html);
        self
    }

    fn text(&mut self, text: impl Display) -> &mut Self {
        // Writing into a String does not fail.
        let _ = write!(Escape(&mut self.0), "{text}");
        self
    }

    fn head(&mut self, status: &Status) {
        let word = status.word();
        self.raw("<header><h1>Sidegate <span class=\"version\">").text(status.version).raw("</span></h1>");
        self.badge(word, if word == "ready" { "good" } else { "bad" });
        self.raw("<dl class=\"facts\">");
        self.fact("Up for", shown(status.now.since(status.started)));
        self.fact("Generation", status.generation);
        match &status.last_reload {
            None => self.fact("Last reload", "none since the start"),
            Some(Reloaded { applied, at, cause, .. }) => {
                let how = if *applied { "applied" } else { "refused" };
                let ago = shown(status.now.since(*at));
                self.fact("Last reload", format_args!("{how} {ago} ago, by {cause}"));
            }
        }
        self.raw("</dl></header>");
    }

    fn fact(&mut self, name: &str, value: impl Display) {
        self.raw("<div><dt>").text(name).raw("</dt><dd>").text(value).raw("</dd></div>");
    }

    fn badge(&mut self, word: &str, class: &str) {
        self.raw("<span class=\"badge ").raw(class).raw("\">").text(word).raw("</span>");
    }

    /// What somebody should look at, first of all.
    fn problems(&mut self, status: &Status) {
        let unmet = status.unmet.iter().map(|unmet| format!("{}: {}", unmet.condition, unmet.reason));
        self.list("Why it is not ready", "bad", unmet);
        let Some(last) = &status.last_reload else { return };
        self.list("Why the last reload was refused", "bad", last.complaints.iter());
        self.list("What takes a restart", "warn", last.needs_restart.iter());
        self.list("What deserves a look", "warn", last.warnings.iter());
    }

    fn list(&mut self, title: &str, class: &str, items: impl Iterator<Item: Display>) {
        let mut items = items.peekable();
        if items.peek().is_none() {
            return;
        }
        self.raw("<section class=\"problem ").raw(class).raw("\"><h2>").text(title).raw("</h2><ul>");
        for item in items {
            self.raw("<li>").text(item).raw("</li>");
        }
        self.raw("</ul></section>");
    }

    fn traffic(&mut self, status: &Status) {
        self.raw("<section><h2>Requests</h2>");
        if status.requests.is_empty() {
            self.raw("<p class=\"none\">None yet.</p>");
        } else {
            self.table("Since the start, by listener and reason", &["Listener", "Reason", "#Count"]);
            for row in &status.requests {
                self.row().cell(&row.door).code(&row.reason).number(grouped(row.count)).end();
            }
            self.raw("</tbody></table></div>");
        }
        self.raw("<p>In flight now: ");
        for (at, row) in status.in_flight.iter().enumerate() {
            self.raw(if at > 0 { ", " } else { "" })
                .text(&row.door)
                .raw(" <strong>")
                .text(row.count)
                .raw("</strong>");
        }
        self.raw(".</p></section>");
    }

    fn upstreams(&mut self, upstreams: &[Upstream]) {
        self.raw("<section><h2>Upstreams</h2>");
        if upstreams.is_empty() {
            self.raw("<p class=\"none\">None: nothing is served on the inbound side.</p>");
        }
        for upstream in upstreams {
            self.raw("<h3>").text(&upstream.name).raw(" ");
            self.badge(upstream.mode, if upstream.mode == "enforce" { "quiet" } else { "warn" });
            self.raw("</h3><p>")
                .text(&upstream.serves)
                .raw(" to <code>")
                .text(&upstream.url)
                .raw("</code></p>");
            self.table("Rules, the first that matches decides", &["Path", "Methods", "Lets through"]);
            for rule in &upstream.rules {
                let methods = if rule.methods.is_empty() { "all".into() } else { rule.methods.join(", ") };
                self.row().code(&rule.path).cell(methods).cell(&rule.allow).end();
            }
            self.raw("</tbody></table></div>");
        }
        self.raw("</section>");
    }

    fn workspaces(&mut self, status: &Status) {
        self.raw("<section><h2>Workspaces</h2>");
        for workspace in &status.workspaces {
            self.raw("<h3>").text(&workspace.key).raw(" ");
            self.usable(workspace);
            self.raw("</h3>");
            if let Some(fetched) = workspace.fetched {
                let ago = shown(status.now.since(fetched));
                self.raw("<p>Key set read ").text(ago).raw(" ago.</p>");
            }
            if let Some(error) = &workspace.error {
                self.raw("<p class=\"error\">").text(error).raw("</p>");
            }
            if workspace.revocations > 0 {
                self.raw("<p>").text(grouped(workspace.revocations as u64)).raw(" revocations apply.</p>");
            }
            if workspace.keys.is_empty() {
                continue;
            }
            self.table("Keys that verify its tokens", &["Key id", "Algorithms", "From"]);
            for key in &workspace.keys {
                let row = self.row();
                match &key.kid {
                    Some(kid) => row.code(kid),
                    None => row.cell("any"),
                };
                row.cell(key.algorithms.join(", ")).cell(&key.source).end();
            }
            self.raw("</tbody></table></div>");
        }
        self.raw("</section>");
    }

    fn usable(&mut self, workspace: &Workspace) {
        match (workspace.usable, workspace.required) {
            (true, _) => self.badge("usable", "good"),
            (false, true) => self.badge("no key yet", "bad"),
            (false, false) => self.badge("no key yet, not required", "warn"),
        }
    }

    fn integrations(&mut self, status: &Status) {
        if status.integrations.is_empty() {
            return;
        }
        self.raw("<section><h2>Integrations</h2>");
        self.table("Third parties on the outbound side", &["Key", "Connector", "State"]);
        for one in &status.integrations {
            let state = if one.enabled { "enabled" } else { "disabled" };
            self.row().code(&one.key).cell(&one.connector).cell(state).end();
        }
        self.raw("</tbody></table></div></section>");
    }

    fn sealing(&mut self, status: &Status) {
        let Some(Sealing { keys, rotation }) = &status.sealing else { return };
        self.raw("<section><h2>Sealing keys</h2><p>The store is sealed with <code>");
        self.text(keys.join(", ")).raw("</code>, the first for what is written.</p>");
        if let Some(Rotation { key, running, found, resealed, failed, failures, error, .. }) = rotation {
            let word = if *running { "under way" } else { "ended" };
            self.raw("<p>Rotation to <code>").text(key).raw("</code> ").text(word).raw(": ");
            self.text(grouped(*resealed)).raw(" of ").text(grouped(*found)).raw(" rows sealed anew, ");
            self.text(grouped(*failed)).raw(" cannot be.</p>");
            self.list("What the rotation came upon", "bad", failures.iter().chain(error));
        }
        self.raw("</section>");
    }

    fn listeners(&mut self, status: &Status) {
        self.raw("<section><h2>Listeners</h2>");
        self.table("Where this process listens", &["Name", "Address"]);
        for one in &status.listeners {
            self.row().cell(one.name).code(&one.address).end();
        }
        self.raw("</tbody></table></div></section>");
    }

    /// Begins a table; a column whose name begins with `#` holds numbers.
    fn table(&mut self, caption: &str, columns: &[&str]) {
        self.raw("<div class=\"table\" role=\"region\" tabindex=\"0\" aria-label=\"").text(caption);
        self.raw("\"><table><caption>").text(caption).raw("</caption><thead><tr>");
        for column in columns {
            match column.strip_prefix('#') {
                Some(column) => self.raw("<th scope=\"col\" class=\"number\">").text(column),
                None => self.raw("<th scope=\"col\">").text(column),
            }
            .raw("</th>");
        }
        self.raw("</tr></thead><tbody>");
    }

    fn row(&mut self) -> &mut Self {
        self.raw("<tr>")
    }

    fn cell(&mut self, text: impl Display) -> &mut Self {
        self.raw("<td>").text(text).raw("</td>")
    }

    fn code(&mut self, text: impl Display) -> &mut Self {
        self.raw("<td><code>").text(text).raw("</code></td>")
    }

    fn number(&mut self, text: impl Display) -> &mut Self {
        self.raw("<td class=\"number\">").text(text).raw("</td>")
    }

    fn end(&mut self) {
        self.raw("</tr>");
    }
}

/// A duration with its two largest units: `3h 12m`, `42s`.
fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes, seconds) =
        (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let units = [(days, 'd'), (hours, 'h'), (minutes, 'm'), (seconds, 's')];
    let largest = units.iter().skip_while(|(count, _)| *count == 0).take(2);
    let parts: Vec<String> =
        largest.filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}

/// 1234567 as `1,234,567`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let mut html = Html(String::new());
        html.text("<script>alert('1')</script> & \"more\"");
        assert_eq!(html.0, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;more&quot;");
    }

    #[test]
    fn durations_and_counts_are_short() {
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (3600, "1h"), (3661, "1h 1m"), (90_061, "1d 1h")]
        {
            assert_eq!(shown(Duration::from_secs(seconds)), expected);
        }
        for (count, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), expected);
        }
    }

    #[test]
    fn the_policy_admits_this_style_and_nothing_else() {
        let policy = Page::default().policy();
        let policy = policy.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
    }
}
