//! The demo's configuration, written to a folder of its own so that a reader can look at it and copy it.
//! Never outlives the demo: the folder is removed when it ends.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::secret::Secret;
use crate::token::keys::Algorithm;
use crate::token::mint::{SigningKey, mint};

pub(super) const WORKSPACE: &str = "demo";
/// Good for a demo on loopback only; a real one is random and comes from a file.
pub(super) const SECRET: &str = "the secret of the demo workspace: 64 bytes or more make it fit HS512 too";

/// A temporary folder with a whole configuration.
pub(super) struct Files {
    pub(super) folder: PathBuf,
}

impl Files {
    pub(super) fn write(api: &str, third_party: &str) -> anyhow::Result<Self> {
        let mut random = [0; 32];
        rand::fill(&mut random).map_err(|_| anyhow!("no randomness"))?;
        let name =
            format!("sidegate-demo-{:08x}", u32::from_le_bytes([random[0], random[1], random[2], random[3]]));
        let files = Self { folder: std::env::temp_dir().join(name) };
        for folder in ["", "upstreams", "integrations", "connectors/crm/auth"] {
            let folder = files.folder.join(folder);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        for (path, text) in [
            ("sidegate.yaml", SIDEGATE),
            ("upstreams/api.yaml", UPSTREAM),
            ("integrations/crm.yaml", INTEGRATION),
            ("connectors/crm/spec.yml", SPEC),
            ("connectors/crm/auth/get-oauth-config.map.yml", OAUTH_CONFIG),
            ("connectors/crm/auth/make-api-client.map.yml", API_CLIENT),
        ] {
            let text =
                text.replace("@API@", api).replace("@THIRD-PARTY@", third_party).replace("@SECRET@", SECRET);
            fs::write(files.folder.join(path), text.replace("@SEALING-KEY@", &STANDARD.encode(random)))?;
        }
        Ok(files)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A token as the platform signs it.
pub(super) fn sign(claims: &Value, secret: &str) -> anyhow::Result<String> {
    let claims = claims.as_object().context("claims are an object")?;
    Ok(mint(claims, Algorithm::HS256, &SigningKey::Secret(Secret::new(secret.to_owned())), None)?)
}

const SIDEGATE: &str = "\
listeners:
  inbound: {address: 127.0.0.1:0}
  outbound: {address: 127.0.0.1:0}
  health: {address: 127.0.0.1:0}
workers: 1
shutdown: {delay: 0s, grace: 5s}
accessLog: {to: 'off'}
workspaces:
  demo:
    secret: {value: '@SECRET@'}
store: {redb: {path: store.redb}}
encryption: {keys: [{id: demo, key: {value: '@SEALING-KEY@'}}]}
";

const UPSTREAM: &str = "\
upstream: @API@
rules:
  - {path: /healthz, allow: public}
  - {path: /admin/*, allow: admin}
  - {path: /*, allow: customer}
";

const INTEGRATION: &str = "\
connector: crm
apps:
  - {id: demo, clientId: sidegate, clientSecret: {value: the demo app's secret}}
egress: {allowPrivate: true, allowPlain: true}   # the third party is on loopback
";

const SPEC: &str = "\
name: Demo CRM
auth:
  type: oauth2
  getOAuthConfig: {implementationType: mapping}
  makeApiClient: {implementationType: mapping}
";

const OAUTH_CONFIG: &str = "\
clientId: {$var: connectorParameters.clientId}
clientSecret: {$var: connectorParameters.clientSecret}
authorizeUri: @THIRD-PARTY@/authorize
tokenUri: @THIRD-PARTY@/token
clientAuthLocation: headers
";

const API_CLIENT: &str = "\
baseUri: @THIRD-PARTY@
headers:
  Authorization: {$concat: ['Bearer ', {$var: credentials.access_token}]}
";
