//! The status page's part about customers' connections.
//! Never writes a text that was not escaped.

use super::{Html, grouped, shown};
use crate::admin::connections::Connections;
use crate::clock::Timestamp;

const COLUMNS: [&str; 9] = [
    "Connection",
    "Customer",
    "Integration",
    "State",
    "Last error",
    "Token ends",
    "Refreshed",
    "Next refresh",
    "#Exchanges, version",
];

impl Html {
    pub(super) fn connections(&mut self, connections: Option<&Connections>, now: Timestamp) {
        let Some(Connections { at: Some(at), counts, unwell }) = connections else { return };
        self.raw("<section><h2>Connections</h2><p>");
        for (place, count) in counts.iter().enumerate() {
            self.raw(if place > 0 { ", " } else { "" }).text(count.state).raw(" <strong>");
            self.text(grouped(count.count)).raw("</strong>");
        }
        self.raw("; counted ").text(shown(now.since(*at))).raw(" ago.</p>");
        if !unwell.is_empty() {
            self.table("Those that are not well, the first hundred", &COLUMNS);
            for one in unwell {
                self.row().code(&one.id).code(&one.customer).code(&one.integration).cell(one.state);
                self.cell(&one.error).cell(moment(one.expires_at)).cell(moment(one.refreshed_at));
                self.cell(moment(one.next_refresh))
                    .number(format_args!("{}, {}", one.exchanges, one.version))
                    .end();
            }
            self.raw("</tbody></table></div>");
        }
        self.raw("</section>");
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".into(), |at| at.to_string())
}
