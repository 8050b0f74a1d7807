//! The tokens that callers hold, and who each of them proves to be.

use std::sync::LazyLock;

use serde_json::json;

use crate::support::{OTHER_SECRET, SECRET, signed};

/// Whom a valid token speaks for.
#[derive(Debug, PartialEq)]
pub(super) struct Customer {
    pub(super) id: &'static str,
    pub(super) workspace: &'static str,
    pub(super) is_admin: bool,
}

static CUSTOMERS: [Customer; 4] = [
    Customer { id: "anna", workspace: "acme", is_admin: false },
    Customer { id: "bob", workspace: "acme", is_admin: false },
    Customer { id: "anna", workspace: "globex", is_admin: false },
    Customer { id: "root", workspace: "acme", is_admin: true },
];

static VALID: LazyLock<Vec<String>> =
    LazyLock::new(|| CUSTOMERS.iter().map(|it| token(it, 4_000_000_000)).collect());

static INVALID: LazyLock<Vec<String>> = LazyLock::new(|| {
    let root = &CUSTOMERS[3];
    let good = token(root, 4_000_000_000);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let forged = json!({"iss": "acme", "id": "root", "isAdmin": true, "exp": 4_000_000_000_u64});
    vec![
        token(root, 1_000_000_000),
        signed(&forged, OTHER_SECRET),
        format!("{input}."),
        format!("{input}.{}", "A".repeat(signature.len())),
        format!("{good}="),
        format!("{good}.{signature}"),
        "a.b.c".into(),
        String::new(),
    ]
});

fn token(of: &Customer, expires: u64) -> String {
    let claims = json!({"iss": of.workspace, "id": of.id, "isAdmin": of.is_admin, "exp": expires});
    signed(&claims, if of.workspace == "acme" { SECRET } else { OTHER_SECRET })
}

pub(super) fn valid() -> &'static [String] {
    &VALID
}

pub(super) fn invalid() -> &'static [String] {
    &INVALID
}

/// Who a token speaks for; nobody unless it is one of ours to the last byte.
pub(super) fn customer_of(token: &[u8]) -> Option<&'static Customer> {
    let position = VALID.iter().position(|valid| valid.as_bytes() == token)?;
    Some(&CUSTOMERS[position])
}
