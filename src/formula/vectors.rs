//! The answers of the vendor's engine, as `tests/sdk/generate_formula_cases.mjs` wrote them.
//! Never edited by hand: a wrong answer is the evaluator's.

use serde::Deserialize;

use super::{Template, Value};

const CASES: &str = include_str!("../../tests/vectors/formula/cases.jsonl");

#[derive(Deserialize)]
struct Case {
    template: Value,
    /// Absent where the engine answered "undefined"; null is an answer.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
}

#[derive(Deserialize)]
struct Header {
    variables: Value,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[test]
fn every_template_gives_what_the_vendors_engine_gives() {
    let mut lines = CASES.lines();
    let Header { variables } = serde_json::from_str(lines.next().unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in lines {
        let Case { template, result } = serde_json::from_str(line).unwrap();
        let made = Template::from_value(&template).map(|template| template.evaluate(&variables).unwrap());
        count += 1;
        match made {
            Ok(made) if made == result => {}
            other => wrong.push(format!("{line}\n  here: {other:?}")),
        }
    }
    assert!(count >= 10_000, "{count} cases");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
