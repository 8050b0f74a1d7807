//! skeleton
/// The access log: a bounded writer in its own thread that never blocks a request and counts what it drops.
pub struct AccessLog {}
impl AccessLog {
    pub fn stdout() -> Self { unimplemented!() }
    pub fn off() -> Self { unimplemented!() }
    /// For tests: lines end up in the buffer.
    pub fn to_buffer(_buffer: std::sync::Arc<std::sync::Mutex<Vec<u8>>>) -> Self { unimplemented!() }
}
/// Diagnostics as JSON lines on stderr.
pub fn init_diagnostics(_level: &str) { unimplemented!() }
