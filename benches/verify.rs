//! What one verification costs: each algorithm afresh, then out of the cache, then a forgery.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use sidegate::clock::SystemClock;
use sidegate::token::keys::{Algorithm, PublicKey};
use sidegate::token::mint::{SigningKey, mint};
use sidegate::token::{Config, Policy, Verifier, WorkspaceConfig};

const SECRET: &str = "a workspace secret of well over sixty-four bytes, for all of the HMACs";

fn public_key(name: &str, pem: &str) -> PublicKey {
    PublicKey { name: name.into(), kid: None, file: name.into(), pem: pem.into() }
}

fn verifier(cache_entries: u64) -> Verifier {
    let workspace = WorkspaceConfig {
        secret: Some(SECRET.to_owned().into()),
        public_keys: vec![
            public_key("rsa", include_str!("../tests/vectors/keys/rsa.spki.pem")),
            public_key("p256", include_str!("../tests/vectors/keys/p256.spki.pem")),
            public_key("p384", include_str!("../tests/vectors/keys/p384.spki.pem")),
            public_key("p521", include_str!("../tests/vectors/keys/p521.spki.pem")),
        ],
        ..WorkspaceConfig::named("acme")
    };
    Verifier::new(
        Config { workspaces: vec![workspace], cache_entries, ..Config::default() },
        Arc::new(SystemClock),
    )
    .unwrap()
    .0
}

fn token(algorithm: Algorithm) -> String {
    let pem = |pem: &str| SigningKey::Pem(pem.to_owned().into());
    let key = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            SigningKey::Secret(SECRET.to_owned().into())
        }
        Algorithm::ES256 => pem(include_str!("../tests/vectors/keys/p256.key.pem")),
        Algorithm::ES384 => pem(include_str!("../tests/vectors/keys/p384.key.pem")),
        Algorithm::ES512 => pem(include_str!("../tests/vectors/keys/p521.key.pem")),
        _ => pem(include_str!("../tests/vectors/keys/rsa.key.pem")),
    };
    let Value::Object(claims) = json!({
        "iss": "acme", "id": "customer-000001", "name": "A Customer", "exp": 4_000_000_000_u64,
        "fields": {"plan": "pro", "region": "eu"}
    }) else {
        unreachable!()
    };
    mint(&claims, algorithm, &key, None).unwrap()
}

fn verify(criterion: &mut Criterion) {
    let policy = Policy::default();
    let (afresh, cached) = (verifier(0), verifier(1_000));
    let mut group = criterion.benchmark_group("verify");
    for algorithm in Algorithm::ALL {
        let token = token(algorithm);
        group.bench_function(format!("{algorithm} afresh"), |bench| {
            bench.iter(|| afresh.verify(black_box(&token), &policy).unwrap());
        });
    }
    let token = token(Algorithm::HS512);
    group.bench_function("cached", |bench| bench.iter(|| cached.verify(black_box(&token), &policy).unwrap()));
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    group.bench_function("forged HS512", |bench| {
        bench.iter(|| cached.verify(black_box(&forged), &policy).unwrap_err());
    });
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
