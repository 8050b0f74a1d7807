use super::*;

const VARIABLES: [&str; 3] = ["id", "isAdmin", "fields"];

fn read(yaml: &str) -> Result<Condition, Vec<String>> {
    let node = crate::document::parse("rule.yaml", yaml).unwrap();
    Condition::from_node("rule.yaml", &node, &VARIABLES)
        .map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
}

fn holds(yaml: &str, variables: &str) -> bool {
    let condition = read(yaml).unwrap_or_else(|complaints| panic!("{yaml}: {complaints:?}"));
    condition.holds(&serde_json::from_str(variables).unwrap()).unwrap()
}

#[test]
fn each_formula_and_operator_that_is_allowed_decides() {
    let anna =
        r#"{"id": "anna", "isAdmin": true, "fields": {"plan": "pro", "seats": 7, "tags": ["a", "b"]}}"#;
    let eve = r#"{"id": "eve", "isAdmin": false, "fields": {"plan": "free", "seats": "2", "tags": []}}"#;
    for yaml in [
        "$var: isAdmin",
        "{$eval: {$var: fields.plan}, is: pro}",
        "{$eval: {$var: fields.plan}, isNot: free}",
        "{$eval: {$var: fields.plan}, oneOf: [pro, team]}",
        "{$eval: pro, oneOf: [{$var: fields.plan}, team]}",
        "{$eval: a, oneOf: {$var: fields.tags}}",
        "{$eval: {$var: fields.plan}, noneOf: [free, trial]}",
        "{$eval: {$var: fields.tags}, contains: b}",
        "{$eval: {$var: fields.plan}, contains: PR}",
        "{$eval: {$var: fields.plan}, doesNotContain: ree}",
        "{$eval: 5, lt: {$var: fields.seats}}",
        "{$eval: 7, lte: {$var: fields.seats}}",
        "{$eval: {$var: fields.seats}, gt: 5}",
        "{$eval: {$var: fields.seats}, gte: 7}",
        "{$eval: {$var: fields.tags}, isNotEmpty: true}",
        "{$eval: {$concat: [{$var: id}, '-', {$var: fields.plan}]}, is: anna-pro}",
        "{$eval: {$concat: {values: [{$var: id}, x], delimiter: '-'}}, is: anna-x}",
        "{$eval: {$tpl: {template: '{who}!', values: {who: {$var: id}}}}, is: 'anna!'}",
        "{$eval: {$firstNotEmpty: [{$var: fields.none}, {$var: id}]}, is: anna}",
        "{$eval: {$var: id}, is: {$plain: anna}}",
        "$and: [{$var: isAdmin}, {$eval: {$var: id}, is: anna}]",
        "$or: [{$eval: {$var: id}, is: bob}, {$eval: {$var: id}, is: anna}]",
        "$and: [{$or: [{$var: isAdmin}]}]",
    ] {
        assert!(holds(yaml, anna), "{yaml}");
        assert!(!holds(yaml, eve), "{yaml}");
    }
    assert!(holds("{$eval: {$var: fields.tags}, isEmpty: true}", eve));
}

#[test]
fn nothing_but_the_boolean_true_holds() {
    for value in ["1", "\"true\"", "\"yes\"", "[true]", "{\"a\": 1}", "null", "false"] {
        let variables = format!(r#"{{"isAdmin": {value}}}"#);
        for yaml in ["$var: isAdmin", "$and: [{$var: isAdmin}]", "$or: [{$var: isAdmin}]"] {
            assert!(!holds(yaml, &variables), "{yaml} {value}");
        }
    }
    // The vendor's engine leaves missing items out of a list, so that a list of them is true.
    for yaml in ["$var: isAdmin", "$and: [{$var: isAdmin}]", "$or: [{$var: isAdmin}]"] {
        assert!(!holds(yaml, "{}"), "{yaml}");
    }
}

#[test]
fn what_the_vendors_engine_would_take_for_true_is_refused_with_its_place() {
    for (yaml, complaint) in [
        ("true", "rule.yaml:1:1: this is no condition; write one of $eval, $and, $or, $var"),
        ("isAdmin", "rule.yaml:1:1: this is no condition; write one of $eval, $and, $or, $var"),
        ("[]", "rule.yaml:1:1: this is no condition; write one of $eval, $and, $or, $var"),
        ("{}", "rule.yaml:1:1: this is no condition; write one of $eval, $and, $or, $var"),
        ("plan: pro", "rule.yaml:1:1: `plan` gives no true or false; write one of $eval, $and, $or, $var"),
        ("$evl: 1", "rule.yaml:1:1: `$evl` gives no true or false; did you mean `$eval`?"),
        ("$case: {}", "rule.yaml:1:1: `$case` gives no true or false; write one of $eval, $and, $or, $var"),
        (
            "$concat: [a]",
            "rule.yaml:1:1: `$concat` gives no true or false; write one of $eval, $and, $or, $var",
        ),
        ("$and: []", "rule.yaml:1:7: `$and` has no list of conditions; list at least one"),
        ("$or: {$var: isAdmin}", "rule.yaml:1:6: `$or` has no list of conditions; list at least one"),
        (
            "$and:\n  - $var: isAdmin\n    is: true",
            "rule.yaml:3:5: `is` does nothing beside `$var`; remove it, or combine conditions with $and",
        ),
        ("$and: [true]", "rule.yaml:1:8: this is no condition; write one of $eval, $and, $or, $var"),
        (
            "$eval: {$var: id}\nequals: a",
            "rule.yaml:2:1: `equals` is no operator, and would always be true; write one of is, isNot, oneOf, noneOf, \
             contains, doesNotContain, lt, lte, gt, gte, isEmpty, isNotEmpty",
        ),
        (
            "$eval: {$var: id}\noneof: [a]",
            "rule.yaml:2:1: `oneof` is no operator, and would always be true; did you mean `oneOf`?",
        ),
        (
            "{$eval: {$var: id}, is: a, isNot: b}",
            "rule.yaml:1:28: `isNot` does nothing beside `$eval`; remove it, or combine conditions with $and",
        ),
        (
            "{$eval: {$var: id}, isEmpty: false}",
            "rule.yaml:1:30: `isEmpty` cannot decide by this; write true, or the other of isEmpty and isNotEmpty",
        ),
        (
            "{$eval: {$var: id}, noneOf: eve}",
            "rule.yaml:1:29: `noneOf` cannot decide by this; write a list of values",
        ),
        (
            "{$eval: {$var: id}, noneOf: {$var: fields}}",
            "rule.yaml:1:29: `noneOf` cannot decide by this; write a list of values",
        ),
        (
            "{$eval: {$var: id}, contains: ''}",
            "rule.yaml:1:31: `contains` cannot decide by this; write the text that is looked for",
        ),
        (
            "{$eval: {$var: id}, isNot: [eve, bob]}",
            "rule.yaml:1:28: `isNot` cannot decide by this; write one value, or compare with oneOf or noneOf",
        ),
        (
            "{$eval: {$var: id}, doesNotContain: {$plain: [eve]}}",
            "rule.yaml:1:37: `doesNotContain` cannot decide by this; write one value, or compare with oneOf or noneOf",
        ),
        (
            "{$eval: {$var: id}, noneOf: [[eve, bob]]}",
            "rule.yaml:1:29: `noneOf` cannot decide by this; write a list of single values",
        ),
        (
            "{$eval: {$var: id}, doesNotContain: }",
            "rule.yaml:1:35: `doesNotContain` cannot decide by this; write the text that is looked for",
        ),
        ("$var: idd", "rule.yaml:1:7: there is no variable `idd` here; did you mean `id`?"),
        ("$var: $", "rule.yaml:1:7: there is no variable `` here; begin with one of id, isAdmin, fields"),
        ("$var: ['id']", "rule.yaml:1:7: `$var` names no variable; begin with one of id, isAdmin, fields"),
        (
            "{$eval: {$map: {}}, is: a}",
            "rule.yaml:1:10: `$map` gives no value to compare; write one of $var, $concat, $tpl, $firstNotEmpty, $plain",
        ),
        (
            "{$eval: {colour: a}, is: a}",
            "rule.yaml:1:10: `colour` gives no value to compare; write one of $var, $concat, $tpl, $firstNotEmpty, $plain",
        ),
        (
            "{$eval: {$concat: {vals: [a]}}, is: a}",
            "rule.yaml:1:20: `$concat` has no `vals`; write values and delimiter",
        ),
    ] {
        let complaints = read(yaml).expect_err(yaml);
        assert!(complaints.iter().any(|told| told == complaint), "{yaml}: {complaints:#?}");
    }
    let no_operator = read("$eval: {$var: id}").unwrap_err();
    assert!(no_operator[0].starts_with("rule.yaml:1:1: `$eval` has no operator"), "{no_operator:?}");
}

#[test]
fn every_mistake_is_told_at_once() {
    let complaints = read("$or: [{$evl: 1}, {$var: nobody}, {$eval: 1, near: 2}]").unwrap_err();
    assert_eq!(complaints.len(), 3, "{complaints:#?}");
}

#[test]
fn it_knows_what_it_reads() {
    let condition =
        read("$and: [{$var: isAdmin}, {$eval: {$var: fields.plan}, is: {$var: 'fields.other'}}]").unwrap();
    assert_eq!(condition.reads(), ["fields", "isAdmin"]);
}
