//! What is typed about the JavaScript methods of connectors.
//! Knows nothing of how they are run; the defaults are the room's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// JavaScript methods of connectors: how many run at once, and what one run may use. Sizes are bytes.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Scripts {
    /// Worker processes at most.
    #[schemars(range(min = 1, max = 256))]
    pub(in crate::config) workers: usize,
    /// The memory of a script's objects.
    #[schemars(range(min = 1_048_576, max = 4_294_967_296_u64))]
    pub(in crate::config) memory: u64,
    /// Its stack.
    #[schemars(range(min = 65_536, max = 4_194_304))]
    pub(in crate::config) stack: u64,
    /// The processor's time.
    pub(in crate::config) cpu_time: Span,
    /// The time from its start, with all requests that it waits for.
    pub(in crate::config) wall_clock: Span,
    /// Its text.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(in crate::config) source: u64,
    /// What it is given, as JSON.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(in crate::config) argument: u64,
    /// What it gives, as JSON.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(in crate::config) result: u64,
    /// The body of an answer to a request of its.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub(in crate::config) response: u64,
    /// How many requests it may make.
    #[schemars(range(max = 10_000))]
    pub(in crate::config) requests: u32,
    /// What is kept of its console.log.
    #[schemars(range(max = 1_048_576))]
    pub(in crate::config) log: u64,
}

impl Default for Scripts {
    fn default() -> Self {
        let crate::script::Config { workers, limits, .. } = crate::script::Config::default();
        Self {
            workers,
            memory: limits.memory,
            stack: limits.stack,
            cpu_time: Span(limits.cpu_time),
            wall_clock: Span(limits.wall_clock),
            source: limits.source,
            argument: limits.argument,
            result: limits.result,
            response: limits.response,
            requests: limits.requests,
            log: limits.log,
        }
    }
}

impl Scripts {
    /// The room's own settings.
    pub(in crate::config) fn config(&self) -> crate::script::Config {
        let limits = crate::script::Limits {
            memory: self.memory,
            stack: self.stack,
            cpu_time: self.cpu_time.0,
            wall_clock: self.wall_clock.0,
            source: self.source,
            argument: self.argument,
            result: self.result,
            response: self.response,
            requests: self.requests,
            log: self.log,
        };
        crate::script::Config { workers: self.workers, limits, ..crate::script::Config::default() }
    }
}
