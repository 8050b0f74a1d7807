//! When and how an integration's credentials are refreshed.
//! Knows nothing of what a refresh brings.

use std::time::Duration;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::Resolver;
use crate::connector::{RefreshSettings, Rotation};

/// What is refreshed more often is refreshed by those who use it.
const SHORTEST_KEEP_ALIVE: Duration = Duration::from_secs(600);

impl Resolver<'_> {
    pub(super) fn refresh(&mut self, typed: &raw::Refresh, path: &KeyPath) -> RefreshSettings {
        RefreshSettings {
            ahead: typed.ahead.0,
            keep_alive: self.keep_alive(typed.keep_alive.as_ref(), &path.key("keepAlive")),
            wait: self.wait(typed.wait, &path.key("wait")),
            rotation: self.rotation(&typed.rotation, &path.key("rotation")),
            replay: typed.replay,
        }
    }

    fn keep_alive(&mut self, typed: Option<&raw::Span>, path: &KeyPath) -> Option<Duration> {
        let within = typed?.0;
        if within < SHORTEST_KEEP_ALIVE {
            let cure = "write at least 10m, below the time after which the provider drops what is not used";
            self.error(path, format!("`{path}` is too short"), cure);
        }
        Some(within)
    }

    fn wait(&mut self, typed: raw::Span, path: &KeyPath) -> Duration {
        if typed.0.is_zero() {
            self.error(
                path,
                format!("`{path}` is no time at all"),
                "write how long callers may wait, such as 15s",
            );
        }
        typed.0
    }

    fn rotation(&mut self, typed: &raw::Rotation, path: &KeyPath) -> Rotation {
        match typed {
            raw::Rotation::Word(raw::RotationWord::Strict) => Rotation::Strict,
            raw::Rotation::Word(raw::RotationWord::None) => Rotation::None,
            raw::Rotation::Window(window) => {
                if window.reuse.0.is_zero() {
                    let path = path.key("reuse");
                    let cure = "write how long, such as 30s, or `rotation: strict`";
                    self.error(&path, format!("`{path}` is no time at all"), cure);
                }
                Rotation::Reuse(window.reuse.0)
            }
        }
    }
}
