use super::*;

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
        .collect()
}

#[test]
fn the_content_type_names_the_version() {
    let check = |text: Option<&'static str>, expected: Option<Version>| {
        let pairs: Vec<_> = text.map(|text| (CONTENT_TYPE, text)).into_iter().collect();
        assert_eq!(version_of(&headers(&pairs)).ok(), expected, "{text:?}");
    };
    check(None, Some(Version::V1));
    check(Some("application/x-protobuf"), Some(Version::V1));
    check(
        Some("Application/X-Protobuf ; charset=x"),
        Some(Version::V1),
    );
    check(
        Some("application/x-protobuf;proto=prometheus.WriteRequest"),
        Some(Version::V1),
    );
    check(
        Some("application/x-protobuf; proto=\"io.prometheus.write.v2.Request\""),
        Some(Version::V2),
    );
    check(
        Some("application/x-protobuf;proto=io.prometheus.write.v3.Request"),
        None,
    );
    check(Some("application/json"), None);
    check(Some(""), None);
}

#[test]
fn snappy_is_the_one_encoding() {
    let check = |text: &'static str, expected: bool| {
        let given = headers(&[(CONTENT_ENCODING, text)]);
        assert_eq!(check_encoding(&given).is_ok(), expected, "{text}");
    };
    assert!(check_encoding(&HeaderMap::new()).is_ok());
    check("snappy", true);
    check("Snappy", true);
    check("zstd", false);
    check("gzip", false);
    check("", false);
}
