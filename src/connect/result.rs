//! The page that says how connecting ended: a green tick, or what failed and what to do; and the steps that were taken.
//! Never shows more of a step than its payload does, which is masked.

use std::time::Duration;

use super::page::Html;
use super::rejection::Rejection;
use crate::steps::{Advice, State, Step, Steps};

/// What a page says at its top, and a browser on its tab. `name`: that of the third party, if it is known.
pub(super) fn title(is_connected: bool, name: Option<&str>) -> String {
    let word = if is_connected { "Connected" } else { "Not connected" };
    name.map_or_else(|| word.to_owned(), |name| format!("{word} to {name}"))
}

/// What a customer can do where only the operator can mend it.
const PASS_IT_ON: &str = "You cannot mend this. Show this page to whoever runs your app.";
/// And where nobody knows.
const ONCE_MORE: &str = "Start again. If it ends like this again, show this page to whoever runs your app.";

/// It worked. The steps are there for who wants to see them.
pub(super) fn connected(title: &str, steps: &Steps) -> Html {
    let mut html = Html::new();
    html.raw("<h1 class=\"good\"><span aria-hidden=\"true\">\u{2713} </span>").text(title).raw("</h1>");
    html.raw("<p role=\"status\">You can close this window.</p>");
    if !steps.is_empty() {
        html.raw("<details><summary>What was done</summary>");
        list(&mut html, steps);
        html.raw("</details>");
    }
    html
}

/// Whoever followed a request does not want to.
pub(super) fn cancelled() -> Html {
    let mut html = Html::new();
    html.raw("<h1>Not connected</h1><p role=\"status\">You cancelled it, and can close this window. ");
    html.raw("The link that led here works until it is a day old.</p>");
    html
}

/// It did not. What to do stands above the steps, first what whoever sees it can do; `again` leads to another try. Where a
/// browser begins to read, the reason is first.
pub(super) fn refused(title: &str, rejection: &Rejection, steps: &Steps, again: Option<&str>) -> Html {
    let mut html = Html::new();
    html.raw("<h1>").text(title).raw("</h1>");
    html.raw("<div class=\"alert\" role=\"alert\" tabindex=\"-1\" autofocus><p>")
        .text(rejection)
        .raw("</p></div>");
    let advice = steps.failure().map(|step| step.advice().unwrap_or_default());
    if let Some(Advice { customer, operator }) = advice {
        html.raw("<p>")
            .text(customer.unwrap_or(if operator.is_some() { PASS_IT_ON } else { ONCE_MORE }))
            .raw("</p>");
    }
    if let Some(again) = again {
        html.raw("<p class=\"again\"><a class=\"button\" href=\"").text(again).raw("\">Try again</a></p>");
    }
    if let Some(operator) = advice.and_then(|advice| advice.operator) {
        html.raw("<h2>For whoever set this up</h2><p>").text(operator).raw("</p>");
    }
    if !steps.is_empty() {
        html.raw("<h2>What was done</h2>");
        list(&mut html, steps);
    }
    html
}

fn list(html: &mut Html, steps: &Steps) {
    html.raw("<ol class=\"steps\" role=\"list\">");
    for step in steps.iter() {
        let (class, word) = match step.state {
            State::NotReached => ("notReached", "not reached"),
            State::Begun => ("begun", "under way"),
            State::Done => ("done", "done"),
            State::Failed => ("failed", "failed"),
        };
        html.raw("<li class=\"").raw(class).raw("\">").text(step.stage.title());
        html.raw("<small>").raw(word);
        if let Some(took) = step.took().filter(|took| !took.is_zero()) {
            html.raw(" in ").text(lasted(took));
        }
        if let Some(status) = step.status {
            html.raw(" \u{b7} answer ").text(status);
        }
        if let Some(code) = &step.code {
            html.raw(" \u{b7} ").text(code);
        }
        html.raw("</small>");
        payload(html, step);
        html.raw("</li>");
    }
    html.raw("</ol>");
}

fn payload(html: &mut Html, step: &Step) {
    if step.payload.is_empty() {
        return;
    }
    html.raw("<details><summary>View payload</summary><dl>");
    for (name, value) in step.payload.iter() {
        html.raw("<dt>").text(name).raw("</dt><dd>").text(value).raw("</dd>");
    }
    html.raw("</dl></details>");
}

/// A time as people say it: `120 ms`, `3.4 s`.
fn lasted(took: Duration) -> String {
    match took.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", took.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::steps::{Payload, Stage};

    fn refused_exchange() -> Steps {
        let mut steps = Steps::new(Stage::OAUTH2);
        for stage in [Stage::Settings, Stage::Authorization, Stage::Callback] {
            steps.begin(stage, Timestamp::from_millis(1000));
            steps.done(Timestamp::from_millis(1120), None, Payload::default());
        }
        steps.begin(Stage::Exchange, Timestamp::from_millis(2000));
        let reply =
            [("error", "invalid_grant"), ("error_description", "<b>spent</b>"), ("refresh_token", "planted")];
        let reply = Payload::from_iter(reply);
        steps.failed(Timestamp::from_millis(5400), Some(400), Some("invalid_grant"), reply);
        steps
    }

    #[test]
    fn a_failure_shows_what_to_do_and_how_far_it_came() {
        let page =
            refused("Not connected", &Rejection::NothingToConnect, &refused_exchange(), None).into_text();
        for part in [
            "role=\"alert\"",
            "<p>The code was refused, because it was used before or is too old. Start again.</p>",
            "<h2>For whoever set this up</h2><p>If that does not help",
            "failed in 3.4 s \u{b7} answer 400 \u{b7} invalid_grant",
            "done in 120 ms",
            "not reached",
            "<dt>refresh_token</dt><dd>[masked]</dd>",
            "&lt;b&gt;spent",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        assert!(!page.contains("planted"), "{page}");
    }

    #[test]
    fn without_steps_the_page_has_none() {
        let (steps, title) = (Steps::default(), title(true, Some("<CRM>")));
        for page in [connected(&title, &steps), refused(&title, &Rejection::NoToken, &steps, None)] {
            let page = page.into_text();
            assert!(!page.contains("What was done") && !page.contains("Start again."), "{page}");
            assert!(page.contains("Connected to &lt;CRM&gt;</h1>"), "{page}");
        }
    }

    #[test]
    fn a_failure_that_nobody_knows_has_something_to_do_too() {
        let mut steps = refused_exchange();
        steps.begin(Stage::Exchange, Timestamp::from_secs(6));
        steps.failed(Timestamp::from_secs(7), Some(400), Some("E4711"), Payload::default());
        let page = refused("Not connected", &Rejection::NothingToConnect, &steps, None).into_text();
        assert!(page.contains(ONCE_MORE) && !page.contains("whoever set this up"), "{page}");
    }
}
