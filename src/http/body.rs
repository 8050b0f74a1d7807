//! skeleton
use bytes::Bytes;
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The one body type, in and out: Send, streaming. (An own enum with Empty / Full / hyper's Incoming / Boxed variants that implements http_body::Body.)
pub struct Body {}
impl Body {
    pub fn empty() -> Self { unimplemented!() }
    pub fn full(_bytes: impl Into<Bytes>) -> Self { unimplemented!() }
    pub fn incoming(_incoming: hyper::body::Incoming) -> Self { unimplemented!() }
    pub fn boxed<B>(_body: B) -> Self where B: hyper::body::Body<Data = Bytes> + Send + 'static, B::Error: Into<BoxError> { unimplemented!() }
}
/// What bounded collecting found.
pub enum Collected { /// all of it
    Whole(Bytes), /// past the limit: what was read is put back in front of the rest
    TooLong(Body) }
/// Reads at most `limit` bytes; a longer body is handed back whole and streaming.
pub async fn collect_within(_body: Body, _limit: usize) -> Result<Collected, BoxError> { unimplemented!() }
