use super::*;
use crate::telemetry::labels::{LoadOutcome, UpstreamFault};

fn ended(reason: &'static str, workspace: &'static str, status: u16) -> Ended<'static> {
    Ended { reason, workspace, method: "GET", status, duration: Duration::from_millis(3) }
}

fn metrics() -> Metrics {
    Metrics::new(&Counter::default())
}

#[track_caller]
fn assert_shows(metrics: &Metrics, line: &str) {
    let text = metrics.render();
    assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
}

#[test]
fn a_request_is_counted_by_upstream_reason_and_workspace_and_timed_by_method_and_status() {
    let metrics = metrics();
    let orders = metrics.upstream("orders");
    metrics.request(Door::Inbound, Some(&orders), &ended(OK, "acme", 204));
    metrics.request(Door::Inbound, Some(&orders), &ended("expired", "", 401));
    metrics.request(Door::Inbound, Some(&orders), &ended("expired", "", 401));
    metrics.request(Door::Inbound, None, &ended("no_upstream", "", 404));
    for (upstream, reason, workspace, count) in
        [("orders", "ok", "acme", 1), ("orders", "expired", "", 2), ("", "no_upstream", "", 1)]
    {
        let labels =
            format!(r#"door="inbound",upstream="{upstream}",reason="{reason}",workspace="{workspace}""#);
        assert_shows(&metrics, &format!("sidegate_requests_total{{{labels}}} {count}"));
    }
    let labels =
        r#"http_request_method="GET",http_response_status_code="401",door="inbound",upstream="orders""#;
    assert_shows(&metrics, &format!("http_server_request_duration_seconds_count{{{labels}}} 2"));
    assert_shows(&metrics, &format!("http_server_request_duration_seconds_sum{{{labels}}} 0.006"));
}

#[test]
fn an_upstream_is_timed_and_its_failures_are_counted_by_kind() {
    let metrics = metrics();
    let orders = metrics.upstream("orders");
    orders.upstream_answered("POST", 200, Duration::from_secs(1));
    orders.upstream_failed(UpstreamFault::HeadTimeout);
    let labels =
        r#"http_request_method="POST",http_response_status_code="200",door="inbound",upstream="orders""#;
    assert_shows(&metrics, &format!("http_client_request_duration_seconds_count{{{labels}}} 1"));
    assert_shows(&metrics, r#"sidegate_upstream_errors_total{upstream="orders",kind="head_timeout"} 1"#);
    assert_shows(&metrics, r#"sidegate_upstream_errors_total{upstream="orders",kind="connect"} 0"#);
}

#[test]
fn a_method_nobody_knows_is_other_and_no_text_of_a_callers_is_a_label() {
    let metrics = metrics();
    let odd = Ended { method: "BREW", ..ended(OK, "", 200) };
    metrics.request(Door::Inbound, None, &odd);
    let text = metrics.render();
    assert!(text.contains(r#"http_request_method="_OTHER""#) && !text.contains("BREW"), "{text}");
}

#[test]
fn an_upstream_cannot_fill_the_memory_with_statuses_nor_a_workspace_with_reasons() {
    let metrics = metrics();
    let orders = metrics.upstream("orders");
    for status in 100..1000 {
        metrics.request(Door::Inbound, Some(&orders), &ended(OK, "", status));
    }
    for workspace in 0..3_000 {
        let workspace: &'static str = String::leak(format!("workspace-{workspace}"));
        metrics.request(Door::Inbound, Some(&orders), &ended(OK, workspace, 200));
    }
    let text = metrics.render();
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(lines("http_server_request_duration_seconds_count"), 256 + 1, "with the overflow");
    assert!(lines("sidegate_requests_total") == 2_048 + 1, "with the overflow");
    let overflow = r#"http_response_status_code="_OTHER""#;
    assert!(text.contains(overflow) && text.contains(r#"workspace="_OTHER""#));
}

#[test]
fn an_upstreams_series_go_on_across_a_reload_and_end_with_its_last_holder() {
    let metrics = metrics();
    let first = metrics.upstream("orders");
    metrics.request(Door::Inbound, Some(&first), &ended(OK, "", 200));
    let second = metrics.upstream("orders");
    drop(first);
    metrics.request(Door::Inbound, Some(&second), &ended(OK, "", 200));
    let labels = r#"door="inbound",upstream="orders",reason="ok",workspace="""#;
    assert_shows(&metrics, &format!("sidegate_requests_total{{{labels}}} 2"));
    drop(second);
    assert!(!metrics.render().contains("orders"));
}

#[test]
fn a_request_in_progress_is_active_until_its_guard_is_dropped() {
    let metrics = metrics();
    let guard = metrics.active(Door::Inbound);
    assert_shows(&metrics, r#"http_server_active_requests{door="inbound"} 1"#);
    drop(guard);
    assert_shows(&metrics, r#"http_server_active_requests{door="inbound"} 0"#);
}

#[test]
fn every_refresh_outcome_has_its_series_from_the_start() {
    let metrics = metrics();
    metrics.refresh(RefreshOutcome::DeadGrant);
    for outcome in RefreshOutcome::ALL {
        let count = u8::from(outcome == RefreshOutcome::DeadGrant);
        let line = format!("sidegate_refreshes_total{{outcome=\"{}\"}} {count}", outcome.as_str());
        assert_shows(&metrics, &line);
    }
}

#[test]
fn rooms_count_by_the_handles_they_were_given() {
    let metrics = metrics();
    let tokens = metrics.tokens.clone();
    tokens.verified("ES256", Duration::from_micros(60));
    tokens.keys("acme", 3);
    tokens.keys("gone", 1);
    tokens.forget("gone");
    tokens.jwks_fetched("acme", LoadOutcome::Failed, Timestamp::from_secs(1));
    tokens.jwks_fetched("acme", LoadOutcome::Changed, Timestamp::from_millis(1_500));
    tokens.revoked_read("acme", LoadOutcome::Refused);
    metrics.life.reloads_refused.inc();
    let connections = metrics.connections("inbound");
    let (failed, still_open) = (connections.accepted(), connections.accepted());
    failed.handshake_failed();
    still_open.malformed();
    drop(failed);
    tokens.cache_entries.set(12);
    for line in [
        r#"sidegate_token_verify_duration_seconds_bucket{le="0.001",algorithm="ES256"} 1"#,
        r#"sidegate_keys{workspace="acme"} 3"#,
        r#"sidegate_jwks_fetches_total{workspace="acme",outcome="failed"} 1"#,
        r#"sidegate_jwks_last_success_timestamp_seconds{workspace="acme"} 1.5"#,
        r#"sidegate_revoked_reads_total{workspace="acme",outcome="refused"} 1"#,
        r#"sidegate_config_reloads_total{outcome="refused"} 1"#,
        r#"sidegate_connections_open{listener="inbound"} 1"#,
        r#"sidegate_connections_accepted_total{listener="inbound"} 2"#,
        r#"sidegate_tls_handshakes_failed_total{listener="inbound"} 1"#,
        r#"sidegate_malformed_requests_total{listener="inbound"} 1"#,
        "sidegate_token_cache_entries 12",
    ] {
        assert_shows(&metrics, line);
    }
    assert!(!metrics.render().contains("gone"));
    drop(still_open);
    assert_shows(&metrics, r#"sidegate_connections_open{listener="inbound"} 0"#);
}

#[test]
fn every_metric_is_explained_in_the_docs() {
    let docs = include_str!("../../../docs/metrics.md");
    let text = metrics().render();
    let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(types.len() > 8, "{text}");
    for described in types {
        let Some((name, kind)) = described.split_once(' ') else { panic!("{described}") };
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        assert!(docs.contains(&format!("`{name}{suffix}`")), "{name}{suffix} is not in docs/metrics.md");
    }
}
