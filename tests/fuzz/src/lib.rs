//! What libFuzzer runs: see `run` beside this package. The targets are shared with `tests/it/fuzz.rs`, which runs them
//! on mutated seeds for a fixed count.

pub mod targets;
