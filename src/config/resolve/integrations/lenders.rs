//! Which integration lends its app to which: the ways of the type `proxy`, connected with what their `proxyKey` names.
//! Knows nothing of what is lent.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::{Resolver, suggestion};
use crate::connector::{Integration, Lender};
use crate::names::IntegrationKey;

type Done = BTreeMap<IntegrationKey, Arc<Integration>>;

impl Resolver<'_> {
    /// Connects all that borrow with their lenders, which may borrow themselves.
    pub(super) fn connect_lenders(
        &mut self,
        mut waiting: Vec<Integration>,
        raw: &raw::Sidegate,
    ) -> Vec<Arc<Integration>> {
        waiting.retain(|one| self.finds_its_lenders(one, raw));
        let mut done = Done::new();
        while !waiting.is_empty() {
            let can_go = |one: &Integration| {
                one.connector
                    .proxy_keys()
                    .all(|key| lender_key(key, raw).is_ok_and(|key| done.contains_key(key)))
            };
            let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(can_go);
            if ready.is_empty() {
                self.refuse_circles(&rest, raw);
                break;
            }
            for one in ready {
                let one = self.connected(one, &done, raw);
                done.insert(one.key.clone(), Arc::new(one));
            }
            waiting = rest;
        }
        done.into_values().collect()
    }

    fn connected(&mut self, one: Integration, done: &Done, raw: &raw::Sidegate) -> Integration {
        if one.connector.proxy_keys().next().is_none() {
            return one;
        }
        for key in one.connector.proxy_keys() {
            let lender = lender_key(key, raw).ok().and_then(|key| done.get(key));
            lender.into_iter().for_each(|lender| self.check_workspaces(&one, lender));
        }
        let find = |key: &str| Lender::of(done.get(lender_key(key, raw).ok()?)?);
        Integration { connector: Arc::new(one.connector.borrowing(find)), ..one }
    }

    /// Whoever borrows may not carry an app to customers that it is not for.
    fn check_workspaces(&mut self, one: &Integration, lender: &Integration) {
        let serves_no_more = one.workspaces.iter().all(|workspace| lender.serves(workspace));
        if lender.workspaces.is_empty() || (serves_no_more && !one.workspaces.is_empty()) {
            return;
        }
        let path = KeyPath::of(&["integrations", one.key.as_str(), "workspaces"]);
        let problem = format!("`{path}` has more workspaces than `{}`, whose app it uses", lender.key);
        self.error(&path, problem, format!("list at most the workspaces of `{}`", lender.key));
    }

    fn finds_its_lenders(&mut self, one: &Integration, raw: &raw::Sidegate) -> bool {
        let path = KeyPath::of(&["integrations", one.key.as_str(), "connector"]);
        let mut all = true;
        for key in one.connector.proxy_keys() {
            let Err(cure) = lender_key(key, raw) else { continue };
            let problem =
                format!("the connector borrows from `{key}` (`proxyKey`), and there is no such integration");
            self.absent(&path, problem, cure);
            all = false;
        }
        all
    }

    /// Those that wait for each other. Whoever waits for an integration that is wrong itself waits for its mending.
    fn refuse_circles(&mut self, waiting: &[Integration], raw: &raw::Sidegate) {
        let next = |key: &str| {
            let one = waiting.iter().find(|one| one.key.as_str() == key)?;
            one.connector.proxy_keys().find_map(|key| lender_key(key, raw).ok())
        };
        for one in waiting {
            let mut way = vec![one.key.as_str()];
            while let Some(key) =
                way.last().and_then(|last| next(last)).filter(|_| way.len() <= waiting.len())
            {
                way.push(key);
                if key == one.key.as_str() {
                    let path = KeyPath::of(&["integrations", key, "connector"]);
                    let problem = format!("the integrations borrow from each other: {}", way.join(" -> "));
                    self.error(&path, problem, "let one of them have an app of its own");
                    break;
                }
            }
        }
    }
}

/// The integration that a `proxyKey` names: by its key, or by its connector's, if only one has that. Else what to write.
fn lender_key<'r>(proxy_key: &str, raw: &'r raw::Sidegate) -> Result<&'r str, String> {
    if let Some((key, _)) = raw.integrations.get_key_value(proxy_key) {
        return Ok(key);
    }
    let mut of_connector = raw.integrations.iter().filter(|(_, one)| one.connector.0 == proxy_key);
    match (of_connector.next(), of_connector.next()) {
        (Some((key, _)), None) => Ok(key),
        (Some((one, _)), Some((other, _))) => Err(format!(
            "several integrations have that connector: write the key of one, such as `{one}` or `{other}`"
        )),
        (None, _) => {
            Err(suggestion(proxy_key, raw.integrations.keys(), "add the integration that has the app"))
        }
    }
}
