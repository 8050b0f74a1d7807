//! What an upstream's rules, CORS and limits may say, and what is told about mistakes in them.

use super::*;

/// What is told about an upstream with these lines.
fn told(lines: &str) -> Vec<String> {
    let folder = small();
    folder.write(
        "upstreams/orders.yaml",
        &format!("upstream: http://127.0.0.1:3000\n{lines}match: {{pathPrefix: /orders}}\n"),
    );
    folder.complaints(&[])
}

#[track_caller]
fn tells(complaints: &[String], wanted: &[(&str, &str)]) {
    for (place, words) in wanted {
        let found = complaints.iter().any(|told| told.starts_with(place) && told.contains(words));
        assert!(found, "no complaint at {place} with {words:?} in {complaints:#?}");
    }
    assert_eq!(complaints.len(), wanted.len(), "{complaints:#?}");
}

#[test]
fn a_condition_that_would_be_true_by_mistake_is_refused_with_its_place() {
    let complaints = told(
        "\
rules:
  - path: /a
    allow: verified
    when: {$eval: {$var: fields.plan}, equals: pro}
  - path: /b
    allow: verified
    when: {$and: [{$var: isadmin}, true]}
  - {path: /c, allow: public, when: {$var: isAdmin}}
",
    );
    tells(
        &complaints,
        &[
            ("upstreams/orders.yaml:5:40:", "`equals` is no operator"),
            ("upstreams/orders.yaml:8:26:", "did you mean `isAdmin`?"),
            ("upstreams/orders.yaml:8:36:", "this is no condition"),
            ("upstreams/orders.yaml:9:37:", "would decide nothing"),
        ],
    );
}

#[test]
fn cors_settings_that_would_open_too_much_or_nothing_are_refused() {
    tells(
        &told("cors: {origins: ['https://app.example.com']}\n"),
        &[("upstreams/orders.yaml:2:17:", "`preflight: answer`")],
    );
    tells(
        &told("cors: {preflight: answer}\n"),
        &[("upstreams/orders.yaml:2:7:", "list them under `origins`")],
    );
    tells(
        &told("cors: {preflight: answer, origins: ['*'], credentials: true}\n"),
        &[("upstreams/orders.yaml:2:36:", "any origin could ask")],
    );
    tells(
        &told("cors: {preflight: answer, origins: ['https://app.example.com/', '*.example.com', 'null']}\n"),
        &[
            ("upstreams/orders.yaml:2:37:", "is not an origin"),
            ("upstreams/orders.yaml:2:65:", "is not an origin"),
            ("upstreams/orders.yaml:2:82:", "is not an origin"),
        ],
    );
}
