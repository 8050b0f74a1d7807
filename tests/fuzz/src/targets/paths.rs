//! Paths: however a server reads the target, the rule that decided is the one that reading would have met.

use std::sync::LazyLock;

use http::{Method, Request};
use sidegate::http::headers::admit;
use sidegate::inbound::Routes;

use super::settings::load;

static ROUTES: LazyLock<Routes> = LazyLock::new(|| {
    let rules = "rules: [{path: /admin/*, allow: admin}, {path: /public/*, allow: public}, {path: /exact, allow: admin}, \
                 {path: /*, allow: verified}]";
    let text = format!(
        "upstreams:\n  api: {{upstream: 'http://127.0.0.1:1', {rules}}}\n  \
         orders: {{upstream: 'http://127.0.0.1:1', match: {{pathPrefix: /orders}}}}\n"
    );
    Routes::new(load(text.as_bytes()).unwrap().upstreams).unwrap()
});

/// Any target in a request to a host.
pub fn path(bytes: &[u8]) {
    let request = Request::builder().uri(bytes).header("host", "api.test").body(());
    let Ok((head, ())) = request.map(Request::into_parts) else { return };
    if admit(&head).is_err() {
        return;
    }
    let path = head.uri.path();
    let Ok(route) = ROUTES.find("api.test", &Method::GET, path) else { return };
    let decided = (route.upstream_name().as_str(), route.rule());
    for reading in readings(path) {
        assert_eq!(expected(&reading), decided, "{path} read as {reading}");
    }
}

/// Upstream and rule, by the first segments.
fn expected(path: &str) -> (&'static str, &'static str) {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    match (segments.next().unwrap_or_default(), segments.next()) {
        ("orders", _) => ("orders", "/*"),
        ("admin", _) => ("api", "/admin/*"),
        ("public", _) => ("api", "/public/*"),
        ("exact", None) => ("api", "/exact"),
        _ => ("api", "/*"),
    }
}

/// A path as it stands, and as servers are known to read it.
pub fn readings(path: &str) -> Vec<String> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut all = vec![path.to_owned(), decoded];
    for read in [backslashes_are_slashes, parameters_are_cut, slashes_are_merged, dots_are_resolved] {
        let more: Vec<String> = all.iter().map(|path| read(path)).collect();
        all.extend(more);
    }
    all
}

fn backslashes_are_slashes(path: &str) -> String {
    path.replace('\\', "/")
}

fn parameters_are_cut(path: &str) -> String {
    path.split('/').map(|part| part.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
}

fn slashes_are_merged(path: &str) -> String {
    let mut merged = String::new();
    for sign in path.chars() {
        if sign != '/' || !merged.ends_with('/') {
            merged.push(sign);
        }
    }
    merged
}

fn dots_are_resolved(path: &str) -> String {
    let mut resolved = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(resolved.pop()),
            part => resolved.push(part),
        }
    }
    resolved.join("/")
}
