//! The service's side for tests: files of a Sidegate with a store, and a store filled before it starts.
//! Never shares a store with a process that runs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sidegate::clock::{SystemClock, Timestamp};
use sidegate::formula::Value;
use sidegate::names::Owner;
use sidegate::seal::{Keyring, SealingKey};
use sidegate::secret::Secret;
use sidegate::store::{Config, Connection, Customer, Secrets, Store};

use super::{Folder, OTHER_SECRET, SECRET};

/// The listeners of a process with a store.
pub(crate) const LISTENERS: usize = 3;

/// Sealing keys by id, each made of one byte.
pub(crate) type Keys<'a> = &'a [(&'a str, u8)];

fn key_text(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

/// A sidegate.yaml with a store, and the integration `crm`, whose third party wants an API key in a header.
pub(crate) fn settings(third_party: SocketAddr, keys: Keys<'_>) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, byte)| format!("    - {{id: {id}, key: {{value: '{}'}}}}\n", key_text(*byte)))
        .collect();
    format!(
        "\
listeners:
  outbound: {{address: '127.0.0.1:0', trustCaller: true}}
  health: {{address: '127.0.0.1:0'}}
  admin: {{address: '127.0.0.1:0'}}
workers: 2
reload: {{poll: 0s}}
shutdown: {{delay: 0s, grace: 5s}}
workspaces: {{acme: {{secret: {{file: acme}}}}}}
store: {{redb: {{path: store.redb}}}}
encryption:
  keys:
{}connectors:
  crm:
    name: CRM
    auth:
      type: client-credentials
      makeApiClient:
        implementationType: mapping
        mapping: {{baseUri: 'http://{third_party}', headers: {{X-Api-Key: {{$var: credentials.apiKey}}}}}}
      test: {{implementationType: rest-api-mapping, mapping: {{path: /me, method: GET}}}}
integrations:
  crm: {{connector: crm, connections: many, egress: {{allowPrivate: true, allowPlain: true}}}}
",
        keys.concat()
    )
}

/// A folder with these settings.
pub(crate) fn folder(third_party: SocketAddr, keys: Keys<'_>) -> Folder {
    let folder = Folder::new();
    folder.write("acme", SECRET);
    folder.write("globex", OTHER_SECRET);
    folder.write("sidegate.yaml", &settings(third_party, keys));
    folder
}

/// Fills the store of a folder with connections `c0`, `c1`, …, the first ten of them ada's, and with the customer ada.
pub(crate) fn fill(folder: &Path, keys: Keys<'_>, connections: usize) {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, byte)| SealingKey { id: (*id).into(), key: Secret::new(key_text(*byte)) })
        .collect();
    let config = Config { path: folder.join("store.redb"), spill: None, cached_credentials: 0 };
    let store = Store::open(&config, Keyring::new(&keys).unwrap(), Arc::new(SystemClock)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let inserts = (0..connections).map(|number| {
            let store = store.clone();
            tokio::spawn(
                async move { store.insert(connection(number), secrets(number), false).await.unwrap() },
            )
        });
        for insert in inserts.collect::<Vec<_>>() {
            insert.await.unwrap();
        }
        let at = Timestamp::from_secs(1_700_000_000);
        let customer = Customer {
            owner: owner("ada"),
            id: "ada".into(),
            name: None,
            fields: Some(Secret::new(Value::from(json!({"plan": "pro"})))),
            credentials: None,
            created_at: at,
            last_active_at: at,
        };
        store.put_customer(customer).await.unwrap();
    });
}

/// The API key of the connection of this number.
pub(crate) fn api_key(number: usize) -> String {
    format!("api-key-of-c{number}")
}

fn owner(customer: &str) -> Owner {
    Owner { workspace: "acme".into(), customer: customer.into() }
}

fn secrets(number: usize) -> Secret<Secrets> {
    Secret::new(Secrets {
        credentials: Value::from(json!({ "apiKey": api_key(number) })),
        input: Value::empty_object(),
        connector_parameters: Value::empty_object(),
    })
}

fn connection(number: usize) -> Connection {
    let at = Timestamp::from_secs(1_700_000_000);
    let owner = if number < 10 { owner("ada") } else { owner(&format!("customer-{number}")) };
    Connection::new(format!("c{number}").into(), owner, "crm".into(), format!("number {number}"), at)
}
