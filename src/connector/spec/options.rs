//! How an option inherits from its connector: what it leaves out is the connector's, schemas are merged.
//! Never reads a method.

use crate::connector::implementation::Method;
use crate::document::{Entry, Kind, Node};

/// Schemas of both levels that are merged; of all other keys the option's own counts.
const SCHEMAS: [&str; 3] = ["inputSchema", "parametersSchema", "credentialsSchema"];

/// The auth spec of an option.
pub(super) fn inherited(spec: &Node, option: &Node) -> Node {
    let kept = spec.entries().iter().filter(|entry| entry.key != "options" && !replaces(option, &entry.key));
    let mut entries: Vec<Entry> = kept.cloned().collect();
    for entry in option.entries() {
        let mut entry = entry.clone();
        if SCHEMAS.contains(&entry.key.as_str())
            && let Some(base) = schema(spec, &entry.key)
        {
            entry.value = merged(base, &entry.value);
        }
        entries.push(entry);
    }
    let mut made = Node { position: option.position, kind: Kind::Mapping(entries) };
    // A form of the option's own goes with the connector's `inputSchema`, which would else hide it.
    if option.get("inputSchema").is_none()
        && let (Some(base), Some(form)) = (spec.get("inputSchema"), form(option))
    {
        let value = merged(base, form);
        set(&mut made, Entry { key: "inputSchema".into(), position: form.position, value });
    }
    made
}

/// Whether the option has this key, or the same method under an alias.
fn replaces(option: &Node, key: &str) -> bool {
    let aliases = Method::ALL.iter().map(|method| method.keys()).find(|keys| keys.contains(&key));
    aliases.unwrap_or(&[]).iter().chain([&key]).any(|key| option.get(key).is_some())
}

fn schema<'n>(spec: &'n Node, key: &str) -> Option<&'n Node> {
    let older = || (key == "inputSchema").then(|| form(spec)).flatten();
    spec.get(key).or_else(older)
}

fn form(node: &Node) -> Option<&Node> {
    node.get("ui")?.get("schema")
}

/// One JSON Schema over another: properties of both, required of both, else the upper's word.
fn merged(base: &Node, over: &Node) -> Node {
    let (Kind::Mapping(_), Kind::Mapping(_)) = (&base.kind, &over.kind) else { return over.clone() };
    let mut made = base.clone();
    for entry in over.entries() {
        let mut entry = entry.clone();
        entry.value = match (entry.key.as_str(), base.get(&entry.key)) {
            ("properties", Some(base)) => overlaid(base, &entry.value),
            ("required", Some(base)) => joined(base, &entry.value),
            _ => entry.value,
        };
        set(&mut made, entry);
    }
    made
}

fn overlaid(base: &Node, over: &Node) -> Node {
    let mut made = base.clone();
    over.entries().iter().for_each(|entry| set(&mut made, entry.clone()));
    made
}

fn joined(base: &Node, over: &Node) -> Node {
    let mut items = base.items().to_vec();
    let known = |items: &[Node], item: &Node| items.iter().any(|one| one.text() == item.text());
    for item in over.items() {
        if !known(&items, item) {
            items.push(item.clone());
        }
    }
    Node { position: over.position, kind: Kind::Sequence(items) }
}

fn set(node: &mut Node, entry: Entry) {
    let Kind::Mapping(entries) = &mut node.kind else { return };
    match entries.iter_mut().find(|known| known.key == entry.key) {
        Some(known) => *known = entry,
        None => entries.push(entry),
    }
}
