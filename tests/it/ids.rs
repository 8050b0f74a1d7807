//! The audit of the attack list: every id of the security checklist is the name of a test that runs.
//! A test is named by its ids in front (`h6_h7_…`); a Node or Python test begins its title with them (`H42 …`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Ids that have no test yet, each with what it waits for. An id leaves this list with its test.
const PENDING: &[(&str, &str)] = &[];

fn every_id() -> impl Iterator<Item = String> {
    let rows = [('T', 1..=37), ('K', 1..=7), ('H', 1..=22), ('H', 30..=50)];
    rows.into_iter().flat_map(|(letter, numbers)| numbers.map(move |number| format!("{letter}{number}")))
}

#[test]
fn every_attack_of_the_list_is_a_test_named_by_its_id() {
    let tests = tests_by_id();
    let is_pending = |id: &str| PENDING.iter().any(|(pending, _)| *pending == id);
    let missing: Vec<_> = every_id().filter(|id| !tests.contains_key(id) && !is_pending(id)).collect();
    assert!(missing.is_empty(), "no test is named by {}", missing.join(", "));
    let unknown: Vec<_> = tests.iter().filter(|(id, _)| every_id().all(|known| known != **id)).collect();
    assert!(unknown.is_empty(), "these tests are named by ids that are not on the list: {unknown:?}");
    for (id, waits_for) in PENDING.iter().filter(|(id, _)| !tests.contains_key(*id)) {
        eprintln!("{id} has no test yet: {waits_for}");
    }
}

/// The names of the tests that run, by the ids they begin with.
fn tests_by_id() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for root in ["src", "tests/it", "tests/sdk", "tests/peers"] {
        for file in files_below(Path::new(root)) {
            let text = fs::read_to_string(&file).unwrap();
            let names = match file.extension().and_then(|extension| extension.to_str()) {
                Some("rs") => rust_tests(&text),
                Some("mjs" | "py") => script_tests(&text),
                _ => continue,
            };
            for name in names {
                for id in ids_in_front(&name) {
                    found.entry(id).or_default().push(name.clone());
                }
            }
        }
    }
    found
}

/// All files, but for those that a package manager brought; a folder that is not there has none.
fn files_below(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_ours = |path: &PathBuf| path.file_name().is_some_and(|name| name != "node_modules");
    paths
        .filter(is_ours)
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] })
        .collect()
}

/// Functions under a `test` attribute that nothing switches off.
fn rust_tests(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut is_test, mut is_off) = (false, false);
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
            is_off |= line.contains("ignore");
        } else if !line.starts_with("//") {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let Some(name) = name.filter(|_| is_test && !is_off) {
                names.push(name.split('(').next().unwrap_or_default().to_owned());
            }
            (is_test, is_off) = (false, false);
        }
    }
    names
}

/// Titles of `test("…")` and `it('…')`, with spaces as underscores, and functions `def test_…`.
fn script_tests(text: &str) -> Vec<String> {
    let title = |line: &str| {
        let call = ["test(", "it("].iter().find_map(|call| line.strip_prefix(call));
        let quoted = call.and_then(|rest| rest.strip_prefix(['"', '\'', '`']));
        quoted.or_else(|| line.strip_prefix("def test_")).map(|title| title.replace([' ', ','], "_"))
    };
    text.lines().filter_map(|line| title(line.trim_start())).collect()
}

/// `h6_h7_no_disguise…` begins with H6 and H7.
fn ids_in_front(name: &str) -> Vec<String> {
    let words = name.split('_').filter(|word| !word.is_empty()).map(str::to_ascii_uppercase);
    let is_id = |word: &String| {
        let number = word.strip_prefix(['T', 'K', 'H']);
        number.is_some_and(|number| {
            !number.is_empty() && number.len() < 3 && number.bytes().all(|digit| digit.is_ascii_digit())
        })
    };
    words.take_while(is_id).collect()
}

#[test]
fn only_tests_that_run_count_as_tests() {
    let text = "fn h1_no() {}\n#[test]\nfn h2_yes() {}\n#[test]\n#[ignore = \"slow\"]\nfn h3_no() {}\n\
                #[tokio::test(start_paused = true)]\n// why\nasync fn h4_h5_yes() {}\n";
    assert_eq!(rust_tests(text), ["h2_yes", "h4_h5_yes"]);
    let text =
        "test(\"H42 H43: no\", () => {});\n  it('h1 is', f);\ntest.skip('H2 not', f);\ndef test_h6_x():\n";
    assert_eq!(
        script_tests(text).iter().flat_map(|name| ids_in_front(name)).collect::<Vec<_>>(),
        ["H42", "H1", "H6"]
    );
}
