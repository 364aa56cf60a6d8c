//! How requests say who sends them, and that nothing else does.

use std::path::Path;

use notify::config::Kind;
use tests::receivers::{Format, Receiver, Reply};

use super::made::{
    KINDS, Outcome, TOKEN, courier, deliver, firing, id, is_delivered, outcome, said, settings,
};

#[tokio::test]
async fn requests_say_who_sends_them() {
    let receiver = Receiver::start(Format::Webhook).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("word"), "from-a-file\n").unwrap();
    let check = async |http: &str, name: &str, expected: &str| {
        let settings = settings(Kind::Webhook, &receiver, &format!("http_config: {http}\n"));
        let courier = courier(Kind::Webhook, folder.path(), &settings);
        let verdict = courier.deliver(&id(Kind::Webhook), &firing(), "k").await;
        assert!(is_delivered(&verdict), "{http}: {verdict:?}");
        let taken = receiver.taken();
        assert_eq!(taken.last().unwrap().header(name), Some(expected), "{http}");
    };
    let name = "authorization";
    check(
        "{basic_auth: {username: u, password: p}}",
        name,
        "Basic dTpw",
    )
    .await;
    check(
        "{basic_auth: {username: u, password_file: word}}",
        name,
        "Basic dTpmcm9tLWEtZmlsZQ==",
    )
    .await;
    check("{authorization: {credentials: c}}", name, "Bearer c").await;
    check(
        "{authorization: {type: Token, credentials_file: word}}",
        name,
        "Token from-a-file",
    )
    .await;
    check("{http_headers: {X-A: {values: [v]}}}", "x-a", "v").await;
    check(
        "{http_headers: {X-A: {files: [word]}}}",
        "x-a",
        "from-a-file",
    )
    .await;
    std::fs::write(folder.path().join("word"), "changed").unwrap();
    check(
        "{authorization: {credentials_file: word}}",
        name,
        "Bearer changed",
    )
    .await;
    // A proxy takes what is not for it.
    let settings = format!(
        "url: http://far.example.com/hook\nhttp_config: {{proxy_url: '{}'}}\n",
        receiver.url("")
    );
    let verdict = deliver(Kind::Webhook, &settings, &firing()).await;
    assert!(is_delivered(&verdict), "{verdict:?}");
    assert_eq!(
        receiver.taken().last().unwrap().path,
        "http://far.example.com/hook"
    );
}

#[tokio::test]
async fn tokens_are_fetched_once_and_again_when_they_are_over() {
    let receiver = Receiver::start(Format::Webhook).await.unwrap();
    let giver = Receiver::start(Format::Anything).await.unwrap();
    giver.always(Reply::say(
        200,
        r#"{"access_token":"token-1","token_type":"Bearer","expires_in":3600}"#,
    ));
    let oauth2 = format!(
        "http_config: {{oauth2: {{client_id: 'me&', client_secret: s, scopes: [a, b], token_url: '{}', endpoint_params: {{p: q}}}}}}\n",
        giver.url("/token")
    );
    let courier = courier(
        Kind::Webhook,
        Path::new("/"),
        &settings(Kind::Webhook, &receiver, &oauth2),
    );
    let send = async || courier.deliver(&id(Kind::Webhook), &firing(), "k").await;
    assert!(is_delivered(&send().await));
    assert!(is_delivered(&send().await));
    let asked = giver.received();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body, "grant_type=client_credentials&scope=a+b&p=q");
    assert_eq!(asked[0].header("authorization"), Some("Basic bWUlMjY6cw=="));
    assert_eq!(
        receiver.taken()[1].header("authorization"),
        Some("Bearer token-1")
    );
    // The receiver knows the token no longer.
    receiver.next([Reply::say(401, "token-1 is over")]);
    let verdict = send().await;
    assert_eq!(outcome(&verdict), Outcome::Retry(None));
    assert!(!said(&verdict).contains("token-1"), "{verdict:?}");
    assert!(is_delivered(&send().await));
    assert_eq!(giver.received().len(), 2);
    // A giver that wants to be told in the body, and one that gives nothing.
    receiver.next([Reply::say(401, "")]);
    send().await;
    giver.next([
        Reply::say(401, ""),
        Reply::say(200, r#"{"access_token":"token-2"}"#),
    ]);
    assert!(is_delivered(&send().await));
    let last = giver.received();
    let body = last[3].body.as_str().unwrap();
    assert!(body.contains("client_id=me%26&client_secret=s"), "{body}");
    receiver.next([Reply::say(401, "")]);
    send().await;
    giver.always(Reply::say(500, "broken"));
    assert!(said(&send().await).contains("no token was given: 500"));
}

#[tokio::test]
async fn no_secret_is_ever_said() {
    let mirror = format!("you sent {TOKEN} and 1:{TOKEN}, GenieKey {TOKEN}");
    for (kind, _) in KINDS {
        let receiver = Receiver::start(Format::Anything).await.unwrap();
        for status in [200, 400, 500] {
            receiver.always(Reply::say(
                status,
                &format!("{{\"ok\":false,\"error\":\"{mirror}\"}}"),
            ));
            let verdict = deliver(kind, &settings(kind, &receiver, ""), &firing()).await;
            assert!(
                !format!("{verdict:?}").contains(TOKEN),
                "{kind}: {verdict:?}"
            );
        }
        receiver.always(Reply::say(400, &mirror));
        let verdict = deliver(kind, &settings(kind, &receiver, ""), &firing()).await;
        assert!(
            !format!("{verdict:?}").contains(TOKEN),
            "{kind}: {verdict:?}"
        );
        drop(receiver);
    }
}
