//! The page that says how connecting ended: a green tick, or what failed and what to do; and the steps that were taken.
//! Never shows more of a step than its payload does, which is masked.

use std::time::Duration;

use super::page::Html;
use super::rejection::Rejection;
use crate::steps::{State, Step, Steps};

/// It worked. The steps are there for who wants to see them.
pub(super) fn connected(steps: &Steps) -> Html {
    let mut html = Html::new();
    html.raw("<h1 class=\"good\"><span aria-hidden=\"true\">\u{2713} </span>Connected</h1>");
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

/// It did not. What to do stands above the steps; `again` leads to another try.
pub(super) fn refused(rejection: &Rejection, steps: &Steps, again: Option<&str>) -> Html {
    let mut html = Html::new();
    html.raw("<h1>Not connected</h1><div class=\"alert\" role=\"alert\"><p>")
        .text(rejection)
        .raw("</p></div>");
    if let Some(advice) = steps.failure().and_then(Step::advice) {
        html.raw("<p>").text(advice).raw("</p>");
    }
    if let Some(again) = again {
        html.raw("<p class=\"again\"><a class=\"button\" href=\"").text(again).raw("\">Try again</a></p>");
    }
    if !steps.is_empty() {
        html.raw("<h2>What was done</h2>");
        list(&mut html, steps);
    }
    html
}

fn list(html: &mut Html, steps: &Steps) {
    html.raw("<ol class=\"steps\">");
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
        let page = refused(&Rejection::NothingToConnect, &refused_exchange(), None).into_text();
        for part in [
            "role=\"alert\"",
            "The code was refused",
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
        for page in [connected(&Steps::default()), refused(&Rejection::NoToken, &Steps::default(), None)] {
            assert!(!page.into_text().contains("What was done"));
        }
    }
}
