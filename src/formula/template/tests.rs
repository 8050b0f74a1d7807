use super::*;
use crate::document::parse;

const VARIABLES: &str = r#"{"token": "t0k", "empty": "", "none": null, "zero": 0, "five": "5", "list": [1, 0, "x"],
    "object": {"a": 1}, "many": {"k": "{b}{b}{b}{b}"}}"#;

/// Evaluates a template as YAML; the answer is JSON text, or "undefined".
fn eval(template: &str) -> String {
    let template = Template::from_node("t.yaml", &parse("t.yaml", template).unwrap()).unwrap();
    let variables: Value = serde_json::from_str(VARIABLES).unwrap();
    let made = template.evaluate(&variables).unwrap();
    made.map_or_else(|| "undefined".into(), |value| serde_json::to_string(&value).unwrap())
}

fn complaints(template: &str) -> Vec<String> {
    let refused = Template::from_node("t.yaml", &parse("t.yaml", template).unwrap()).unwrap_err();
    refused.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (template, expected) in cases {
        assert_eq!(eval(template), *expected, "{template}");
    }
}

#[test]
fn undefined_is_dropped_and_what_is_emptied_by_it_is_undefined() {
    check(&[
        ("{a: {$var: none}, b: {$var: no}}", r#"{"a":null}"#),
        ("[{$var: no}, 1]", "[1]"),
        ("{a: {b: [{$var: no}]}}", "undefined"),
        ("{a: {}, b: []}", r#"{"a":{},"b":[]}"#),
        ("{$var: ''}", "null"),
        ("{$var: $foo}", "null"),
        ("text", r#""text""#),
    ]);
}

#[test]
fn concat_joins_what_has_text() {
    check(&[
        ("{$concat: ['Bearer ', {$var: token}]}", r#""Bearer t0k""#),
        ("{$concat: ['Bearer ', {$var: no}]}", r#""Bearer ""#),
        (
            "{$concat: {values: [a, '', {$var: none}, 1e21, false, [b, [c, null]], {k: 1}], delimiter: '-'}}",
            r#""a-1e+21-false-b,c,-[object Object]""#,
        ),
        ("{$concat: {values: [a, b], delimiter: {$var: no}}}", r#""aundefinedb""#),
        ("{$concat: [{$var: no}]}", "undefined"),
        ("{$concat: [{$var: none}]}", r#""""#),
        ("{$concat: text}", "undefined"),
    ]);
}

#[test]
fn tpl_replaces_names_as_javascript_does() {
    check(&[
        ("{$tpl: {template: '{a}/{a}/{b}', values: {a: {$var: token}}}}", r#""t0k/t0k/{b}""#),
        ("{$tpl: {template: '[{a}]', values: {a: {$var: none}}}}", r#""[]""#),
        ("{$tpl: {template: '{a}', values: {a: '{b}', b: x}}}", r#""x""#),
        ("{$tpl: {template: '{a-b}', values: {a.b: x}}}", r#""x""#),
        ("{$tpl: {template: '<{a}>', values: {a: '$&$$$1$`'}}}", r#""<{a}$$1<>""#),
        ("{$tpl: {template: 5}}", "5"),
    ]);
}

#[test]
fn eval_compares_as_javascript_does() {
    let cases = [
        ("{$var: five}, is: 5", true),
        ("{$var: empty}, is: 0", true),
        ("{$var: no}, is: null", true),
        ("{$var: empty}, is: null", false),
        ("true, is: 'true'", false),
        ("a, isNot: A", true),
        ("5, is: ['5']", true),
        ("1, oneOf: [1, 2]", true),
        ("1, oneOf: ['1']", false),
        ("1, oneOf: 1", false),
        ("1, noneOf: 1", true),
        ("{$var: list}, contains: x", true),
        ("Text, contains: EX", true),
        ("0, contains: 0", false),
        ("0, doesNotContain: 0", true),
        ("10abc, gt: 9", true),
        ("abc, gt: 9", false),
        ("3, lte: '3'", true),
        ("3, lt: 3", false),
        ("3, gte: 3", true),
        ("' ', isEmpty: x", false),
        ("{$var: no}, isEmpty: x", true),
        ("{}, isEmpty: x", true),
        ("0, isNotEmpty: x", true),
        ("x", true),
        ("x, matches: y", true),
    ];
    for (formula, expected) in cases {
        assert_eq!(eval(&format!("{{$eval: {formula}}}")), expected.to_string(), "{formula}");
    }
}

#[test]
fn and_and_or_ignore_what_is_missing() {
    check(&[
        ("{$and: [1, {$var: no}, {$var: none}]}", "true"),
        ("{$and: [1, 0]}", "false"),
        ("{$or: [0, '', x]}", "true"),
        ("{$or: [0, {$var: none}]}", "false"),
        ("{$and: [{$var: no}]}", "undefined"),
        ("{$or: [null]}", "undefined"),
    ]);
}

#[test]
fn case_takes_the_first_that_matches() {
    check(&[
        ("{$case: {cases: [{filter: {$eval: 1, is: 2}, value: a}, {value: b}], default: c}}", r#""b""#),
        ("{$case: {cases: [{filter: {$var: no}, value: a}]}}", r#""a""#),
        ("{$case: {cases: [{filter: {$var: zero}, value: a}], default: c}}", r#""c""#),
        ("{$case: {cases: [{value: {$var: no}}], default: c}}", "undefined"),
        ("{$case: [{value: a}]}", r#""a""#),
        (
            "{$case: {cases: [{filter: [{field: list, operator: array_includes, value: x}], value: a}]}}",
            r#""a""#,
        ),
        (
            "{$case: {cases: [{filter: [{field: token, operator: contains, value: T}], value: a}], default: c}}",
            r#""c""#,
        ),
        (
            "{$case: {cases: [{filter: [{field: empty, operator: does_not_contain, value: T}], value: a}], default: c}}",
            r#""c""#,
        ),
        ("{$case: {cases: [{filter: [{field: x, operator: odd}], value: a}]}}", r#""a""#),
    ]);
}

#[test]
fn map_merge_objects_first_not_empty_and_plain() {
    check(&[
        ("{$map: {value: {$var: five}, mapping: [{from: 5, to: five}]}}", r#""five""#),
        ("{$map: {value: {$var: object}, mapping: [{from: {a: 1}, to: deep}]}}", r#""deep""#),
        ("{$map: {value: x, mapping: [], default: d}}", r#""d""#),
        ("{$map: {value: x, mappings: [{from: x, to: y}]}}", "undefined"),
        ("{$mergeObjects: [{a: 1, b: 2}, x, {a: 3}, [9]]}", r#"{"a":3,"b":2,"0":9}"#),
        ("{$mergeObjects: [x]}", "undefined"),
        ("{$firstNotEmpty: [{$var: no}, {$var: none}, {$var: empty}, x]}", r#""""#),
        ("{$plain: {$var: token}}", r#"{"$var":"token"}"#),
    ]);
}

#[test]
fn names_that_are_no_formula_are_refused_with_their_place() {
    for (template, problem) in [
        ("a: {$jsonata: x}", "t.yaml:1:5: the formula `$jsonata` is not supported"),
        (
            "a:\n  $conct: [x]",
            "t.yaml:2:3: the key `$conct` begins with `$` but is no formula; did you mean `$concat`?",
        ),
        ("$template: x", "did you mean `$tpl`? use `$plain` to mean data"),
        ("{a: 1, $var: x}", "t.yaml:1:8: `$var` is no formula in this place"),
        ("{$concat: {$var: list}}", "`$var` is no formula in this place"),
        ("{$tpl: {template: {$var: x}}}", "`$var` stands where nothing is evaluated"),
        ("{$tpl: {template: x, values: {'(': x}}}", "is no regular expression"),
        ("{$case: [{filter: [{operator: is}], value: 1}]}", "this condition has no valid `field`"),
    ] {
        let complaints = complaints(template);
        assert!(complaints.iter().any(|complaint| complaint.contains(problem)), "{template}: {complaints:?}");
    }
    assert_eq!(complaints("[{$extractDate: x}, {$copy: y}, {$lookup: z}]").len(), 3);
}

#[test]
fn text_that_multiplies_ends_with_an_error_and_not_with_the_memory() {
    let names: Vec<String> = (0..26).map(|n| format!("n{n}: '{{n{0}}}{{n{0}}}'", n + 1)).collect();
    let template = format!("{{$tpl: {{template: '{{n0}}', values: {{{}}}}}}}", names.join(", "));
    let template = Template::from_node("t.yaml", &parse("t.yaml", &template).unwrap()).unwrap();
    assert!(matches!(template.evaluate(&Value::empty_object()), Err(FormulaError::TooMuchText)));
}

#[test]
fn a_value_that_nests_too_deeply_is_refused() {
    let deep = (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    assert!(Template::from_value(&deep).unwrap_err().to_string().contains("nest too deeply"));
}
