//! A mail server with a mailbox.

use std::path::Path;

use notify::config::Kind;
use notify::deliver::Verdict;
use tests::receivers::{Mailbox, Security};

use super::made::{courier, deliver, firing, hostile, huge, id, resolved, said};

fn settings(mailbox: &Mailbox, more: &str) -> String {
    let smarthost = mailbox.smarthost();
    format!(
        "to: oncall@example.com\nfrom: Nightshift <night@example.com>\nsmarthost: '{smarthost}'\n{more}"
    )
}

fn login(mailbox: &Mailbox) -> String {
    let (user, password) = Mailbox::LOGIN;
    let ca = mailbox.certificate();
    let ca = ca.display();
    format!("auth_username: {user}\nauth_password: '{password}'\ntls_config: {{ca_file: '{ca}'}}\n")
}

fn is_delivered(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Delivered { .. })
}

#[tokio::test]
async fn mail_arrives_by_starttls_and_says_what_it_should() {
    let mailbox = Mailbox::start(Security::StartTls).await.unwrap();
    let settings = settings(&mailbox, &login(&mailbox));
    let courier = courier(Kind::Email, Path::new("/"), &settings);
    let send = async |notification: &_, key: &str| {
        let verdict = courier.deliver(&id(Kind::Email), notification, key).await;
        assert!(is_delivered(&verdict), "{verdict:?}; {}", mailbox.log());
    };
    send(&firing(), "row-1").await;
    send(&firing(), "row-1").await;
    send(&resolved(), "row-2").await;
    let mut mails = mailbox.wait_for(3).await.unwrap();
    // Those of one second lie there in any order.
    mails.sort_by_key(|mail| mail.header("Subject"));
    assert!(
        mailbox.log().contains("A=plain:plain-nightshift"),
        "{}",
        mailbox.log()
    );
    assert!(mailbox.log().contains("X=TLS1.3"), "{}", mailbox.log());
    let first = &mails[0];
    let header = |name: &str| first.header(name).unwrap_or_default();
    assert_eq!(header("From"), "Nightshift <night@example.com>");
    assert_eq!(header("To"), "oncall@example.com");
    assert_eq!(header("Envelope-to"), "oncall@example.com");
    assert_eq!(header("Date"), "Mon, 04 Mar 2024 05:06:06 +0000");
    assert_eq!(header("Subject"), "[FIRING:2] postgres");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert!(
        header("Content-Type").starts_with("multipart/alternative"),
        "{}",
        header("Content-Type")
    );
    // A repeat is known by its number; what is new has another.
    let numbers: Vec<_> = mails
        .iter()
        .map(|mail| mail.header("Message-ID").unwrap())
        .collect();
    assert_eq!(numbers[0], numbers[1]);
    assert_ne!(numbers[0], numbers[2]);
    assert!(numbers[0].ends_with("@example.com>"), "{}", numbers[0]);
    assert_eq!(
        mails[2].header("Subject").as_deref(),
        Some("[RESOLVED] postgres")
    );
    let parts: Vec<_> = first.text.matches("Content-Type: text/").collect();
    assert_eq!(parts.len(), 2, "{}", first.text);
}

#[tokio::test]
async fn mail_arrives_in_every_other_way() {
    let check = async |security: Security, more: &str, words: &str| {
        let mailbox = Mailbox::start(security).await.unwrap();
        let (user, password) = Mailbox::LOGIN;
        let ca = mailbox.certificate();
        let more = more
            .replace("USER", user)
            .replace("WORD", password)
            .replace("CA", &ca.display().to_string());
        let verdict = deliver(Kind::Email, &settings(&mailbox, &more), &firing()).await;
        assert!(is_delivered(&verdict), "{verdict:?}; {}", mailbox.log());
        mailbox.wait_for(1).await.unwrap();
        assert!(mailbox.log().contains(words), "{}", mailbox.log());
    };
    check(
        Security::None,
        "require_tls: false\n",
        "<= night@example.com",
    )
    .await;
    let implicit = "force_implicit_tls: true\nauth_username: USER\nauth_password: WORD\ntls_config: {ca_file: 'CA'}\n";
    check(Security::ImplicitTls, implicit, "A=login:login-nightshift").await;
    let challenge = "require_tls: false\nauth_username: USER\nauth_secret: WORD\n";
    check(Security::Challenge, challenge, "A=cram:nightshift").await;
    let unverified =
        "auth_username: USER\nauth_password: WORD\ntls_config: {insecure_skip_verify: true}\n";
    check(Security::StartTls, unverified, "A=plain").await;
}

#[tokio::test]
async fn what_a_server_refuses_is_told_from_what_may_pass() {
    let mailbox = Mailbox::start(Security::StartTls).await.unwrap();
    let good = login(&mailbox);
    let check = async |settings: String, is_final: bool, words: &str| {
        let verdict = deliver(Kind::Email, &settings, &firing()).await;
        let is_refused = matches!(verdict, Verdict::Refused { .. });
        assert!(
            !is_delivered(&verdict) && is_refused == is_final,
            "{verdict:?}"
        );
        assert!(said(&verdict).contains(words), "{verdict:?}");
        assert!(!said(&verdict).contains(Mailbox::LOGIN.1), "{verdict:?}");
    };
    let with = |more: &str| settings(&mailbox, more);
    check(
        with(&good).replace("oncall@", "refused@"),
        true,
        "no such mailbox",
    )
    .await;
    check(
        with(&good).replace("oncall@", "later@"),
        false,
        "come again",
    )
    .await;
    check(
        with(&good.replace("auth_password: 'pass", "auth_password: 'other")),
        false,
        "535",
    )
    .await;
    check(
        with("tls_config: {insecure_skip_verify: true}\n"),
        true,
        "log in first",
    )
    .await;
    check(
        with(&good.replace("ca_file: '", "ca_file: '/none")),
        false,
        "No such file",
    )
    .await;
    check(
        with("auth_username: x\nauth_password: y\n"),
        false,
        "certificate",
    )
    .await;
    check(
        with(&good).replace("oncall@example.com", "'not an address'"),
        false,
        "is no address",
    )
    .await;
}

#[tokio::test]
async fn mail_waits_for_a_server_that_is_safe() {
    let plain = Mailbox::start(Security::None).await.unwrap();
    let (user, password) = Mailbox::LOGIN;
    let no_tls = settings(&plain, "");
    let verdict = deliver(Kind::Email, &no_tls, &firing()).await;
    assert!(said(&verdict).contains("offers no STARTTLS"), "{verdict:?}");
    let nobody = settings(
        &plain,
        &format!("auth_username: {user}\nauth_password: '{password}'\n"),
    );
    drop(plain);
    let verdict = deliver(Kind::Email, &nobody, &firing()).await;
    assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
}

#[tokio::test]
async fn headers_threads_and_hostile_texts() {
    let mailbox = Mailbox::start(Security::None).await.unwrap();
    let more = concat!(
        "require_tls: false\ntext: ''\nheaders: {subject: 'Über {{ .Status }} ☃', X-Own: 'a: b', Reply-To: 'x@example.com'}\n",
        "threading: {enabled: true, thread_by_date: daily}\n",
    );
    let more_settings = settings(&mailbox, more).replace(
        "to: oncall@example.com",
        "to: 'A <a@example.com>, b@example.com'",
    );
    let plain = settings(
        &mailbox,
        "require_tls: false\nhtml: '{{ template \"none\" . }}'\n",
    );
    for (settings, notification) in [
        (more_settings.as_str(), firing()),
        (&plain, hostile()),
        (&settings(&mailbox, "require_tls: false\n"), huge()),
    ] {
        let verdict = deliver(Kind::Email, settings, &notification).await;
        assert!(is_delivered(&verdict), "{verdict:?}; {}", mailbox.log());
    }
    // Two addresses, one mailbox, one mail.
    let mails = mailbox.wait_for(3).await.unwrap();
    let find = |wanted: &str| {
        mails
            .iter()
            .find(|mail| mail.text.contains(wanted))
            .unwrap()
    };
    let first = find("X-Own: a: b");
    let header = |name: &str| first.header(name).unwrap_or_default();
    assert!(
        header("Subject").contains("=?utf-8?b?"),
        "{}",
        header("Subject")
    );
    assert_eq!(header("Reply-To"), "x@example.com");
    assert_eq!(header("References"), header("In-Reply-To"));
    assert!(
        header("References").ends_with("-2024-03-04@nightshift>"),
        "{}",
        header("References")
    );
    assert!(
        header("Content-Type").starts_with("text/html"),
        "{}",
        header("Content-Type")
    );
    assert!(header("To").contains("b@example.com"), "{}", header("To"));
    // What stands in an alert makes no header and no end of the mail.
    for mail in &mails {
        assert_eq!(mail.header("Bcc"), None, "{}", mail.text);
    }
}
