//! What scripts gave before, where it depends on nothing but what they were given.
//! Never holds the result of a script that asked for anything, or looked at the clock.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use moka::sync::Cache;
use zeroize::Zeroizing;

use super::message::Job;
use super::source::Script;

/// How much memory remembered results may take.
const MOST_BYTES: u64 = 8 << 20;
/// What an entry takes beside its text.
const ENTRY: usize = 256;
/// Results hold credentials: those that nobody asks for are not kept for long.
const IDLE: Duration = Duration::from_secs(600);

/// Script, method and argument, digested.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(script: &Script, job: &Job) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(script.digest());
        context.update(&[u8::from(job.offers_api_client)]);
        context.update(job.method.as_bytes());
        // Ends the method: it stands in no name.
        context.update(&[0]);
        context.update(job.argument.as_ref().map(|text| text.as_bytes()).unwrap_or_default());
        Self(context.finish().as_ref().try_into().unwrap_or_default())
    }
}

/// A result as JSON, or undefined.
pub(super) type Result = Option<Arc<Zeroizing<String>>>;

/// Results by key, wiped when they go.
pub(super) struct Results(Cache<Key, Result>);

impl Results {
    pub(super) fn new() -> Self {
        let weigh = |_: &Key, result: &Result| {
            let text = result.as_ref().map_or(0, |text| text.len());
            u32::try_from(text + ENTRY).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(MOST_BYTES).weigher(weigh).time_to_idle(IDLE).build())
    }

    pub(super) fn get(&self, key: &Key) -> Option<Result> {
        self.0.get(key)
    }

    pub(super) fn put(&self, key: Key, result: Result) {
        self.0.insert(key, result);
    }
}
