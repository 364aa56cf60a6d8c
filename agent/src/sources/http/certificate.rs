//! What an expiry probe reads from certificates: until when they are valid, and who issued whom.
//!
//! Reads just that part of DER, without judging anything: whether a chain is to be trusted was
//! decided by rustls before. Hostile bytes give `None`, never a panic.

use super::super::date;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A longer chain than any that works in practice; what follows is not looked at.
const LONGEST_CHAIN: usize = 16;

/// Until when the certificates of a chain are valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The first end among all certificates that the server sent.
    pub earliest_sent: i64,
    /// The first end among those that lead from the server's own certificate upwards.
    pub chain: i64,
}

/// One certificate, as far as it is read.
#[derive(Debug, PartialEq, Eq)]
struct Certificate<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    not_after: i64,
}

/// Reads the chain that a server sent, its own certificate first.
#[must_use]
pub fn expiry<'a>(chain: impl IntoIterator<Item = &'a [u8]>) -> Option<Expiry> {
    let sent: Vec<Certificate<'_>> = chain
        .into_iter()
        .take(LONGEST_CHAIN)
        .map(read)
        .collect::<Option<_>>()?;
    let earliest_sent = sent.iter().map(|certificate| certificate.not_after).min()?;
    let mut current = sent.first()?;
    let mut chain = current.not_after;
    // A chain visits each certificate at most once, so this ends even where issuers form a ring.
    for _ in 1..sent.len() {
        if current.issuer == current.subject {
            break;
        }
        let Some(issuer) = sent.iter().find(|other| other.subject == current.issuer) else {
            break;
        };
        chain = chain.min(issuer.not_after);
        current = issuer;
    }
    Some(Expiry {
        earliest_sent,
        chain,
    })
}

fn read(der: &[u8]) -> Option<Certificate<'_>> {
    let mut outer = Reader(der);
    let mut certificate = Reader(outer.expect(SEQUENCE)?);
    let mut fields = Reader(certificate.expect(SEQUENCE)?);
    let (tag, _) = fields.next()?;
    if tag == EXPLICIT_VERSION {
        fields.expect(INTEGER)?;
    }
    fields.expect(SEQUENCE)?;
    let issuer = fields.expect(SEQUENCE)?;
    let mut validity = Reader(fields.expect(SEQUENCE)?);
    let subject = fields.expect(SEQUENCE)?;
    validity.next()?;
    let (tag, not_after) = validity.next()?;
    if tag != UTC_TIME && tag != GENERALIZED_TIME {
        return None;
    }
    Some(Certificate {
        issuer,
        subject,
        not_after: date::from_certificate(std::str::from_utf8(not_after).ok()?)?,
    })
}

/// What is left to read of a constructed value.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            // Four bytes of length are more than any certificate has.
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |length, byte| (length << 8) | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(tag, _)| *tag == wanted)
            .map(|(_, content)| content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    fn params(name: &str, year: i32) -> CertificateParams {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.not_after = date_time_ymd(year, 1, 1);
        params
    }

    #[test]
    fn chains() {
        const Y2030: i64 = 1_893_456_000;
        const Y2040: i64 = 2_208_988_800;
        const Y2060: i64 = 2_840_140_800;
        let (root_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut root_params = params("root", 2060);
        root_params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = root_params.self_signed(&root_key).unwrap();
        let issuer = Issuer::from_params(&root_params, &root_key);
        let leaf = params("leaf", 2040).signed_by(&leaf_key, &issuer).unwrap();
        let stranger = params("stranger", 2030).self_signed(&leaf_key).unwrap();
        let (root, leaf, stranger) = (root.der(), leaf.der(), stranger.der());
        for (sent, earliest_sent, chain) in [
            (vec![leaf, root], Y2040, Y2040),
            (vec![leaf, root, stranger], Y2030, Y2040),
            (vec![root], Y2060, Y2060),
        ] {
            let read = expiry(sent.iter().map(|der| der.as_ref()));
            let expected = Expiry {
                earliest_sent,
                chain,
            };
            assert_eq!(read, Some(expected));
        }
        assert_eq!(expiry([]), None);
        assert_eq!(expiry([leaf.as_ref(), b"torn".as_slice()]), None);
        for cut in 0..leaf.len() {
            assert_eq!(read(&leaf[..cut]), None, "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            read(&bytes);
            let mut wrapped = vec![SEQUENCE, bytes.len() as u8 + 2, SEQUENCE, bytes.len() as u8];
            wrapped.extend(bytes);
            read(&wrapped);
        }
    }
}
