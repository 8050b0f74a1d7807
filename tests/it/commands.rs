//! The command line: what it says when something is wrong, where, and what to do; and with which exit code.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};

use socket2::{Domain, Socket, Type};

use super::config::{Folder, SECRET, repository};

/// What a command printed and how it ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the binary with `arguments` and no variable of the test's own environment.
pub(crate) fn sidegate(arguments: &[&str], folder: &Path) -> Ran {
    let binary = env!("CARGO_BIN_EXE_sidegate");
    let ran = Command::new(binary).args(arguments).current_dir(folder).env_clear().output();
    let Output { status, stdout, stderr } = ran.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}

const SMALL: &str = "\
listeners: {inbound: {address: ADDRESS}}
workspaces: {my-workspace: {secret: {file: workspace}}}
upstreams: {api: {upstream: http://127.0.0.1:3000}}
";

fn small(address: &str) -> Folder {
    Folder::with(&[("sidegate.yaml", &SMALL.replace("ADDRESS", address)), ("workspace", SECRET)])
}

#[track_caller]
fn says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "no {wanted:?} in:\n{text}");
    }
}

#[test]
fn a_check_says_what_to_register_at_each_provider() {
    let folder = small("127.0.0.1:0");
    let oauth = |name: &str, more: &str| {
        folder.write(
            &format!("integrations/{name}.yaml"),
            &format!("connector: mail\nhosts: [api.example.com]\n{more}"),
        );
    };
    let connector = |name: &str, settings: &str| {
        let spec = format!(
            "name: Mail
auth:
  type: oauth2
  getOAuthConfig: {settings}
  makeApiClient: {{type: mapping, mapping: {{baseUri: 'https://api.example.com'}}}}
  test: {{type: rest-api-mapping, mapping: {{path: /me, method: get}}}}
"
        );
        folder.write(&format!("connectors/{name}/spec.yml"), &spec);
    };
    let mapping = |more: &str| {
        format!(
            "{{type: mapping, mapping: {{clientId: a, clientSecret: b, authorizeUri: 'https://m.example/a', tokenUri: 'https://m.example/t'{more}}}}}"
        )
    };
    connector("mail", &mapping(""));
    connector("machine", &mapping(", grantType: client_credentials"));
    connector("either", &mapping(", grantType: {$var: connectorParameters.grant}"));
    connector("script", "{type: javascript, code: 'export default () => ({})'}");
    oauth("one", "");
    oauth("two", "oAuthCallbackUri: https://app.example.com/back\n");
    oauth("off", "enabled: false\n");
    for name in ["machine", "either", "script"] {
        folder.write(
            &format!("integrations/{name}.yaml"),
            &format!("connector: {name}\nhosts: [api.example.com]\n"),
        );
    }
    let service = "publicUrl: https://auth.example.com
store: {redb: {path: store.redb}}
encryption: {keys: [{id: k1, key: {value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}]}
listeners: {connect: {address: '127.0.0.1:0'}, ";
    let settings = SMALL.replace("ADDRESS", "127.0.0.1:0").replace("listeners: {", service);
    folder.write("sidegate.yaml", &settings);
    let ran = sidegate(&["check", "--config", "."], &folder.0);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    says(
        &ran.out,
        &[
            "register at one: https://auth.example.com/oauth-callback\n",
            "register at two: https://app.example.com/back\n",
            "register at either, unless its grantType comes out as client_credentials: https://auth",
            "register at script, unless its grantType comes out as client_credentials: https://auth",
        ],
    );
    for silent in ["at off", "at machine"] {
        assert!(!ran.out.contains(silent), "{}", ran.out);
    }
}

#[test]
fn a_configuration_that_holds_is_exit_code_0() {
    let folder = small("127.0.0.1:0");
    let ran = sidegate(&["check", "--config", "."], &folder.0);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "ok: 1 workspace, 1 upstream, 0 integrations, 0 warnings\n");
}

#[test]
fn unusable_keys_and_certificates_are_told_with_their_places_before_anything_starts() {
    let folder = small("127.0.0.1:0");
    let tls = repository().join("tests/vectors/tls");
    let text = format!(
        "\
listeners:
  inbound: [{{address: 127.0.0.1:0, tls: {{certificate: {0}/server.pem, key: {0}/stray.key}}}}]
workspaces:
  one: {{secret: {{file: short}}}}
  two: {{publicKeys: [{{name: main, file: garbage.pem}}]}}
upstreams: {{api: {{upstream: {{url: https://127.0.0.1:3000, tls: {{ca: garbage.pem}}}}}}}}
",
        tls.display()
    );
    folder.write("sidegate.yaml", &text);
    folder.write("short", "short");
    folder.write("garbage.pem", "garbage");
    for (command, end) in [("check", "4 mistakes\n"), ("run", "4 mistakes; nothing was started\n")] {
        let ran = sidegate(&[command, "--config", "sidegate.yaml"], &folder.0);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        let wanted = [
            "error: sidegate.yaml:2:41: the key in",
            "error: sidegate.yaml:4:17: workspace `one`, secret: the secret has 5 bytes; at least 16 are needed; use a",
            "error: sidegate.yaml:5:41: workspace `two`, publicKeys main: the file holds no public key",
            "error: sidegate.yaml:6:64: garbage.pem holds no certificate; give it PEM files",
        ];
        says(&ran.err, &wanted);
        assert!(ran.err.ends_with(end), "{}", ran.err);
    }
}

#[test]
fn an_address_in_use_is_told_with_what_to_do() {
    // The second is how another Sidegate has it.
    for shared in [false, true] {
        let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        taken.set_reuse_port(shared).unwrap();
        taken.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        taken.listen(1).unwrap();
        let address = taken.local_addr().unwrap().as_socket().unwrap().to_string();
        let folder = small(&address);
        folder.write("sidegate.yaml", &(SMALL.replace("ADDRESS", &address) + "workers: 2\n"));
        let ran = sidegate(&["run", "--config", "sidegate.yaml"], &folder.0);
        assert_eq!(ran.code, Some(1));
        says(&ran.err, &[&format!("cannot listen on {address}; stop the process that has it"), "in use"]);
    }
}

#[test]
fn a_store_without_its_folder_is_told_with_what_to_do() {
    let folder = small("127.0.0.1:0");
    let more = "\
store: {redb: {path: nowhere/store.redb}}
encryption: {keys: [{id: k1, key: {file: key}}]}
";
    let text =
        SMALL.replace("{address: ADDRESS}", "{address: 127.0.0.1:0}, outbound: {address: 127.0.0.1:0}");
    folder.write("sidegate.yaml", &(text + more));
    folder.write("key", super::config::SEALING_KEY);
    let ran = sidegate(&["run", "--config", "sidegate.yaml"], &folder.0);
    assert_eq!(ran.code, Some(1));
    says(&ran.err, &["the store nowhere/store.redb cannot be opened; its folder must exist"]);
}

#[test]
fn a_path_that_is_not_there_and_a_folder_in_a_files_place_are_told() {
    let folder = small("127.0.0.1:0");
    says(
        &sidegate(&["check", "--config", "nowhere"], &folder.0).err,
        &["nowhere: cannot be read: No such file"],
    );
    folder.write("workspace.d/file", "");
    folder.write(
        "sidegate.yaml",
        &SMALL.replace("ADDRESS", "127.0.0.1:0").replace("workspace}}", "workspace.d}}"),
    );
    let ran = sidegate(&["check", "--config", "sidegate.yaml"], &folder.0);
    says(
        &ran.err,
        &["sidegate.yaml:2:44: ", "names workspace.d, which is no file; name the file itself", "1 mistake\n"],
    );
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_says_what_was_wanted() {
    let here = repository();
    for (arguments, wanted) in [
        (vec!["run", "--confg", "x"], "--config"),
        (vec!["chek"], "check"),
        (vec!["token", "sign", "--workspace", "w", "--id", "c"], "--secret-file <FILE>|--key-file <FILE>"),
        (
            vec!["token", "sign", "--workspace", "w", "--secret-file", "x", "--algorithm", "HS1"],
            "not one of HS256",
        ),
    ] {
        let ran = sidegate(&arguments, here);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        says(&ran.err, &[wanted]);
    }
}

#[test]
fn a_signed_token_is_explained_with_its_key_its_rule_and_the_answer() {
    let folder = small("127.0.0.1:0");
    let sign =
        ["token", "sign", "--workspace", "my-workspace", "--secret-file", "workspace", "--id", "customer-1"];
    let token = sidegate(&sign, &folder.0).out;
    let ran = sidegate(&["token", "explain", "--config", ".", "--path", "/x", token.trim()], &folder.0);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    says(&ran.out, &["key       secret of workspace my-workspace", "rule      /*", "GET /x is forwarded"]);
}

#[test]
fn a_missing_health_listener_is_exit_code_1() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ran = sidegate(&["healthcheck", "--address", &free], repository());
    assert_eq!(ran.code, Some(1));
    says(&ran.err, &[&format!("no listener can be reached at {free}")]);
    let ran = sidegate(&["healthcheck", "--address", "unix:/nowhere"], repository());
    says(&ran.err, &["no listener can be reached at unix:/nowhere"]);
}
