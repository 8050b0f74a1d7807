//! The house rules as tests: who may import whom, how long a file may be, where secrets and status codes appear.
//! Each failure is a sentence with a file and a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Which rooms a room may import; ARCHITECTURE.md shows the same plan. `app` is above all floors.
const FLOORS: &[(&str, &str)] = &[
    ("names", ""),
    ("secret", ""),
    ("clock", ""),
    ("report", ""),
    ("document", ""),
    ("telemetry", "names secret clock report"),
    ("http", "names secret clock report telemetry"),
    ("formula", "names secret report document"),
    ("steps", "clock formula"),
    ("script", "names secret clock report document telemetry formula"),
    ("seal", "names secret clock report"),
    ("oauth1", "secret clock"),
    ("token", "names secret clock report document telemetry http"),
    ("connector", "names secret report document token formula script oauth1"),
    ("store", "names secret clock report telemetry formula seal steps"),
    ("oauth", "names secret clock report telemetry http token oauth1"),
    ("inject", "names secret clock formula connector http oauth1"),
    ("method", "names secret clock report telemetry http token formula connector script inject"),
    ("refresh", "names secret clock report telemetry http formula connector method oauth oauth1 store"),
    ("call", "names secret clock report telemetry http formula connector inject method refresh store"),
    ("inbound", "names secret clock report telemetry http token formula"),
    ("outbound", "names secret clock report telemetry http token connector store call"),
    (
        "api",
        "names secret clock report telemetry http token formula connector method oauth oauth1 refresh steps store",
    ),
    ("connect", "names report telemetry http token formula steps api"),
    ("admin", "names secret clock report telemetry http"),
    (
        "config",
        "names secret report document http formula connector script token oauth seal store inbound outbound connect",
    ),
];

/// The room that may import every other.
const EVERYTHING: &str = "app";

/// Who may be imported by `app` only.
const NOBODY_IMPORTS: &[&str] = &["app", "config"];

/// Files that may call `Secret::expose`: where a secret is used for what it is for.
const MAY_EXPOSE: &[&str] = &[
    "src/token/keys",
    "src/token/mint",
    "src/formula",
    "src/inject",
    "src/oauth",
    "src/oauth1",
    "src/refresh/row.rs",
    "src/call/open.rs",
    "src/seal",
    "src/store",
    "src/api/view.rs",
];

/// Where answers of our own with a 4xx or 5xx status may be built.
const MAY_REFUSE: &[&str] = &["rejection", "src/admin/health", "src/app/commands/demo"];

const MOST_LINES: usize = 400;

#[test]
fn rooms_import_only_the_floors_below() {
    let mut broken = Vec::new();
    for file in sources() {
        let Some(room) = room(&file) else { continue };
        for (imported, line) in imports(&file) {
            if imported == room || allowed(&room, &imported) {
                continue;
            }
            broken.push(format!("{}:{line}: {room} must not know {imported}", file.display()));
        }
    }
    none(&broken);
}

#[test]
fn the_floors_have_no_circle() {
    for (position, (room, below)) in FLOORS.iter().enumerate() {
        for lower in below.split_whitespace() {
            let found = FLOORS[..position].iter().any(|(name, _)| *name == lower);
            assert!(found, "{room} stands on {lower}, which is not below it");
        }
    }
}

#[test]
fn every_room_is_on_the_floor_plan() {
    let rooms: BTreeSet<_> = sources().iter().filter_map(|file| room(file)).collect();
    let known: BTreeSet<_> =
        FLOORS.iter().map(|(room, _)| *room).chain([EVERYTHING]).map(String::from).collect();
    assert_eq!(rooms, known);
}

#[test]
fn the_floor_plan_of_the_map_is_the_one_that_is_enforced() {
    let map = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let section = map.split("\n## ").find(|section| section.starts_with("Rooms and floors")).unwrap();
    let table = section.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    // What stands behind two spaces is a remark.
    let row = |line: &str| {
        let (room, below) = line.split_once("  ").unwrap_or((line, ""));
        let below = below.trim_start().split("  ").next().unwrap();
        (room.to_owned(), below.split_whitespace().map(String::from).collect::<BTreeSet<_>>())
    };
    let shown: BTreeMap<_, _> = table.lines().map(row).collect();
    let everything = (EVERYTHING.to_owned(), BTreeSet::from(["everything".to_owned()]));
    let enforced: BTreeMap<_, _> =
        FLOORS.iter().map(|(room, below)| row(&format!("{room}  {below}"))).chain([everything]).collect();
    assert_eq!(shown, enforced);
}

#[test]
fn the_map_lists_who_may_expose_a_secret_and_nobody_has_the_right_in_vain() {
    let map = fs::read_to_string("ARCHITECTURE.md").unwrap();
    let used = found_in_code(&[".expose()"], &[]);
    let mut broken = Vec::new();
    for place in MAY_EXPOSE {
        let shown = place.trim_start_matches("src/");
        if !map.contains(&format!("`{shown}`")) {
            broken.push(format!("ARCHITECTURE.md does not list `{shown}` among those that expose secrets"));
        }
        if !used.iter().any(|line| line.starts_with(place)) {
            broken.push(format!("{place} may expose secrets and does not"));
        }
    }
    none(&broken);
}

#[test]
fn every_module_says_what_it_is_and_what_it_must_not_know() {
    let broken: Vec<_> = sources()
        .iter()
        .filter(|file| !is_test(file))
        .filter(|file| {
            fs::read_to_string(file).unwrap().lines().take_while(|line| line.starts_with("//!")).count() < 2
        })
        .map(|file| format!("{} opens without its two sentences", file.display()))
        .collect();
    none(&broken);
}

#[test]
fn files_are_short_enough_to_be_read() {
    let broken: Vec<_> = sources()
        .iter()
        .map(|file| (file, fs::read_to_string(file).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(file, lines)| format!("{} has {lines} lines; cut it", file.display()))
        .collect();
    none(&broken);
}

#[test]
fn secrets_are_exposed_only_where_they_are_used() {
    none(&found_in_code(&[".expose()"], MAY_EXPOSE));
}

#[test]
fn refusals_are_built_only_in_rejection_files() {
    let statuses = [
        "StatusCode::BAD_REQUEST",
        "StatusCode::UNAUTHORIZED",
        "StatusCode::FORBIDDEN",
        "StatusCode::NOT_FOUND",
        "StatusCode::METHOD_NOT_ALLOWED",
        "StatusCode::CONFLICT",
        "StatusCode::PAYLOAD_TOO_LARGE",
        "StatusCode::TOO_MANY_REQUESTS",
        "StatusCode::INTERNAL_SERVER_ERROR",
        "StatusCode::BAD_GATEWAY",
        "StatusCode::SERVICE_UNAVAILABLE",
        "StatusCode::GATEWAY_TIMEOUT",
    ];
    let broken = found_in_code(&statuses, MAY_REFUSE);
    // A status of somebody else's answer may be compared with; building is what is forbidden.
    let built: Vec<_> =
        broken.into_iter().filter(|line| !line.contains("==") && !line.contains("=>")).collect();
    none(&built);
}

#[test]
fn no_word_says_nothing() {
    let empty = ["util", "helper", "manager", "misc", "common"];
    let broken: Vec<_> = sources()
        .iter()
        .filter(|file| empty.iter().any(|word| file.file_stem().unwrap().to_string_lossy().contains(word)))
        .map(|file| format!("{} has a name that says nothing", file.display()))
        .collect();
    none(&broken);
}

#[test]
fn every_rejection_code_is_documented() {
    let page = fs::read_to_string("docs/rejections.md").unwrap();
    let mut broken = Vec::new();
    for file in sources().iter().filter(|file| file.ends_with("rejection.rs")) {
        let text = fs::read_to_string(file).unwrap();
        for code in codes(&text) {
            if !page.contains(&format!("`{code}`")) {
                broken.push(format!("{}: `{code}` is not in docs/rejections.md", file.display()));
            }
        }
    }
    none(&broken);
}

#[test]
fn every_metric_is_documented() {
    let page = fs::read_to_string("docs/metrics.md").unwrap();
    let is_metric = |literal: &String| {
        ["sidegate_", "http_server_", "http_client_"].iter().any(|start| literal.starts_with(start))
    };
    let mut broken = Vec::new();
    for file in sources().iter().filter(|file| file.starts_with("src/telemetry") && !is_test(file)) {
        let metrics = string_literals(&fs::read_to_string(file).unwrap()).into_iter().filter(is_metric);
        broken.extend(
            metrics
                .filter(|metric| !page.contains(&format!("`{metric}")))
                .map(|metric| format!("{}: `{metric}` is not in docs/metrics.md", file.display())),
        );
    }
    none(&broken);
}

fn allowed(room: &str, imported: &str) -> bool {
    if room == EVERYTHING {
        return true;
    }
    if NOBODY_IMPORTS.contains(&imported) {
        return false;
    }
    let below = FLOORS.iter().find(|(name, _)| *name == room).map_or("", |(_, below)| below);
    below.split_whitespace().any(|lower| lower == imported)
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// `src/token/verify.rs` and `src/token.rs` are the room `token`; lib.rs and main.rs are none.
fn room(file: &Path) -> Option<String> {
    let first = file.components().nth(1)?.as_os_str().to_string_lossy().into_owned();
    let room = first.trim_end_matches(".rs");
    (room != "lib" && room != "main").then(|| room.to_owned())
}

fn is_test(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "tests")
        || file.components().any(|part| part.as_os_str() == "tests")
}

/// The rooms a file names in `crate::…` paths outside its tests, with lines.
fn imports(file: &Path) -> Vec<(String, usize)> {
    struct Found(Vec<(String, usize)>);
    impl Found {
        fn note(&mut self, room: &syn::Ident) {
            self.0.push((room.to_string(), room.span().start().line));
        }

        fn take(&mut self, first: &syn::Ident, rest: &syn::UseTree) {
            if first != "crate" {
                return;
            }
            match rest {
                syn::UseTree::Path(path) => self.note(&path.ident),
                syn::UseTree::Name(name) => self.note(&name.ident),
                syn::UseTree::Rename(name) => self.note(&name.ident),
                syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.take(first, item)),
                syn::UseTree::Glob(_) => {}
            }
        }
    }
    impl<'ast> Visit<'ast> for Found {
        fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
            if let syn::UseTree::Path(path) = &item.tree {
                self.take(&path.ident, &path.tree);
            }
        }
        fn visit_path(&mut self, path: &'ast syn::Path) {
            let mut segments = path.segments.iter();
            if segments.next().is_some_and(|first| first.ident == "crate")
                && let Some(room) = segments.next()
            {
                self.0.push((room.ident.to_string(), path.span().start().line));
            }
            visit::visit_path(self, path);
        }
        fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
            let test = item.attrs.iter().any(|attribute| {
                attribute.path().is_ident("cfg")
                    && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
            });
            if !test {
                visit::visit_item_mod(self, item);
            }
        }
    }
    if is_test(file) {
        return Vec::new();
    }
    let parsed = syn::parse_file(&fs::read_to_string(file).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut found = Found(Vec::new());
    found.visit_file(&parsed);
    found.0
}

/// Lines outside tests and comments that hold one of `needles`, in files not listed.
fn found_in_code(needles: &[&str], permitted: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in sources() {
        let shown = file.display().to_string();
        if is_test(&file) || permitted.iter().any(|place| shown.contains(place)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // Test-only parts of a type stand in the middle of code; the tests are the module at its end.
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            if !comment && needles.iter().any(|needle| line.contains(needle)) {
                found.push(format!("{shown}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

fn string_literals(text: &str) -> Vec<String> {
    struct Strings(Vec<String>);
    impl<'ast> Visit<'ast> for Strings {
        fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
            self.0.push(literal.value());
        }
    }
    let mut strings = Strings(Vec::new());
    strings.visit_file(&syn::parse_file(text).unwrap());
    strings.0
}

/// The string literals of functions named `code`.
fn codes(text: &str) -> Vec<String> {
    struct Codes(Vec<String>);
    impl<'ast> Visit<'ast> for Codes {
        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            if item.sig.ident == "code" {
                struct Strings<'a>(&'a mut Vec<String>);
                impl<'ast> Visit<'ast> for Strings<'_> {
                    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
                        self.0.push(literal.value());
                    }
                }
                Strings(&mut self.0).visit_block(&item.block);
            }
        }
    }
    let mut codes = Codes(Vec::new());
    codes.visit_file(&syn::parse_file(text).unwrap());
    codes.0
}

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
