//! A rule's `when`: which of a token's values its formula sees.
//! Never decides by itself, and wipes what it copied.

use super::rejection::Rejection;
use crate::formula::{Condition, Value, Variables};
use crate::token::Claims;

/// The values that a `when` may name.
pub const VARIABLES: [&str; 6] = ["id", "workspace", "name", "fields", "isAdmin", "claims"];

/// A formula over a token's values, with the names of those that it reads.
#[derive(Clone, Debug)]
pub(super) struct When {
    condition: Condition,
    reads: Vec<String>,
}

impl When {
    pub(super) fn new(condition: Condition) -> Self {
        let reads = condition.reads();
        Self { condition, reads }
    }

    /// Refuses unless the condition holds. What cannot be evaluated does not hold.
    pub(super) fn judge(&self, claims: &Claims) -> Result<(), Rejection> {
        match self.condition.holds(&self.variables(claims)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Rejection::ConditionNotMet),
            Err(error) => Err(Rejection::ConditionFailed(error)),
        }
    }

    /// What the token has of what is read; the rest is undefined.
    fn variables(&self, claims: &Claims) -> Variables {
        let mut variables = Variables::new();
        for name in &self.reads {
            let value = match name.as_str() {
                "id" => claims.id.as_ref().map(|id| Value::from(id.as_str())),
                "workspace" => Some(Value::from(claims.workspace.as_str())),
                "name" => claims.name().map(Value::from),
                "isAdmin" => Some(Value::Bool(claims.is_admin)),
                "fields" => claims.fields().map(|fields| fields.clone().into_iter().collect()),
                "claims" => Some(claims.all.clone().into_iter().collect()),
                _ => None,
            };
            if let Some(value) = value {
                variables.set(name, &value);
            }
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(when: &str, token: serde_json::Value) -> &'static str {
        let node = crate::document::parse("rule.yaml", when).unwrap();
        let when = When::new(Condition::from_node("rule.yaml", &node, &VARIABLES).unwrap());
        let serde_json::Value::Object(mut all) = token else { panic!("claims are an object") };
        all.insert("iss".into(), json!("acme"));
        when.judge(&Claims::from_json(all).unwrap()).map_or_else(|refused| refused.code(), |()| "ok")
    }

    #[test]
    fn a_formula_sees_each_value_of_the_token() {
        let token = || json!({"sub": "c-1", "name": "Ada", "isAdmin": 1, "fields": {"plan": "pro"}, "region": {"eu": [1, 2]}});
        for when in [
            "{$eval: {$var: id}, is: c-1}",
            "{$eval: {$var: workspace}, is: acme}",
            "{$eval: {$var: name}, is: Ada}",
            "$var: isAdmin",
            "{$eval: {$var: fields.plan}, oneOf: [pro, team]}",
            "{$eval: {$var: claims.sub}, is: c-1}",
            "{$eval: {$var: 'claims.region.eu[1]'}, is: 2}",
        ] {
            assert_eq!(says(when, token()), "ok", "{when}");
            assert_eq!(
                says(
                    &format!(
                        "$and: [{{{}}}, {{$eval: {{$var: name}}, is: Eve}}]",
                        when.trim_matches(['{', '}'])
                    ),
                    token()
                ),
                "condition_not_met",
                "{when}"
            );
        }
    }

    #[test]
    fn what_the_token_does_not_have_is_undefined() {
        for when in ["{$eval: {$var: id}, is: ''}", "$var: name", "$var: fields.ok", "$var: claims.ok"] {
            assert_eq!(says(when, json!({})), "condition_not_met", "{when}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_refuses() {
        let much =
            "{$eval: {$tpl: {template: '{a}{a}{a}{a}', values: {a: {$var: claims.long}}}}, isNotEmpty: true}";
        assert_eq!(says(much, json!({"long": "x"})), "ok");
        let long = "x".repeat(1 << 20);
        assert_eq!(says(much, json!({"long": long})), "condition_failed");
    }
}
