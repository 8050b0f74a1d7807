//! Keys by URL and revocations, through a whole Sidegate: it starts before its issuer, follows rotations, and lets go.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sidegate::secret::Secret;
use sidegate::token::keys::Algorithm;
use sidegate::token::mint::{SigningKey, mint};

use crate::support::{Gate, Origin, as_anna, eventually};

/// A server whose answer can be changed: what it serves, or nothing, which closes the connection.
struct Issuer {
    origin: Origin,
    served: Arc<Mutex<Option<String>>>,
}

impl Issuer {
    fn new() -> Self {
        let served = Arc::<Mutex<Option<String>>>::default();
        let shown = Arc::clone(&served);
        let origin = Origin::played(move |peer| {
            while peer.request().is_some() {
                let Some(set) = shown.lock().unwrap().clone() else { return };
                let length = set.len();
                if !peer.try_say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{set}")) {
                    return;
                }
            }
        });
        Self { origin, served }
    }

    fn serve(&self, kids: &[&str]) {
        let keys: Vec<Value> = kids.iter().map(|kid| entry(kid)).collect();
        *self.served.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
    }

    /// The end of a sidegate.yaml with a workspace whose keys are here.
    fn workspace(&self, origin: &Origin, jwks: &str, more: &str) -> String {
        let mut yaml = format!("upstreams: {{api: {{upstream: 'http://{}'}}}}\n", origin.address);
        let url = format!("http://{}/jwks", self.origin.address);
        write!(
            yaml,
            "listeners: {{inbound: {{address: '127.0.0.1:0'}}, health: {{address: '127.0.0.1:0'}}}}\n\
             workspaces: {{issuer: {{jwks: {{url: '{url}', allowPrivate: true, allowPlain: true{jwks}}}{more}}}, \
             acme: {{secret: {{file: acme}}}}}}\n"
        )
        .unwrap();
        yaml
    }
}

fn entry(kid: &str) -> Value {
    let pem = include_bytes!("../../vectors/keys/p256.spki.pem");
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem).unwrap();
    let (x, y) = spki[spki.len() - 64..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y})
}

/// A header line with a token of `customer`, signed by the key called `kid`.
fn by(kid: &str, customer: &str) -> String {
    let key = SigningKey::Pem(Secret::new(include_str!("../../vectors/keys/p256.key.pem").to_owned()));
    let claims = json!({"iss": "issuer", "id": customer, "exp": 4_000_000_000_u64});
    let token = mint(claims.as_object().unwrap(), Algorithm::ES256, &key, Some(kid)).unwrap();
    format!("X-Integration-App-Token: {token}\r\n")
}

#[track_caller]
fn answers(gate: &Gate, headers: &str, status: u16, code: &str) {
    let answer = gate.get("/", headers);
    assert_eq!((answer.status, answer.code()), (status, code), "{headers}");
}

#[test]
fn k2_sidegate_starts_before_its_issuer_and_tells_callers_to_come_again() {
    let (origin, issuer) = (Origin::new(), Issuer::new());
    let gate = Gate::configured(&issuer.workspace(&origin, "", ""));
    let answer = gate.get("/", &by("a", "anna"));
    assert_eq!((answer.status, answer.code()), (503, "keys_unavailable"));
    assert_eq!(answer.values("retry-after"), ["1"]);
    answers(&gate, &as_anna(), 200, "");
    issuer.serve(&["a"]);
    eventually("the keys are there", || gate.get("/", &by("a", "anna")).status == 200);
}

#[test]
fn k7_tokens_of_a_new_key_pass_from_the_first_one_on() {
    let (origin, issuer) = (Origin::new(), Issuer::new());
    issuer.serve(&["a"]);
    let gate = Gate::configured(&issuer.workspace(&origin, ", cooldown: 1ms", ""));
    eventually("the keys are there", || gate.get("/", &by("a", "anna")).status == 200);
    for (old, new) in [("a", "b"), ("b", "c"), ("c", "d")] {
        issuer.serve(&[old, new]);
        answers(&gate, &by(old, "anna"), 200, "");
        answers(&gate, &by(new, "anna"), 200, "");
    }
}

#[test]
fn k1_random_key_ids_do_not_become_fetches() {
    let (origin, issuer) = (Origin::new(), Issuer::new());
    issuer.serve(&["a"]);
    let gate = Gate::configured(&issuer.workspace(&origin, "", ""));
    eventually("the keys are there", || gate.get("/", &by("a", "anna")).status == 200);
    let before = issuer.origin.connections();
    for number in 0..200 {
        answers(&gate, &by(&format!("random-{number}"), "eve"), 401, "invalid_token");
    }
    answers(&gate, &by("a", "anna"), 200, "");
    assert!(issuer.origin.connections() <= before + 1);
}

#[test]
fn k4_a_reload_keeps_the_set_and_a_key_that_was_withdrawn_stays_out() {
    let (origin, issuer) = (Origin::new(), Issuer::new());
    issuer.serve(&["a"]);
    let gate = Gate::configured(&issuer.workspace(&origin, "", ""));
    eventually("the keys are there", || gate.get("/", &by("a", "anna")).status == 200);
    *issuer.served.lock().unwrap() = None;
    for more in ["", ", audiences: []", ", maxLifetime: 10000days", ""] {
        gate.reconfigure(&issuer.workspace(&origin, "", more));
        assert!(gate.reload().is_applied());
        let expected = if more.contains("maxLifetime") { (401, "invalid_token") } else { (200, "") };
        answers(&gate, &by("a", "anna"), expected.0, expected.1);
    }
    issuer.serve(&["b"]);
    assert!(gate.reload().is_applied());
    eventually("the key is withdrawn", || gate.get("/", &by("a", "anna")).code() == "invalid_token");
}

#[test]
fn t32_a_revoked_customer_is_out_within_a_poll_though_it_was_just_let_in() {
    let (origin, issuer) = (Origin::new(), Issuer::new());
    issuer.serve(&["a"]);
    let gate = Gate::configured(&issuer.workspace(&origin, "", ""));
    gate.rewrite("revoked.yaml", "[]\n");
    gate.reconfigure(&issuer.workspace(&origin, "", ", revoked: revoked.yaml"));
    assert!(gate.reload().is_applied());
    eventually("the keys are there", || gate.get("/", &by("a", "anna")).status == 200);
    gate.rewrite("revoked.yaml", "- {customer: anna}\n");
    eventually("anna is out", || gate.get("/", &by("a", "anna")).code() == "invalid_token");
    answers(&gate, &by("a", "ben"), 200, "");
}
