//! Configuration files, and the formulas in them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use sidegate::app::rehearsal::rehearse;
use sidegate::clock::SystemClock;
use sidegate::config::{self, Flags, Settings, Sources};
use sidegate::document::{self, Complaint};
use sidegate::formula::{Template, Value};
use sidegate::inbound::Routes;
use sidegate::token::Verifier;

/// A folder that the fuzzed files are written to, one for each thread of each process.
fn with_folder<T>(use_it: impl FnOnce(&std::path::Path) -> T) -> T {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("sidegate-fuzz-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    let result = use_it(&folder);
    let _ = fs::remove_dir_all(&folder);
    result
}

/// Loads these bytes as sidegate.yaml; a workspace and its secret stand beside them.
pub(super) fn load(bytes: &[u8]) -> Result<Settings, Vec<Complaint>> {
    with_folder(|folder| {
        fs::write(folder.join("sidegate.yaml"), bytes).unwrap();
        fs::write(
            folder.join("secret"),
            "a secret that is long enough for HS512, and a little longer than that",
        )
        .unwrap();
        fs::write(folder.join("revoked"), "- {jti: t1}\n").unwrap();
        let more =
            "workspaces: {acme: {secret: {file: secret}}}\nlisteners: {inbound: {address: '127.0.0.1:0'}}\n";
        fs::write(folder.join("more.yaml"), more).unwrap();
        let paths = vec![folder.join("more.yaml"), folder.join("sidegate.yaml")];
        config::load(&Sources { paths, flags: Flags::default(), environment: BTreeMap::new() })
    })
}

/// Any bytes as a configuration: complaints name a place and a cure; what is accepted makes routes and a verifier.
pub fn config(bytes: &[u8]) {
    let settings = match load(bytes) {
        Ok(settings) => settings,
        Err(complaints) => {
            assert!(!complaints.is_empty(), "refused, and nobody says why");
            return;
        }
    };
    if !rehearse(&settings).errors.is_empty() {
        return;
    }
    Verifier::new(settings.tokens, Arc::new(SystemClock)).expect("keys that were rehearsed can be used");
    Routes::new(settings.upstreams).expect("upstreams that were accepted can be served");
}

static VARIABLES: LazyLock<Value> = LazyLock::new(|| {
    let text = r#"{"a": {"b": [1, 0, "x", null, {"c": true}]}, "text": "Grüße", "number": -0.5, "list": [[1], [2]], "": {"": 1}}"#;
    serde_json::from_str(text).unwrap()
});

/// Any document as a formula: it is read, evaluated, and says the same twice.
pub fn formula(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(node) = document::parse("formula.yaml", text) else { return };
    let Ok(template) = Template::from_node("formula.yaml", &node) else { return };
    let [first, second] = [0; 2].map(|_| format!("{:?}", template.evaluate(&VARIABLES)));
    assert_eq!(first, second);
    let _ = (template.literal(), template.reads());
}
