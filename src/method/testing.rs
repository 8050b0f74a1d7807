//! Methods for the tests of the rooms that run some.
//! Never part of a build.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::http::egress::Names;
use crate::script::Config;
use crate::telemetry::metrics::ScriptMetrics;
use crate::token;

/// With a client that trusts no certificate.
pub(crate) fn methods() -> Methods {
    crate::http::tls::install_crypto();
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let names = Names::default();
    let client = Client::new(Arc::new(tls), names, Duration::from_secs(5), Duration::from_secs(10));
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(0)));
    Methods::new(Arc::new(client), Arc::new(scripts()), keys(), clock)
}

/// That starts no worker: the program is not there.
fn scripts() -> Scripts {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    let config = Config { program: "/nowhere".into(), ..Config::default() };
    Scripts::new(config, RUNTIME.handle().clone(), ScriptMetrics::default())
}

/// Of no workspace.
fn keys() -> Keys {
    let config = token::Config::default();
    let Ok((verifier, _)) = Verifier::new(config, Arc::new(ManualClock::at(Timestamp::from_secs(0)))) else {
        panic!("no keys, no complaints")
    };
    Arc::new(ArcSwap::from_pointee(verifier))
}
