//! Keys that stand in files. They are read for each request, so that they can be replaced while the
//! collector runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

/// The files of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    /// The key's id.
    pub id: PathBuf,
    /// The secret.
    pub secret: PathBuf,
}

impl KeyFiles {
    /// Reads both; says what is wrong with them in words for an operator, without what is in them.
    pub(super) fn read(&self) -> Result<AwsCredential, String> {
        Ok(AwsCredential {
            key_id: line(&self.id)?,
            secret_key: line(&self.secret)?,
            token: None,
        })
    }
}

#[async_trait]
impl CredentialProvider for KeyFiles {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let files = self.clone();
        let read = tokio::task::spawn_blocking(move || files.read()).await?;
        let keys = read.map_err(|reason| object_store::Error::Generic {
            store: "S3",
            source: reason.into(),
        })?;
        Ok(Arc::new(keys))
    }
}

/// The one line of a file.
fn line(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let line = text.trim();
    // It becomes part of a header.
    if line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "{} does not hold a key, in one line",
            path.display()
        ));
    }
    Ok(line.to_owned())
}
