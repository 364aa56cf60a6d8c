//! Compresses answers for clients that take gzip. Answers are whole in memory before they are sent, so
//! one pass over them does; large ones are compressed where it holds up nobody.

use std::io::Write;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, VARY};
use http::{HeaderMap, StatusCode};

/// What fits into one packet gains nothing.
const LEAST: u64 = 1_400;

/// What takes longer than a few milliseconds goes to another thread.
const LARGE: usize = 256 << 10;

pub(super) async fn gzip(request: Request, next: Next) -> Response {
    let accepts = accepts_gzip(request.headers());
    let response = next.run(request).await;
    let size = response.body().size_hint().exact();
    let is_encoded = response.headers().contains_key(CONTENT_ENCODING);
    if !accepts || is_encoded || size.is_none_or(|size| size < LEAST) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(plain) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let packed = if plain.len() > LARGE {
        let plain = plain.clone();
        let work = tokio::task::spawn_blocking(move || pack(&plain));
        work.await.ok().flatten()
    } else {
        pack(&plain)
    };
    let encoding = HeaderValue::from_static("Accept-Encoding");
    head.headers.append(VARY, encoding);
    let Some(packed) = packed else {
        return Response::from_parts(head, Body::from(plain));
    };
    head.headers.remove(CONTENT_LENGTH);
    let encoding = HeaderValue::from_static("gzip");
    head.headers.insert(CONTENT_ENCODING, encoding);
    Response::from_parts(head, Body::from(packed))
}

/// The level gains most of what there is to gain, at a quarter of the default's time.
fn pack(plain: &[u8]) -> Option<Vec<u8>> {
    let room = Vec::with_capacity(plain.len() / 8);
    let mut encoder = GzEncoder::new(room, Compression::fast());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

/// Whether the client names gzip, or everything, and does not weigh it at nothing.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let given = headers.get_all(ACCEPT_ENCODING).iter();
    let words = given.filter_map(|value| value.to_str().ok());
    words.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let is_refused = weight.is_some_and(|weight| weight.parse() == Ok(0.0));
        (name.eq_ignore_ascii_case("gzip") || name == "*") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_named() {
        let check = |given: &str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, given.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), expected, "{given}");
        };
        check("gzip", true);
        check("deflate, GZIP;q=0.5", true);
        check("*", true);
        check("gzip;q=0", false);
        check("gzip; q=0.0, br", false);
        check("identity", false);
        check("", false);
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
