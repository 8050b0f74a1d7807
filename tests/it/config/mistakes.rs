//! What is wrong with a configuration, told at once and with its place.

use super::integrations::CONNECTOR;
use super::*;

#[test]
fn eleven_mistakes_are_told_at_once_each_with_its_place_and_a_cure() {
    let folder = Folder::with(&[
        (
            "sidegate.yaml",
            "\
listeners:
  inbound: {adress: 127.0.0.1:8080}
  health: {address: localhost}
workers: many
shutdown: {delay: 5}
worksapces: {}
workspaces:
  one: {secret: {file: nowhere}}
  two: {secret: {value: x, env: Y}, algorithms: [HS265]}
",
        ),
        (
            "upstreams/api.yaml",
            "\
upstream: ftp://127.0.0.1
rules:
  - {path: orders, allow: verified}
  - {path: /*, methods: [get], allow: everyone}
",
        ),
    ]);
    let complaints = folder.complaints(&[]);
    let wanted = [
        ("sidegate.yaml:2:13:", "did you mean `address`?"),
        ("sidegate.yaml:3:21:", "write IP:PORT"),
        ("sidegate.yaml:4:10:", "write a whole number"),
        ("sidegate.yaml:5:19:", "a duration with its unit"),
        ("sidegate.yaml:6:1:", "did you mean `workspaces`?"),
        ("sidegate.yaml:8:24:", "create the file"),
        ("sidegate.yaml:9:17:", "keep exactly one"),
        ("sidegate.yaml:9:50:", "did you mean `HS256`?"),
        ("upstreams/api.yaml:1:11:", "write http://"),
        ("upstreams/api.yaml:3:12:", "write an exact path"),
        ("upstreams/api.yaml:4:39:", "write one of `public`"),
    ];
    for (place, cure) in wanted {
        let found =
            complaints.iter().any(|complaint| complaint.starts_with(place) && complaint.contains(cure));
        assert!(found, "no complaint at {place} with the cure {cure:?} in {complaints:#?}");
    }
    assert_eq!(complaints.len(), wanted.len(), "{complaints:#?}");
}

#[test]
fn every_rule_is_checked_for_what_it_means() {
    let folder = small();
    folder.write(
        "upstreams/orders.yaml",
        "\
upstream: http://127.0.0.1:3001
match: {pathPrefix: /orders}
token: {workspaces: [my-workspcae], headers: ['X Token']}
rules:
  - {path: orders, allow: verified}
  - {path: /a/*/b, allow: verified}
  - {path: /c, methods: [get], allow: customer}
  - {path: /d, allow: public, claims: {fields.plan: [pro]}}
identity: {Content-Length: id, X-Admin: isadmin}
",
    );
    let complaints = folder.complaints(&[]);
    contains(
        &complaints,
        "upstreams/orders.yaml:3:22: there is no workspace `my-workspcae`; did you mean `my-workspace`?",
    );
    contains(&complaints, "upstreams/orders.yaml:3:47: `X Token` is not a header name");
    contains(
        &complaints,
        "upstreams/orders.yaml:5:12: `upstreams.orders.rules[0].path` does not begin with `/`",
    );
    contains(&complaints, "upstreams/orders.yaml:6:12:");
    contains(
        &complaints,
        "upstreams/orders.yaml:7:26: `get` is not a method that is known here; did you mean `GET`?",
    );
    contains(&complaints, "upstreams/orders.yaml:8:39: a public rule ignores tokens");
    contains(
        &complaints,
        "upstreams/orders.yaml:9:28: the header `content-length` carries the message itself",
    );
    contains(
        &complaints,
        "upstreams/orders.yaml:9:41: `isadmin` is not a property of a token; did you mean `isAdmin`?",
    );
    assert_eq!(complaints.len(), 8, "{complaints:#?}");
}

#[test]
fn a_bad_entry_of_a_list_hides_no_mistake_of_its_neighbours() {
    let folder = small();
    folder.write("k3.pem", "-----BEGIN PRIVATE KEY-----\n");
    folder.write(
        "sidegate.yaml",
        "\
listeners: {inbound: [{adress: 127.0.0.1:1}, {address: nowhere}]}
workspaces:
  my-workspace:
    publicKeys:
      - {name: one}
      - {name: two, file: k2.pem}
      - {name: three, file: k3.pem}
store: {redb: {path: x}}
encryption: {keys: [{id: k1}, {id: k2, key: {value: short}}]}
",
    );
    folder.write(
        "upstreams/api.yaml",
        "\
upstream: http://127.0.0.1:3000
match: {hosts: [[], 'a b']}
token: {headers: [{}, 'X Token']}
rules:
  - {path: /a, allow: everyone}
  - {path: b, allow: verified}
  - {path: /c, allow: verified, methods: [{}, get]}
",
    );
    folder.write("connectors/crm/spec.yml", CONNECTOR);
    folder.write(
        "integrations/crm.yaml",
        "\
connector: crm
apps:
  - {clientId: x}
  - {id: own, clientId: {env: NOT_SET}}
hosts: [[], 'https://x']
",
    );
    let complaints = folder.complaints(&[]);
    for (place, problem) in [
        ("sidegate.yaml:1:24:", "did you mean `address`?"),
        ("sidegate.yaml:1:56:", "`listeners.inbound[1].address` is not an address"),
        ("sidegate.yaml:5:9:", "`workspaces.my-workspace.publicKeys[0].file` is missing"),
        ("sidegate.yaml:6:27:", "`workspaces.my-workspace.publicKeys[1].file` names k2.pem"),
        ("sidegate.yaml:7:29:", "k3.pem holds a private key"),
        ("sidegate.yaml:9:21:", "`encryption.keys[0].key` is missing"),
        ("sidegate.yaml:9:45:", "`encryption.keys[1].key` is not base64 of 32 bytes"),
        ("upstreams/api.yaml:2:17:", "`upstreams.api.match.hosts[0]` is a list"),
        ("upstreams/api.yaml:2:21:", "`a b` is not a host name"),
        ("upstreams/api.yaml:3:19:", "`upstreams.api.token.headers[0]` is a mapping"),
        ("upstreams/api.yaml:3:23:", "`X Token` is not a header name"),
        ("upstreams/api.yaml:5:23:", "`upstreams.api.rules[0].allow` is not a word"),
        ("upstreams/api.yaml:6:12:", "`upstreams.api.rules[1].path` does not begin with `/`"),
        ("upstreams/api.yaml:7:43:", "`upstreams.api.rules[2].methods[0]` is a mapping"),
        ("upstreams/api.yaml:7:47:", "`get` is not a method"),
        ("integrations/crm.yaml:3:5:", "`integrations.crm.apps[0].id` is missing"),
        ("integrations/crm.yaml:4:31:", "the environment variable NOT_SET is not set"),
        ("integrations/crm.yaml:5:9:", "`integrations.crm.hosts[0]` is a list"),
        ("integrations/crm.yaml:5:13:", "`integrations.crm.hosts[1]` is not a host pattern"),
    ] {
        let found =
            complaints.iter().any(|complaint| complaint.starts_with(place) && complaint.contains(problem));
        assert!(found, "no {problem:?} at {place} in {complaints:#?}");
    }
    assert_eq!(complaints.len(), 19, "{complaints:#?}");
}

#[test]
fn a_rule_that_is_never_reached_is_a_warning() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        &SMALL.replace(
            "{upstream: http://127.0.0.1:3000}",
            "{upstream: http://127.0.0.1:3000, rules: [{path: /*, allow: customer}, {path: /healthz, allow: public}]}",
        ),
    );
    let warnings = folder.settings(&[]).warnings;
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].problem.contains("never reached"), "{warnings:#?}");
}

#[test]
fn the_same_name_twice_is_told_with_both_places() {
    let folder = small();
    folder.write("upstreams/api.yaml", "upstream: http://127.0.0.1:3001\n");
    let complaints = folder.complaints(&[]);
    contains(
        &complaints,
        "upstreams/api.yaml:1:1: `upstreams.api` is here a second time, the first is at sidegate.yaml:3:18",
    );
}

#[test]
fn a_key_of_a_later_version_is_refused() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        &format!("{SMALL}tracing: {{otlp: http://127.0.0.1:4318}}\ntenants: {{a: {{}}}}\n"),
    );
    let complaints = folder.complaints(&[]);
    contains(&complaints, "sidegate.yaml:4:1: this version does not know `tracing` here");
    contains(&complaints, "sidegate.yaml:5:1: this version does not know `tenants` here");
}

#[test]
fn what_browsers_may_do_is_checked_for_what_it_means() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        &format!(
            "{SMALL}publicUrl: auth.example.com\n\
             cors: {{origins: [https://app.example.com/, '*']}}\n\
             connect: {{redirectUris: [https://app.example.com, /done, 'https://app.example.com/done?x=1']}}\n"
        ),
    );
    let complaints = folder.complaints(&[]);
    contains(&complaints, "`auth.example.com` is no address of a web site");
    contains(&complaints, "`https://app.example.com/` is not an origin");
    contains(&complaints, "`*` is not an origin");
    contains(&complaints, "`https://app.example.com` is not in its usual spelling");
    contains(&complaints, "`/done` is no place to send a browser to");
    contains(&complaints, "`https://app.example.com/done?x=1` is no place to send a browser to");
}

#[test]
fn the_connect_listener_says_what_else_it_needs() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        &SMALL.replace("listeners: {", "listeners: {connect: {address: 127.0.0.1:8082}, "),
    );
    let complaints = folder.complaints(&[]);
    contains(&complaints, "the connect listener has no store to keep connections in");
    contains(&complaints, "the connect listener does not know where browsers reach it");
}

#[test]
fn a_key_without_a_value_is_not_taken_for_an_absent_one() {
    let folder = small();
    folder.write("sidegate.yaml", &SMALL.replace("{secret: {file: workspace}}", "{secret: }"));
    contains(&folder.complaints(&[]), "`workspaces.my-workspace.secret` has no value");
}

#[test]
fn a_chosen_status_is_a_failure_and_not_one_of_the_callers_own_token() {
    let folder = small();
    let typed = "statuses: {disconnected: 401, providerDown: 200, needsReconnect: 424, outcomUnknown: 500}";
    let outbound = format!("outbound: {{address: '127.0.0.1:8081', {typed}}}");
    folder.write("sidegate.yaml", &SMALL.replace("listeners: {", &format!("listeners: {{{outbound}, ")));
    let complaints = folder.complaints(&[]);
    contains(&complaints, "`listeners.outbound.statuses.disconnected` says 401, as if");
    contains(&complaints, "`listeners.outbound.statuses.providerDown` is no failure: 200");
    contains(&complaints, "did you mean `outcomeUnknown`");
    assert!(!complaints.iter().any(|complaint| complaint.contains("needsReconnect")), "{complaints:#?}");
}

#[test]
fn what_one_part_needs_from_another_is_missed() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        "\
listeners:
  inbound: [{address: 0.0.0.0:8080}, {address: 127.0.0.1:8080}]
  outbound: {address: 0.0.0.0:8081, trustCaller: true}
",
    );
    let complaints = folder.complaints(&[]);
    contains(
        &complaints,
        "sidegate.yaml:2:48: `listeners.inbound[1]` wants the same address as `listeners.inbound[0]`",
    );
    contains(&complaints, "sidegate.yaml:3:50: `trustCaller` would believe anybody");
    contains(&complaints, "sidegate.yaml:2:12: the inbound listener has no upstream");
    contains(&complaints, "sidegate.yaml:2:12: the inbound listener has no workspace");
    contains(&complaints, "sidegate.yaml:3:13: the outbound listener has no store");
    folder.write("sidegate.yaml", &format!("{SMALL}store: {{redb: {{path: x}}}}\n"));
    contains(&folder.complaints(&[]), "sidegate.yaml:4:8: the store has no key to seal credentials with");
}

#[test]
fn a_url_with_a_password_is_refused_without_showing_it() {
    let folder = small();
    folder.write("sidegate.yaml", &SMALL.replace("//127.0.0.1:3000", "//user:hunter2@127.0.0.1:3000"));
    let complaints = folder.complaints(&[]);
    contains(&complaints, "holds a user name or a password");
    assert!(!complaints.concat().contains("hunter2"));
}
