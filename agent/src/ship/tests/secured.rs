//! Mutual TLS.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::{Certificate, Identity as TonicIdentity, ServerTlsConfig};

use super::*;

/// A CA, and files of certificates that it signed.
struct Ca {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Certificate and key for `name`, in PEM.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn identity(&self) -> Identity {
        let (certificate, key) = self.sign("agent");
        let (certificate_file, key_file) = (self.file("agent.pem"), self.file("agent.key"));
        std::fs::write(&certificate_file, certificate).unwrap();
        std::fs::write(&key_file, key).unwrap();
        Identity {
            certificate_file,
            key_file,
        }
    }

    fn collector(&self) -> Collector {
        let (certificate, key) = self.sign("collector.test");
        let tls = ServerTlsConfig::new()
            .identity(TonicIdentity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(self.issuer.pem()));
        Collector::with_tls(tls)
    }

    fn tls(&self, identity: Option<Identity>) -> Tls {
        Tls {
            ca_file: self.file("ca.pem"),
            identity,
            server_name: Some("collector.test".to_owned()),
        }
    }
}

fn over_tls(collector: &Collector, tls: Tls) -> Settings {
    let address = format!("https://{}/", collector.address).parse().unwrap();
    Settings {
        tls: Some(tls),
        ..settings(vec![address])
    }
}

#[tokio::test]
async fn with_certificates_of_one_ca_both_sides_agree() {
    let ca = Ca::new();
    let collector = ca.collector();
    let rig = Rig::start(over_tls(&collector, ca.tls(Some(ca.identity()))), 5).await;
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(5));
    rig.stop().await;
}

#[tokio::test]
async fn a_collector_of_another_ca_gets_nothing() {
    let (ca, other) = (Ca::new(), Ca::new());
    let collector = other.collector();
    let rig = Rig::start(over_tls(&collector, ca.tls(Some(ca.identity()))), 5).await;
    rig.failed_with("connect").await;
    let stats = rig.stop().await;
    assert_eq!(stats.pending.batches, 5);
    assert_eq!(collector.kept(), up_to(0));
}

#[tokio::test]
async fn renewed_certificates_need_no_restart() {
    let (ca, other) = (Ca::new(), Ca::new());
    let collector = ca.collector();
    // At first the agent trusts another CA.
    let tls = other.tls(Some(ca.identity()));
    let rig = Rig::start(over_tls(&collector, tls.clone()), 5).await;
    rig.failed_with("connect").await;
    std::fs::copy(ca.file("ca.pem"), &tls.ca_file).unwrap();
    rig.emptied().await;
    assert_eq!(collector.kept(), up_to(5));
    rig.stop().await;
}

#[tokio::test]
async fn an_agent_without_a_certificate_is_not_heard_and_loses_nothing() {
    let ca = Ca::new();
    let collector = ca.collector();
    let rig = Rig::start(over_tls(&collector, ca.tls(None)), 5).await;
    until(|| !rig.stats.counts().failures.is_empty()).await;
    let stats = rig.stop().await;
    assert_eq!(stats.pending.batches, 5);
    assert_eq!(collector.kept(), up_to(0));
}
