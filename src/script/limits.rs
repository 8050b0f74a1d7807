//! What a script may use, and what is said when it uses more.
//! Never measures; the worker and its supervisor do.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much one run of a script may use. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The memory of its objects.
    pub memory: u64,
    /// Its stack.
    pub stack: u64,
    /// The processor's time.
    pub cpu_time: Duration,
    /// The time from its start, with all requests it waits for; and how long it may wait to be started.
    pub wall_clock: Duration,
    /// Its text.
    pub source: u64,
    /// What it is given, as JSON.
    pub argument: u64,
    /// What it gives, as JSON.
    pub result: u64,
    /// The body of an answer that it asked for.
    pub response: u64,
    /// How many requests it may make.
    pub requests: u32,
    /// What of its `console.log` is kept.
    pub log: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            stack: 512 << 10,
            cpu_time: Duration::from_secs(1),
            wall_clock: Duration::from_secs(30),
            source: 256 << 10,
            argument: 1 << 20,
            result: 1 << 20,
            response: 4 << 20,
            requests: 20,
            log: 16 << 10,
        }
    }
}

impl Limits {
    /// The longest message between the worker and its supervisor: its text and argument, or an answer; text may double
    /// when it is escaped.
    pub(super) fn message(&self) -> u64 {
        let largest = (self.source + self.argument).max(self.result + self.log).max(self.response);
        2 * largest + (1 << 20)
    }
}

/// A limit that a script ran into. Its name is the key that sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Limit {
    /// What it and its worker may hold.
    Memory,
    /// How deeply it may call.
    Stack,
    /// How long it may calculate.
    CpuTime,
    /// How long it may take, waiting included.
    WallClock,
    /// The length of its text.
    Source,
    /// The length of what it is given.
    Argument,
    /// The length of what it gives.
    Result,
    /// The length of an answer to one of its requests.
    Response,
    /// How many requests it may make.
    Requests,
}

impl Limit {
    /// The key below `scripts` in the configuration.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::CpuTime => "cpuTime",
            Self::WallClock => "wallClock",
            Self::Source => "source",
            Self::Argument => "argument",
            Self::Result => "result",
            Self::Response => "response",
            Self::Requests => "requests",
        }
    }

    /// The limit with what it is set to.
    #[must_use]
    pub fn of(self, limits: &Limits) -> Exceeded {
        let bytes = |count: u64| format!("{count} bytes");
        let time = |duration: Duration| humantime::format_duration(duration).to_string();
        let allowed = match self {
            Self::Memory => bytes(limits.memory),
            Self::Stack => bytes(limits.stack),
            Self::CpuTime => time(limits.cpu_time),
            Self::WallClock => time(limits.wall_clock),
            Self::Source => bytes(limits.source),
            Self::Argument => bytes(limits.argument),
            Self::Result => bytes(limits.result),
            Self::Response => bytes(limits.response),
            Self::Requests => limits.requests.to_string(),
        };
        Exceeded { limit: self, allowed }
    }
}

/// A limit as it is told: `scripts.cpuTime (1s)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// What is allowed.
    pub allowed: String,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scripts.{} ({})", self.limit.key(), self.allowed)
    }
}
