//! How a message says where its body ends (RFC 9112 section 6), written anew from the body itself.
//! Never trusts what the headers said before.

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Body as _;

use crate::http::Body;

/// Leaves exactly one Content-Length where the length is known and one `chunked` where it is not.
pub(super) fn of_request(request: &mut Request<Body>) {
    let length = request.body().size_hint().exact();
    let headers = request.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    match length {
        // A length of 0 stays where it was given: some servers refuse a POST without one.
        Some(0) if !headers.contains_key(CONTENT_LENGTH) => {}
        Some(length) => set_length(headers, length),
        None => {
            headers.remove(CONTENT_LENGTH);
            // Said aloud, because hyper drops the unmeasured body of a GET that does not say it.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// Whether a response's Transfer-Encoding, if it has one, is exactly one `chunked`: any other coding would still be on
/// the body, and nobody would be told.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

/// Leaves a Content-Length that is the body's, or none; an answer that has no body by its nature keeps the one that
/// speaks of the body it stands for (RFC 9110 section 8.6).
pub(super) fn of_response(method: &Method, response: &mut Response<Body>) {
    let stands_for_another = *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
    let length = response.body().size_hint().exact();
    let headers = response.headers_mut();
    let was_coded = headers.remove(TRANSFER_ENCODING).is_some();
    match length {
        _ if stands_for_another => {
            if was_coded || !is_one_number(headers) {
                headers.remove(CONTENT_LENGTH);
            }
        }
        Some(length) if headers.contains_key(CONTENT_LENGTH) => set_length(headers, length),
        Some(_) => {}
        None => {
            headers.remove(CONTENT_LENGTH);
        }
    }
}

/// Nothing was read by this length, so nothing has checked it yet.
fn is_one_number(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let is_number =
        |length: &HeaderValue| !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
    lengths.next().is_some_and(is_number) && lengths.next().is_none()
}

fn set_length(headers: &mut HeaderMap, length: u64) {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let is_right =
        values.next().is_some_and(|value| spells(value.as_bytes(), length)) && values.next().is_none();
    if !is_right {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Whether `digits` is `number` in its plain form; nothing is allocated.
fn spells(digits: &[u8], number: u64) -> bool {
    let mut rest = number;
    for (place, digit) in digits.iter().rev().enumerate() {
        if (place > 0 && rest == 0) || u64::from(*digit) != u64::from(b'0') + rest % 10 {
            return false;
        }
        rest /= 10;
    }
    rest == 0 && !digits.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lengths: &[&'static str], body: Body) -> HeaderMap {
        let mut request = Request::new(body);
        for length in lengths {
            request.headers_mut().append(CONTENT_LENGTH, HeaderValue::from_static(length));
        }
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("gzip"));
        of_request(&mut request);
        request.into_parts().0.headers
    }

    #[test]
    fn a_number_is_spelled_in_one_way() {
        for good in [0, 5, 10, 100, 4096, u64::MAX] {
            assert!(spells(good.to_string().as_bytes(), good), "{good}");
        }
        for (bad, number) in
            [("", 0), ("00", 0), ("05", 5), ("5 ", 5), ("+5", 5), ("50", 5), ("5", 50), ("a", 5)]
        {
            assert!(!spells(bad.as_bytes(), number), "{bad:?} is not {number}");
        }
    }

    #[test]
    fn a_known_length_is_written_once_and_plainly() {
        for given in [&["5"][..], &["05"], &["5", "5"], &["5, 5"], &["9"], &[]] {
            let headers = request(given, Body::full("12345"));
            let lengths: Vec<_> = headers.get_all(CONTENT_LENGTH).iter().collect();
            assert_eq!(lengths, ["5"], "{given:?}");
            assert!(!headers.contains_key(TRANSFER_ENCODING));
        }
    }

    #[test]
    fn an_empty_body_has_a_length_only_where_one_was_given() {
        assert!(request(&[], Body::empty()).is_empty());
        assert_eq!(request(&["3"], Body::empty())[CONTENT_LENGTH], "0");
    }

    #[test]
    fn an_unknown_length_is_one_chunked() {
        use http_body_util::BodyExt as _;
        let unmeasured = Body::boxed(Body::full("x").map_frame(|frame| frame).with_trailers(async { None }));
        assert_eq!(unmeasured.size_hint().exact(), None);
        let headers = request(&["5"], unmeasured);
        assert_eq!(headers[TRANSFER_ENCODING], "chunked");
        assert!(!headers.contains_key(CONTENT_LENGTH));
    }
}
