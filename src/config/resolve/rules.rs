//! Rules: their path patterns, methods and claims, and which of them can never be reached.
//! Knows nothing of requests; the inbound room matches them.

use http::Method;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::Resolver;
use crate::document::did_you_mean;
use crate::formula::Condition;
use crate::inbound::VARIABLES;
use crate::inbound::rules::{Allow, RuleConfig, shadowed};

/// The methods of the IANA registry that an API may serve.
const METHODS: [&str; 20] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "QUERY",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "ACL",
    "PURGE",
];

impl Resolver<'_> {
    pub(super) fn rules(&mut self, typed: &[raw::Rule], path: &KeyPath) -> Vec<RuleConfig> {
        if typed.is_empty() {
            let cure = "add a rule, or remove the key: then every path wants a verified token";
            self.error(path, format!("`{path}` admits nothing"), cure);
        }
        let mut rules: Vec<RuleConfig> = Vec::with_capacity(typed.len());
        for (path, typed) in self.places.items(path, typed) {
            rules.push(self.rule(typed, &path));
        }
        for (rule, by) in shadowed(&rules) {
            let path = path.index(rule);
            let problem = format!("`{path}` is never reached: rule {} takes all its requests", by + 1);
            self.warn(&path.key("path"), problem, "put the narrower rule first, or remove this one");
        }
        rules
    }

    fn rule(&mut self, typed: &raw::Rule, path: &KeyPath) -> RuleConfig {
        self.pattern(&typed.path, &path.key("path"));
        let methods = self.places.items(&path.key("methods"), &typed.methods).into_iter();
        let methods = methods.filter_map(|(path, method)| self.method(method, &path)).collect();
        let claims = path.key("claims");
        for (name, values) in &typed.claims {
            self.claim_path(name, &claims.key(name));
            if values.is_empty() {
                let problem = format!("`{}` admits no value, so nobody", claims.key(name));
                self.error(&claims.key(name), problem, "list the values that are admitted");
            }
        }
        if typed.allow == raw::Allow::Public && !typed.claims.is_empty() {
            let cure = "allow `verified` or `customer`, or remove `claims`";
            self.error(&claims, "a public rule ignores tokens, so it cannot look at claims", cure);
        }
        let claims = typed.claims.iter().map(|(name, values)| (name.clone(), values.clone())).collect();
        let when = self.when(typed, &path.key("when"));
        RuleConfig { path: typed.path.clone(), methods, allow: allow(typed.allow), claims, when }
    }

    fn when(&mut self, typed: &raw::Rule, path: &KeyPath) -> Option<Condition> {
        typed.when.as_ref()?;
        if typed.allow == raw::Allow::Public {
            let cure = "allow `verified` or `customer`, or remove `when`";
            self.error(path, "a public rule ignores tokens, so its condition would decide nothing", cure);
        }
        let file = self.places.nearest(path).source;
        let read = Condition::from_node(&file, self.places.written(path)?, &VARIABLES);
        read.map_err(|complaints| self.complaints.extend(complaints)).ok()
    }

    fn pattern(&mut self, typed: &str, path: &KeyPath) {
        let whole = typed.strip_suffix("/*").unwrap_or(typed);
        let problem = if !typed.starts_with('/') {
            "does not begin with `/`"
        } else if whole.contains('*') {
            "has a `*` that is not the last segment"
        } else if typed.contains(['?', '#', ' '])
            || typed.split('/').any(|segment| matches!(segment, "." | ".."))
        {
            "has a character or a segment that no admitted request path has"
        } else {
            return;
        };
        let cure = "write an exact path like /orders, or /orders/* for it and everything below";
        self.error(path, format!("`{path}` {problem}"), cure);
    }

    pub(super) fn method(&mut self, typed: &str, path: &KeyPath) -> Option<Method> {
        if METHODS.contains(&typed) {
            return Method::from_bytes(typed.as_bytes()).ok();
        }
        let cure = match did_you_mean(&typed.to_uppercase(), METHODS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write an HTTP method in capitals".to_owned(),
        };
        self.error(path, format!("`{typed}` is not a method that is known here"), cure);
        None
    }

    /// Whether `typed` is a dotted path or a JSON pointer (RFC 6901).
    pub(super) fn claim_path(&mut self, typed: &str, path: &KeyPath) -> bool {
        let dotted = typed.split('.').all(|segment| !segment.is_empty());
        if typed.starts_with('/') || dotted {
            return true;
        }
        let cure = "write a dotted path like fields.plan, or a JSON pointer like /fields/my.plan";
        self.error(path, format!("`{typed}` is not a path into a token"), cure);
        false
    }
}

fn allow(typed: raw::Allow) -> Allow {
    match typed {
        raw::Allow::Public => Allow::Public,
        raw::Allow::Optional => Allow::Optional,
        raw::Allow::Verified => Allow::Verified,
        raw::Allow::Customer => Allow::Customer,
        raw::Allow::Admin => Allow::Admin,
    }
}
