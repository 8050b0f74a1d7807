//! The documentation: every sample is one that Sidegate takes; every command, flag, variable and link is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sidegate::app::rehearsal::rehearse;
use sidegate::config::{self, Flags, Sources};

use super::commands;
use super::config::{Folder, SEALING_KEY, SECRET, copy, repository};

/// What a sample that is no whole configuration is laid over.
const BASE: &str = "\
listeners: {inbound: {address: 127.0.0.1:0}, outbound: {address: 127.0.0.1:0}}
workspaces: {my-workspace: {secret: {file: secrets/workspace}}}
store: {redb: {path: base.redb}}
encryption: {keys: [{id: k0, key: {file: secrets/sealing-key}}]}
upstreams: {base: {upstream: http://127.0.0.1:3000, match: {pathPrefix: /base}}}
integrations: {crm: {connector: crm}}
";
const CONNECTOR: &str = "\
name: CRM
auth: {type: client-credentials, makeApiClient: {implementationType: mapping}}
";

#[test]
fn every_field_of_the_access_log_is_documented() {
    let page = fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    let source = fs::read_to_string(repository().join("src/telemetry/line.rs")).unwrap();
    let keys: Vec<_> = source.split("key!(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(keys.len() > 20, "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![repository().join("README.md"), repository().join("ARCHITECTURE.md")];
    for folder in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages.sort();
    pages
}

/// The fenced blocks of a page in `language`.
fn blocks(page: &Path, language: &str) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let fences = text.split("```").skip(1).step_by(2);
    fn lines(block: &str) -> Vec<&str> {
        block.lines().map(str::trim_end).collect()
    }
    let of_language = |block: &&str| lines(block).first().is_some_and(|first| *first == language);
    let body = |block: &str| {
        let lines = lines(block);
        // A block inside a list is indented as a whole.
        let indent = lines[1..]
            .iter()
            .filter(|line| !line.is_empty())
            .map(|line| line.len() - line.trim_start().len())
            .min();
        lines[1..]
            .iter()
            .map(|line| line.get(indent.unwrap_or(0)..).unwrap_or(""))
            .collect::<Vec<_>>()
            .join("\n")
    };
    fences.filter(of_language).map(body).collect()
}

/// The file that a sample's first line names: `# upstreams/orders.yaml: one file per API`.
fn named(sample: &str) -> Option<&str> {
    let comment = sample.lines().next()?.strip_prefix("# ")?;
    let name = comment.split(':').next()?;
    (name.ends_with(".yaml") || name.ends_with(".yml")).then_some(name)
}

#[test]
fn every_yaml_sample_is_taken() {
    let mut samples = 0;
    for page in pages() {
        let folder = Folder::with(&[]);
        for name in ["secrets/workspace", "workspace"] {
            folder.write(name, SECRET);
        }
        for name in ["sealing-key", "sealing-key-1", "sealing-key-2", "secrets/sealing-key"] {
            folder.write(name, SEALING_KEY);
        }
        folder.write(
            "es256.pem",
            &fs::read_to_string(repository().join("tests/vectors/keys/p256.spki.pem")).unwrap(),
        );
        let is_whole = page.ends_with("README.md");
        if is_whole {
            fs::create_dir_all(folder.0.join("connectors/hubspot")).unwrap();
            copy(&repository().join("config/connectors/hubspot"), &folder.0.join("connectors/hubspot"));
        } else {
            folder.write("base.yaml", BASE);
            folder.write("connectors/crm/spec.yml", CONNECTOR);
            folder.write("connectors/crm/auth/make-api-client.map.yml", "baseUri: https://api.example.com\n");
        }
        for sample in blocks(&page, "yaml") {
            let name =
                named(&sample).unwrap_or_else(|| panic!("{}: name the file of\n{sample}", page.display()));
            let text = sample.replace("/run/secrets", &folder.0.display().to_string());
            folder.write(name, &text);
            samples += 1;
        }
        let mut sources = folder.sources(&[("HUBSPOT_ID", "id"), ("HUBSPOT_SECRET", "secret")]);
        sources.paths = ["base.yaml", "sidegate.yaml"].map(|name| folder.0.join(name)).into();
        sources.paths.retain(|path| path.is_file());
        if sources.paths.is_empty() {
            continue;
        }
        let settings =
            config::load(&sources).unwrap_or_else(|complaints| panic!("{}: {complaints:#?}", page.display()));
        let found = rehearse(&settings);
        assert!(found.errors.is_empty(), "{}: {:#?}", page.display(), found.errors);
    }
    assert!(samples >= 5, "the samples were not found");
}

/// The commands in code of a page, without what surrounds them: `sidegate check --config X`.
fn commands_of(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let in_blocks =
        blocks(page, "sh").join("\n").replace("\\\n", " ").replace("cargo run --release -- ", "sidegate ");
    let in_prose = text.split('`').skip(1).step_by(2).filter(|code| !code.contains('\n'));
    let mut commands: Vec<String> =
        in_prose.filter(|code| code.starts_with("sidegate ")).map(str::to_owned).collect();
    for line in in_blocks.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim_end_matches(')');
        if let Some(at) = line.find("sidegate ").filter(|&at| at == 0 || line[..at].ends_with("$(")) {
            commands.push(line[at..].to_owned());
        }
    }
    commands
}

/// The subcommands that a help text lists.
fn listed(help: &str) -> BTreeSet<String> {
    let commands = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = commands.lines().take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_documentation_is_in_the_help_with_its_flags() {
    let mut seen = BTreeSet::new();
    for page in pages() {
        for command in commands_of(&page) {
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            let mut path = Vec::new();
            let mut help = commands::sidegate(&["--help"], repository()).out;
            while let Some(next) = words.get(path.len()).filter(|word| listed(&help).contains(**word)) {
                path.push(*next);
                help = commands::sidegate(&[path.as_slice(), &["--help"]].concat(), repository()).out;
            }
            let place = format!("{}: `{command}`", page.display());
            assert!(words[0].starts_with('-') || !path.is_empty(), "{place}: no such command");
            assert!(words[0].starts_with('-') || listed(&help).is_empty(), "{place}: which subcommand?");
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                assert!(help.contains(flag), "{place}: {flag} is not in its help:\n{help}");
            }
            seen.insert(path.join(" "));
        }
    }
    for expected in [
        "init",
        "check",
        "run",
        "demo",
        "healthcheck",
        "config show",
        "config schema",
        "token sign",
        "token explain",
    ] {
        assert!(seen.contains(expected), "no page shows `sidegate {expected}`");
    }
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let there = page.parent().unwrap().join(target).exists();
            assert!(target.contains("://") || there, "{}: {link} leads nowhere", page.display());
        }
    }
}

#[test]
fn every_variable_of_the_documentation_names_a_key() {
    let text = fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let (mut prefix, mut checked) = (None, 0);
    for line in text.lines() {
        if line.starts_with("## ") || line.starts_with("### ") {
            prefix = None;
        }
        if let Some((_, below)) =
            line.split_once("nvironment below `").or_else(|| line.split_once("nvironment: below `"))
        {
            prefix = below.split("__").next();
        }
        let Some(cell) =
            line.strip_prefix("| `").and_then(|row| row.trim_end_matches('|').rsplit('|').next())
        else {
            continue;
        };
        for name in cell.split('`').skip(1).step_by(2).filter(|name| is_variable(name)) {
            let name = name.strip_prefix("SIDEGATE_").unwrap_or(name);
            let full = match prefix {
                Some("WORKSPACES") => format!("SIDEGATE_WORKSPACES__MY_WORKSPACE__{name}"),
                Some("UPSTREAMS") => format!("SIDEGATE_UPSTREAMS__BASE__{name}"),
                Some("INTEGRATIONS") => format!("SIDEGATE_INTEGRATIONS__CRM__{name}"),
                _ => format!("SIDEGATE_{name}"),
            };
            let folder = Folder::with(&[("base.yaml", BASE), ("connectors/crm/spec.yml", CONNECTOR)]);
            let environment = [(full.clone(), "x".to_owned())].into();
            let sources =
                Sources { paths: vec![folder.0.join("base.yaml")], environment, flags: Flags::default() };
            let complaints = config::load(&sources).map_or_else(|complaints| complaints, |_| Vec::new());
            let unknown = complaints.iter().find(|complaint| {
                let told = ["does not know", "is a list in", "is a group of keys", "may mean"];
                complaint.file.contains(&full) && told.iter().any(|told| complaint.problem.contains(told))
            });
            assert!(unknown.is_none(), "{line}\n{unknown:?}");
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} variables were found");
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}
