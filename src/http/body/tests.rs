use super::*;

/// Pieces one after another, of unknown length; an error where one is `None`.
struct Pieces(VecDeque<Option<&'static str>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let piece = self.0.pop_front();
        Poll::Ready(
            piece.map(|piece| piece.map(|text| Frame::data(text.into())).ok_or_else(|| "broke off".into())),
        )
    }
}

fn pieces(pieces: &[&'static str]) -> Body {
    Body::boxed(Pieces(pieces.iter().copied().map(Some).collect()))
}

async fn whole(body: Body) -> Bytes {
    body.collect().await.expect("the body can be read").to_bytes()
}

#[tokio::test]
async fn an_empty_body_is_over_before_it_began() {
    for body in [Body::empty(), Body::full(""), Body::default()] {
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert_eq!(whole(body).await, "");
    }
}

#[tokio::test]
async fn a_full_body_knows_its_length_and_ends_after_one_piece() {
    let mut body = Body::full("hello");
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
    let frame = body.frame().await.expect("a piece").expect("no error");
    assert_eq!(frame.into_data().expect("data"), "hello");
    assert!(body.is_end_stream());
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_boxed_body_keeps_its_length() {
    assert_eq!(Body::boxed(Body::full("hello")).size_hint().exact(), Some(5));
    assert_eq!(pieces(&["a"]).size_hint().exact(), None);
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_whole() {
    for (body, expected) in [
        (pieces(&["ab", "cd"]), "abcd"),
        (Body::full("abcd"), "abcd"),
        (pieces(&["abcd"]), "abcd"),
        (Body::empty(), ""),
    ] {
        let Ok(Collected::Whole(bytes)) = collect_within(body, 4).await else {
            panic!("it is within the limit")
        };
        assert_eq!(bytes, expected);
    }
}

#[tokio::test]
async fn a_longer_body_comes_back_whole_and_streaming() {
    let Ok(Collected::TooLong(mut body)) = collect_within(pieces(&["ab", "cde", "f", "g"]), 4).await else {
        panic!("it is beyond the limit")
    };
    assert_eq!(body.size_hint().lower(), 5);
    let first = body.frame().await.expect("a piece").expect("no error").into_data().expect("data");
    assert_eq!(first, "ab", "what was read comes back in its pieces");
    assert_eq!(whole(body).await, "cdefg");
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_not_read() {
    let Ok(Collected::TooLong(body)) = collect_within(Body::full("hello"), 4).await else {
        panic!("it is beyond the limit")
    };
    assert!(matches!(body.0, Kind::Full(_)));
    assert_eq!(body.size_hint().exact(), Some(5));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let broken = Body::boxed(Pieces([Some("ab"), None].into()));
    let error = collect_within(broken, 10).await.expect_err("it broke off");
    assert_eq!(error.to_string(), "broke off");
}

#[test]
fn what_is_in_a_body_is_not_printed() {
    assert!(!format!("{:?}", Body::full("hunter2")).contains("hunter2"));
}
