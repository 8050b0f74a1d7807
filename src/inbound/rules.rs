//! Rules: what a path demands of a token, and the permit that proves it was met.
//! Never reads a header and never looks at a signature: tokens come here verified.
//!
//! A [`Permit`] cannot be made anywhere else, nor used twice:
//!
//! ```compile_fail,E0451
//! fn forge(upstream: ()) -> sidegate::inbound::rules::Permit<'static> {
//!     sidegate::inbound::rules::Permit { upstream, verified: None, keeps_token: true }
//! }
//! ```
//! ```compile_fail,E0599
//! fn twice<'r>(permit: &sidegate::inbound::rules::Permit<'r>) -> sidegate::inbound::rules::Permit<'r> {
//!     permit.clone()
//! }
//! ```

use std::fmt;

use http::Method;
use serde_json::Value;

use super::condition::When;
use super::cors::Preflight;
use super::pattern::Pattern;
use super::rejection::Rejection;
use super::routes::{Mode, Route, Upstream};
use crate::formula::Condition;
use crate::token::{Claims, Verified};

/// What a rule demands of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Nothing: a token is not even looked at.
    Public,
    /// No token, or a valid one.
    Optional,
    /// A valid token.
    Verified,
    /// A valid token that names a customer.
    Customer,
    /// A valid admin token.
    Admin,
}

/// One rule as configured. The first whose path and methods match decides; what it refuses, no later one admits.
#[derive(Clone, Debug)]
pub struct RuleConfig {
    /// A path, or `/x/*` for `/x`, `/x/` and everything below; by whole segments, on the bytes that are forwarded.
    pub path: String,
    /// The methods it is for, exactly; empty: all. GET does not include HEAD.
    pub methods: Vec<Method>,
    /// What it demands.
    pub allow: Allow,
    /// Claims by dotted path or JSON pointer, as [`Claims::lookup`] reads them, each with the values that are admitted.
    /// Every claim must equal one of its values as JSON (`1` equals `1.0`; a list equals only the same list). A claim
    /// that is missing equals nothing, not even `null`.
    pub claims: Vec<(String, Vec<Value>)>,
    /// A formula over the token's [`VARIABLES`](super::VARIABLES) that must be true, besides all that.
    pub when: Option<Condition>,
}

impl RuleConfig {
    /// What an upstream without rules gets: a valid token for everything.
    #[must_use]
    pub fn everything_verified() -> Self {
        let (path, methods, claims) = ("/*".into(), Vec::new(), Vec::new());
        Self { path, methods, allow: Allow::Verified, claims, when: None }
    }
}

/// Rules that can never decide, each with the earlier rule that always decides before it: `(shadowed, by)`, as indices.
#[must_use]
pub fn shadowed(rules: &[RuleConfig]) -> Vec<(usize, usize)> {
    let patterns: Vec<_> = rules.iter().map(|rule| Pattern::new(&rule.path)).collect();
    let earlier = |later: usize| {
        let all_methods_taken = |by: usize| {
            let (by, later) = (&rules[by].methods, &rules[later].methods);
            by.is_empty() || (!later.is_empty() && later.iter().all(|method| by.contains(method)))
        };
        (0..later).find(|&by| patterns[by].covers(&patterns[later]) && all_methods_taken(by))
    };
    (0..rules.len()).filter_map(|later| Some((later, earlier(later)?))).collect()
}

/// A rule ready to use.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) methods: Vec<Method>,
    allow: Allow,
    claims: Vec<(String, Vec<Value>)>,
    when: Option<When>,
}

impl Rule {
    pub(super) fn new(config: RuleConfig) -> Self {
        let RuleConfig { path, methods, allow, claims, when } = config;
        Self { pattern: Pattern::new(&path), methods, allow, claims, when: when.map(When::new) }
    }

    pub(super) fn takes(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    /// What the rule says to a token that was verified, or to none.
    fn judge(&self, claims: Option<&Claims>) -> Result<(), Rejection> {
        let Some(claims) = claims else {
            let needs_no_token = matches!(self.allow, Allow::Public | Allow::Optional);
            return if needs_no_token { Ok(()) } else { Err(Rejection::NoToken) };
        };
        match self.allow {
            Allow::Public => return Ok(()),
            Allow::Customer if claims.id.is_none() => return Err(Rejection::CustomerRequired),
            Allow::Admin if !claims.is_admin => return Err(Rejection::AdminRequired),
            Allow::Optional | Allow::Verified | Allow::Customer | Allow::Admin => {}
        }
        let is_met = |(path, listed): &(String, Vec<Value>)| {
            claims.lookup(path).is_some_and(|claim| listed.iter().any(|value| equal(value, &claim)))
        };
        if !self.claims.iter().all(is_met) {
            return Err(Rejection::ClaimsNotAllowed);
        }
        self.when.as_ref().map_or(Ok(()), |when| when.judge(claims))
    }
}

/// Proof that a request may be forwarded: forwarding takes one. Made by `Permit::open` (and
/// `open_to_preflight`), `Permit::admit` and `Permit::observe` alone.
pub struct Permit<'r> {
    upstream: &'r Upstream,
    verified: Option<Verified>,
    keeps_token: bool,
}

impl<'r> Permit<'r> {
    /// The permit of a public rule, for which tokens do not count; none of any other rule.
    pub(super) fn open(route: Route<'r>) -> Option<Self> {
        match route.rule.allow {
            Allow::Public => Some(Self::of(route.upstream, None)),
            Allow::Optional | Allow::Verified | Allow::Customer | Allow::Admin => None,
        }
    }

    /// The permit of a preflight, where they are forwarded: it carries no token, and asks for nothing but headers.
    pub(super) fn open_to_preflight(upstream: &'r Upstream, _: &Preflight) -> Self {
        Self { keeps_token: false, ..Self::of(upstream, None) }
    }

    /// The permit for this token, or for none, if the rule admits it.
    pub(super) fn admit(route: Route<'r>, verified: Option<Verified>) -> Result<Self, Rejection> {
        route.rule.judge(verified.as_ref().map(Verified::claims))?;
        Ok(Self::of(route.upstream, verified))
    }

    /// The permit for a request that is refused, if its upstream's rules are only watched; else the refusal stands.
    /// `verified` finds the token, if there is a good one.
    pub(super) fn observe(
        upstream: &'r Upstream,
        refused: Rejection,
        verified: impl FnOnce() -> Option<Verified>,
    ) -> Result<Self, Rejection> {
        match upstream.config.mode {
            Mode::Enforce => Err(refused),
            Mode::Observe => Ok(Self::of(upstream, verified())),
        }
    }

    fn of(upstream: &'r Upstream, verified: Option<Verified>) -> Self {
        Self { upstream, verified, keeps_token: upstream.config.forward_token }
    }

    /// Whether the upstream gets the token headers, too.
    pub(super) fn keeps_token(&self) -> bool {
        self.keeps_token
    }

    /// What the request may be forwarded to.
    pub(super) fn upstream(&self) -> &'r Upstream {
        self.upstream
    }

    /// The token it was made for; none on public paths.
    pub(super) fn verified(&self) -> Option<&Verified> {
        self.verified.as_ref()
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("upstream", &self.upstream.config.name).finish_non_exhaustive()
    }
}

/// Whether the route's rule would admit a token, or none: for `sidegate token explain`. Forwards nothing.
///
/// # Errors
///
/// What the caller would be answered.
pub fn would_admit(route: &Route<'_>, verified: Option<&Verified>) -> Result<(), Rejection> {
    route.rule.judge(verified.map(Verified::claims))
}

/// Equality as JSON has it: numbers by value, everything else by content. Two integers are never compared as doubles,
/// which cannot tell large ones apart.
fn equal(listed: &Value, claim: &Value) -> bool {
    match (listed, claim) {
        (Value::Number(listed), Value::Number(claim)) if listed.is_f64() || claim.is_f64() => {
            listed.as_f64() == claim.as_f64()
        }
        _ => listed == claim,
    }
}

#[cfg(test)]
mod tests;
