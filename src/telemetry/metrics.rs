//! skeleton
/// All metric handles; names stand here only.
pub struct Metrics {}
impl Metrics { /** Prometheus / OpenMetrics text. */ pub fn render(&self) -> String { unimplemented!() } }
