//! A path as servers of many kinds read it: no reading of an admitted path lies under another rule than the one that
//! admitted it.

use http::Request;
use proptest::prelude::*;
use sidegate::config::{self, Flags, Sources};
use sidegate::http::headers::admit;
use sidegate::inbound::Routes;

use crate::support::{Folder, SECRET};

const CONFIGURATION: &str = "
listeners: {inbound: {address: '127.0.0.1:0'}}
workspaces: {acme: {secret: {file: acme}}}
upstreams:
  one: {upstream: 'http://127.0.0.1:1', rules: [{path: /admin/*, allow: admin}, {path: /*, allow: public}]}
  two: {upstream: 'http://127.0.0.1:1', match: {pathPrefix: /vault}, rules: [{path: /*, allow: admin}]}
";

fn routes() -> Routes {
    let folder = Folder::new();
    folder.write("sidegate.yaml", CONFIGURATION);
    folder.write("acme", SECRET);
    let paths = vec![folder.path().to_owned()];
    let sources = Sources { paths, flags: Flags::default(), environment: [].into() };
    let settings = config::load(&sources).unwrap_or_else(|complaints| panic!("{complaints:#?}"));
    Routes::new(settings.upstreams).unwrap()
}

/// Percent-encoding undone once.
fn decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// Each segment without what follows `;`.
fn without_parameters(path: &str) -> String {
    let segments: Vec<_> = path.split('/').map(|segment| segment.split(';').next().unwrap_or("")).collect();
    segments.join("/")
}

fn merged(path: &str) -> String {
    let mut path = path.to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    path
}

/// RFC 3986 section 5.2.4, near enough: `.` goes, `..` takes the segment before it along.
fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

/// As Node, nginx, Tomcat, Apache and others do, each in its own order.
fn readings(path: &str) -> Vec<String> {
    type Step = fn(&str) -> String;
    let orders: [&[Step]; 7] = [
        &[decoded],
        &[decoded, resolved, merged],
        &[decoded, merged, resolved],
        &[without_parameters, decoded, merged, resolved],
        &[without_parameters, decoded, resolved],
        &[decoded, without_parameters, resolved, merged],
        &[resolved, without_parameters, merged, decoded],
    ];
    orders.map(|steps| steps.iter().fold(path.to_owned(), |path, step| step(&path))).into()
}

fn is_guarded(path: &str) -> bool {
    ["/admin", "/vault"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn any_path() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "/", "//", ".", "..", "%2e", "%2E%2e", "%2f", "%5c", "\\", ";", ";a=b", "%3b", "%3B",
        "%25", "admin", "vault", "public", "%61dmin", "admi%6e", "v%61ult", "x", "%00", "%20", "%", "%252e",
        "~",
    ]);
    prop::collection::vec(piece, 1..9).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn h5_h39_no_reading_of_a_path_that_is_public_is_guarded(path in any_path()) {
        thread_local!(static ROUTES: Routes = routes());
        let Ok(request) = Request::get(&path).header("host", "api.test").body(()) else { return Ok(()) };
        let (head, ()) = request.into_parts();
        let is_public = admit(&head).is_ok() && ROUTES.with(|routes| {
            let found = routes.find("api.test", &head.method, head.uri.path());
            found.is_ok_and(|route| route.rule() == "/*" && route.upstream_name().as_str() == "one")
        });
        if is_public {
            for reading in readings(&path) {
                prop_assert!(!is_guarded(&reading), "{path} is public, and {reading} is not");
            }
        }
    }
}
