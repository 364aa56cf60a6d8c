use super::*;

/// A primary and a replica of cluster 77 on hosts of their own, another cluster beside the primary's
/// pooler, and a pooler that leads to both clusters.
struct Fleet;

impl Directory for Fleet {
    fn clusters_of(&self, instance: &str) -> Vec<String> {
        match instance {
            "pg1:5432" | "pg2:5432" => vec!["77".to_owned()],
            "pool:5432" => vec!["88".to_owned()],
            _ => Vec::new(),
        }
    }

    fn clusters_on(&self, host: &str) -> Vec<String> {
        self.clusters_of(&format!("{host}:5432"))
    }

    fn behind(&self, instance: &str, database: Option<&str>) -> Vec<String> {
        let all = [("app", "pg1"), ("crm", "10.0.0.8"), ("own", "127.0.0.1")];
        let of_pool = all.into_iter().filter(|_| instance == "pool:6432");
        let wanted = of_pool.filter(|(name, _)| database.is_none_or(|wanted| wanted == *name));
        wanted.map(|(_, host)| host.to_owned()).collect()
    }
}

#[test]
fn alerts_of_one_trouble_meet() {
    let check = |labels: &[(&str, &str)], own: &str, related: &str| {
        let labels = Labels::from_pairs(labels.iter().copied());
        let scope = Scope::of(&labels, &Fleet);
        let text = |keys: &BTreeSet<Key>| {
            let keys: Vec<String> = keys.iter().map(Key::to_string).collect();
            keys.join(", ")
        };
        assert_eq!(
            (text(&scope.own).as_str(), text(&scope.related).as_str()),
            (own, related),
            "{labels:?}"
        );
    };
    check(&[("instance", "pg1:5432")], "cluster 77, host pg1", "");
    check(&[("instance", "PG2")], "host pg2", "cluster 77");
    check(
        &[("instance", "pool:6432"), ("database", "app")],
        "host pool",
        "cluster 77, cluster 88, host pg1",
    );
    check(
        &[("instance", "pool:6432"), ("database", "crm")],
        "host pool",
        "cluster 88, host 10.0.0.8",
    );
    check(&[("system_identifier", "77")], "cluster 77", "");
    // Who tells of a host is not what it is about.
    check(
        &[("instance", "localhost:7700"), ("host", "pg2")],
        "host pg2",
        "cluster 77",
    );
    check(
        &[("instance", "pool:6432"), ("host", "pg9")],
        "host pg9",
        "cluster 77, host 10.0.0.8, host pg1",
    );
    check(
        &[("instance", "localhost:7700"), ("alertname", "A")],
        "rule A",
        "",
    );
    check(&[], "rule ", "");
}

#[test]
fn hosts_are_read_from_instances() {
    let check = |instance: &str, expected: Option<&str>| {
        assert_eq!(host_of(instance).as_deref(), expected, "{instance:?}");
    };
    check("pg1", Some("pg1"));
    check("pg1.example.com:5432", Some("pg1.example.com"));
    check(
        "https://u:p@Shop.example:8443/a?b=c:d",
        Some("shop.example"),
    );
    check("[2001:db8::1]:5432", Some("2001:db8::1"));
    check("2001:db8::1", Some("2001:db8::1"));
    check("pg1:5432/app", Some("pg1"));
    check("localhost:9090", None);
    check("[::1]:5432", None);
    check("", None);
    check(":5432", None);
    check("://", None);
    check("[", None);
}

#[test]
fn keys_come_back_from_their_text() {
    for key in [
        Key::Cluster("77".to_owned()),
        Key::Host("a b".to_owned()),
        Key::Rule(String::new()),
    ] {
        assert_eq!(Key::parse(&key.to_string()), Some(key));
    }
    assert_eq!(Key::parse("planet mars"), None);
    assert_eq!(Key::parse(""), None);
}
