use super::*;

#[test]
fn every_value_knows_its_place() {
    let root = parse("a.yaml", "one: 1\ntwo:\n  - true\n  - {k: v}\n").unwrap();
    let two = root.get("two").unwrap();
    assert_eq!(two.items()[1].get("k").unwrap().position, Position { line: 4, column: 9 });
    assert!(matches!(&root.get("one").unwrap().kind, Kind::Number(n) if n == "1"));
}

#[test]
fn ambiguous_scalars_stay_text() {
    let root = parse("a.yaml", "a: no\nb: 017\nc: 1_000\nd: '1'\ne: 0x10\nf: 1e3\ng: .5").unwrap();
    for key in ["a", "b", "c", "d", "e", "g"] {
        assert!(root.get(key).unwrap().text().is_some(), "{key}");
    }
    assert!(matches!(root.get("f").unwrap().kind, Kind::Number(_)));
}

#[test]
fn duplicate_keys_are_all_reported_with_their_places() {
    let complaints = parse("a.yaml", "a: 1\nb: 2\na: 3\nb: 4\n").unwrap_err();
    let places: Vec<_> = complaints.iter().map(ToString::to_string).collect();
    assert!(places[0].starts_with("a.yaml:3:1: the key `a` stands here twice"), "{places:?}");
    assert!(places[1].starts_with("a.yaml:4:1:"), "{places:?}");
}

#[test]
fn a_syntax_error_names_its_place() {
    let complaints = parse("a.yaml", "a: [1, 2\nb: 3\n").unwrap_err();
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].position.is_some());
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
    }
    assert!(parse("bomb.yaml", &text).unwrap_err()[0].problem.contains("too large"));
}

#[test]
fn aliases_within_aliases_nest_no_deeper_than_what_is_written_out() {
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth));
    let text = |depth: usize| format!("a: &a {}\nb: {}\n", nested(30, "x"), nested(depth, "*a"));
    assert!(parse("a.yaml", &text(33)).is_ok());
    let told = parse("a.yaml", &text(34)).unwrap_err();
    assert!(told[0].to_string().starts_with("a.yaml:2:38: the document nests too deeply"), "{told:?}");
}

#[test]
fn an_empty_file_is_an_empty_mapping() {
    assert!(parse("a.yaml", "# nothing\n").unwrap().entries().is_empty());
}

#[test]
fn near_words_are_suggested_and_far_ones_are_not() {
    assert_eq!(did_you_mean("worksapces", ["workers", "workspaces"]), Some("workspaces"));
    assert_eq!(did_you_mean("public_url", ["publicUrl"]), Some("publicUrl"));
    assert_eq!(did_you_mean("banana", ["workers"]), None);
}
