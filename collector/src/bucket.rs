//! Where the blocks of a data folder lie: in the folder itself, or in a bucket of S3 or of anything
//! that speaks like it.
//!
//! It owns the way to a bucket: address, credentials, TLS, time-outs and retries, and what ties a data
//! folder to its bucket ([`binding`]). What lies in a bucket is `store`'s.
//!
//! Invariants: every request is bounded in time, and so are its retries; a secret is in no message; a
//! data folder has its blocks in one place, and is not opened with another by mistake.

mod binding;
pub mod config;
mod credentials;
mod http;
mod trouble;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, RetryConfig};
use store::blocks::{Objects, Owner};

use crate::remote::forward::config::TlsFiles;
use crate::remote::forward::tls;
use binding::Binding;
use config::{Address, Place, S3Config};

pub use trouble::{Outlook, Trouble};

/// The folder of the blocks within a data folder.
pub const BLOCKS: &str = "blocks";

/// A request that met a busy or restarting server is sent again for this long; a query waits as long at
/// the most. Upkeep comes again by itself.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    },
    max_retries: 5,
    retry_timeout: Duration::from_secs(10),
};

/// What the environment may say: who asks, and in which region. Everything else stands in the
/// configuration.
const VARIABLES: [&str; 11] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// The blocks of a data folder that this process holds, on their way to be opened.
#[derive(Debug)]
pub struct Home {
    /// Where they lie.
    pub objects: Objects,
    bucket: Option<(Binding, String)>,
}

impl Home {
    /// Finds the blocks of a data folder that this process holds.
    ///
    /// # Errors
    /// If they cannot lie at `place`: they lie elsewhere, or the way there is broken.
    pub fn find(data: &Path, place: &Place) -> Result<Self> {
        let config = match place {
            Place::Bucket(config) => config,
            Place::Folder => {
                let objects = to_look(data, place)?;
                let bucket = None;
                return Ok(Self { objects, bucket });
            }
        };
        let binding = Binding::read_or_make(data)?;
        let name = config.address.to_string();
        binding.expect(&name)?;
        binding.expect_no_folder(data)?;
        let owner = Owner {
            id: binding.text.owner.clone(),
            host: host(),
        };
        Ok(Self {
            objects: in_bucket(config)?.owned_by(owner),
            bucket: Some((binding, name)),
        })
    }

    /// Remembers, now that they were opened, that the blocks lie here.
    ///
    /// # Errors
    /// If the data folder cannot be written.
    pub fn settle(self) -> Result<()> {
        match self.bucket {
            Some((binding, name)) => binding.settle(&name),
            None => Ok(()),
        }
    }
}

/// The blocks of a data folder for somebody who only reads them.
///
/// # Errors
/// As [`Home::find`].
pub fn to_look(data: &Path, place: &Place) -> Result<Objects> {
    let bound = Binding::read(data)?;
    match place {
        Place::Folder => {
            binding::expect_none(bound.as_ref())?;
            in_folder(data)
        }
        Place::Bucket(config) => {
            if let Some(binding) = bound {
                binding.expect(&config.address.to_string())?;
            }
            in_bucket(config)
        }
    }
}

/// What a person calls a file of the blocks.
#[must_use]
pub fn name_of(data: &Path, place: &Place, file: &str) -> String {
    match place {
        Place::Folder => data.join(BLOCKS).join(file).display().to_string(),
        Place::Bucket(config) => format!("{}/{file}", config.address),
    }
}

fn in_folder(data: &Path) -> Result<Objects> {
    let folder = data.join(BLOCKS);
    Objects::in_folder(&folder).with_context(|| format!("cannot open {}", folder.display()))
}

fn in_bucket(config: &S3Config) -> Result<Objects> {
    let name = &config.address;
    let store = connect(config).with_context(|| format!("cannot use {name} (option store.s3)"))?;
    let Address { prefix, .. } = name;
    Ok(Objects::in_store(match prefix.is_root() {
        true => Arc::new(store),
        false => Arc::new(PrefixStore::new(store, prefix.clone())),
    }))
}

fn connect(config: &S3Config) -> Result<AmazonS3> {
    let mut builder = AmazonS3Builder::new();
    for name in VARIABLES {
        if let Ok(value) = std::env::var(name) {
            let key: AmazonS3ConfigKey = name.to_ascii_lowercase().parse()?;
            builder = builder.with_config(key, value);
        }
    }
    if let Some(keys) = &config.keys {
        builder = builder.with_credentials(Arc::new(keys.clone()));
    }
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint.of_bucket(&config.address.bucket, config.style));
    }
    let trust = TlsFiles {
        authorities: config.ca_file.clone(),
        own: None,
    };
    // Without TLS nobody needs to be trusted, and a small machine may have no authorities.
    let tls = match config.needs_tls() {
        true => Some(tls::connector(&trust).map_err(anyhow::Error::msg)?),
        false => None,
    };
    let store = builder
        .with_bucket_name(&config.address.bucket)
        .with_virtual_hosted_style_request(config.style == config::Style::Host)
        .with_retry(RETRIES)
        .with_http_connector(http::Connector::new(tls))
        .build()?;
    Ok(store)
}

fn host() -> String {
    nix::unistd::gethostname().map_or_else(
        |_| "unknown".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
