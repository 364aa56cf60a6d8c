//! Lets pages of other origins read the API, as Prometheus does: consoles and notebooks depend on it.
//! There are no cookies that such a page could misuse.
//!
//! What changes something, as silences do, only our own pages may ask for: a browser that reaches the
//! collector must not be a way to keep alerts quiet for any page that somebody opens in it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

/// For what may be asked with a form, and changes nothing.
pub(super) async fn allow(request: Request, next: Next) -> Response {
    answer(request, next, "GET, POST, OPTIONS").await
}

/// For what is read by GET; other methods change something.
pub(super) async fn allow_reading(request: Request, next: Next) -> Response {
    answer(request, next, "GET, OPTIONS").await
}

async fn answer(request: Request, next: Next, methods: &'static str) -> Response {
    let has_origin = request.headers().contains_key(ORIGIN);
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if has_origin {
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (ACCESS_CONTROL_ALLOW_METHODS, methods),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                "Accept, Accept-Encoding, Authorization, Content-Type, Origin",
            ),
            (ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}
