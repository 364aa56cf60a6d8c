//! `store.blocks` and `[store.s3]`: where blocks lie, and as whom they are reached.

use std::fmt;
use std::path::PathBuf;

use http::Uri;
use object_store::path::Path;
use serde::Deserialize;

use super::credentials::KeyFiles;
use crate::config::Problems;
use crate::remote::forward::config::TlsFiles;
use crate::remote::forward::tls;

const BLOCKS_KEY: &str = "store.blocks";
const BLOCKS_HINT: &str = "write for instance \"s3://bucket/nightshift\"";

/// The S3 that blocks lie in, or anything that speaks like it: MinIO, Ceph and others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawS3 {
    /// Where it is, as a URL with `https`, or with `http` to do without TLS. Default: the one of AWS in
    /// `region`.
    pub endpoint: Option<String>,
    /// The region. Default: what `AWS_REGION` or `AWS_DEFAULT_REGION` says, else `us-east-1`.
    pub region: Option<String>,
    /// Whether the bucket is named in the path of requests rather than in the host's name. Default:
    /// `true` with an `endpoint`, `false` at AWS.
    pub path_style: Option<bool>,
    /// File of the access key's id. Default: as the usual environment variables say
    /// (`AWS_ACCESS_KEY_ID`, `AWS_WEB_IDENTITY_TOKEN_FILE`, ...), else what the machine's role gives.
    pub access_key_id_file: Option<PathBuf>,
    /// File of the access key's secret, which goes with `access_key_id_file`.
    pub secret_access_key_file: Option<PathBuf>,
    /// PEM file of the authorities to trust. Default: those that the host trusts.
    pub ca_file: Option<PathBuf>,
}

/// Where blocks lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a folder within the data folder.
    Folder,
    /// In a bucket.
    Bucket(S3Config),
}

/// Where in a bucket, of which S3, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Config {
    /// The bucket and what its objects' names begin with.
    pub address: Address,
    /// Where the S3 is; AWS if nothing.
    pub endpoint: Option<Endpoint>,
    /// The region, unless the environment is to say.
    pub region: Option<String>,
    /// How the bucket is named.
    pub style: Style,
    /// The access key, unless the environment is to say.
    pub keys: Option<KeyFiles>,
    /// PEM file of the authorities to trust.
    pub ca_file: Option<PathBuf>,
}

/// The bucket and what its objects' names begin with; shown as `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The bucket.
    pub bucket: String,
    /// Where in it.
    pub prefix: Path,
}

/// Where an S3 is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port.
    pub authority: String,
}

/// How requests name the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `https://host/bucket`
    Path,
    /// `https://bucket.host`
    Host,
}

impl S3Config {
    pub(super) fn needs_tls(&self) -> bool {
        let endpoint = self.endpoint.as_ref();
        endpoint.is_none_or(|endpoint| endpoint.scheme == "https")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        match self.prefix.is_root() {
            true => Ok(()),
            false => write!(f, "/{}", self.prefix),
        }
    }
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let (bucket, prefix) = match text.strip_prefix("s3://")?.split_once('/') {
            Some((bucket, prefix)) => (bucket, prefix),
            None => (text.strip_prefix("s3://")?, ""),
        };
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if bucket.is_empty() || !bucket.bytes().all(is_allowed) || prefix.contains(['?', '#']) {
            return None;
        }
        Some(Self {
            bucket: bucket.to_owned(),
            prefix: Path::parse(prefix).ok()?,
        })
    }
}

impl Endpoint {
    /// Takes a URL apart that is no more than scheme, host and port; one with a password in it is none.
    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str()?;
        let authority = uri.authority()?;
        let is_bare = matches!(
            uri.path_and_query().map(|path| path.as_str()),
            None | Some("/")
        );
        let is_known = matches!(scheme, "http" | "https");
        if !is_known || !is_bare || authority.as_str().contains('@') || authority.host().is_empty()
        {
            return None;
        }
        Some(Self {
            scheme: scheme.to_owned(),
            authority: authority.as_str().to_owned(),
        })
    }

    /// What the client of S3 wants: with [`Style::Host`] the bucket is part of it.
    pub(super) fn of_bucket(&self, bucket: &str, style: Style) -> String {
        let Self { scheme, authority } = self;
        match style {
            Style::Path => format!("{scheme}://{authority}"),
            Style::Host => format!("{scheme}://{bucket}.{authority}"),
        }
    }
}

/// What the program may rely on of both.
pub fn validate(problems: &mut Problems, blocks: Option<&str>, raw: Option<&RawS3>) -> Place {
    let Some(text) = blocks else {
        if raw.is_some() {
            let message = "it says how to reach a bucket, and store.blocks names none";
            problems.add("store.s3", message, BLOCKS_HINT);
        }
        return Place::Folder;
    };
    let unset = RawS3::default();
    let raw = raw.unwrap_or(&unset);
    let Some(address) = Address::parse(text) else {
        let message = format!("{text:?} is not a bucket");
        problems.add(BLOCKS_KEY, message, BLOCKS_HINT);
        return Place::Folder;
    };
    let endpoint = endpoint(problems, raw.endpoint.as_deref());
    let style = match raw.path_style {
        Some(true) => Style::Path,
        Some(false) => Style::Host,
        None if endpoint.is_some() => Style::Path,
        None => Style::Host,
    };
    let config = S3Config {
        address,
        endpoint,
        region: raw.region.clone(),
        style,
        keys: keys(problems, raw),
        ca_file: raw.ca_file.clone(),
    };
    check_trust(problems, &config);
    Place::Bucket(config)
}

fn endpoint(problems: &mut Problems, text: Option<&str>) -> Option<Endpoint> {
    let text = text?;
    let parsed = Endpoint::parse(text);
    if parsed.is_none() {
        // The text is left out: it may hold a password.
        let message = "not the address of an S3: scheme, host and port";
        let hint = "write for instance https://minio:9000; keys go into files";
        problems.add("store.s3.endpoint", message, hint);
    }
    parsed
}

fn keys(problems: &mut Problems, raw: &RawS3) -> Option<KeyFiles> {
    let key = "store.s3.access_key_id_file";
    match (&raw.access_key_id_file, &raw.secret_access_key_file) {
        (None, None) => None,
        (Some(id), Some(secret)) => {
            let keys = KeyFiles {
                id: id.clone(),
                secret: secret.clone(),
            };
            if let Err(message) = keys.read() {
                let hint = "name files of one line each that the collector may read";
                problems.add(key, message, hint);
            }
            Some(keys)
        }
        _ => {
            let message = "access_key_id_file and secret_access_key_file go together";
            problems.add(key, message, "set both, or neither for the environment's");
            None
        }
    }
}

fn check_trust(problems: &mut Problems, config: &S3Config) {
    let key = "store.s3.ca_file";
    if !config.needs_tls() {
        if config.ca_file.is_some() {
            let message = "there is no TLS at an endpoint with http";
            problems.add(
                key,
                message,
                "leave it out, or write the endpoint with https",
            );
        }
        return;
    }
    let files = TlsFiles {
        authorities: config.ca_file.clone(),
        own: None,
    };
    if let Err(message) = tls::connector(&files) {
        let hint = "name a PEM file that the collector may read";
        problems.add(key, message, hint);
    }
}

#[cfg(test)]
mod tests;
