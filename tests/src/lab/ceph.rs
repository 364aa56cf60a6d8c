//! S3 as a server product has it: Ceph's RADOS gateway, over one monitor and one OSD that keeps its
//! objects in memory.
//!
//! The gateway alone is stopped and started; what was stored outlives it as in a cluster. Requests of
//! the tests themselves are curl's, which signs them on its own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use super::account::Account;
use super::folder::Folder;
use super::launch::Launch;
use super::ports::Port;
use super::process::Process;
use crate::http;
use crate::wait::{GENEROUS, wait_for};

const NAME: &str = "ceph";
const CLUSTER: &str = "6e1a7a34-0000-4000-8000-000000000001";
const DISK: &str = "6e1a7a34-0000-4000-8000-000000000002";

/// The access key that the gateway knows.
pub const KEY_ID: &str = "LABKEYID";
pub const KEY: &str = "LabSecretKey0123456789";

/// A running cluster with its gateway.
#[derive(Debug)]
pub struct Ceph {
    folder: Arc<Folder>,
    monitor: Port,
    plain: Port,
    tls: Port,
    /// Absent while it is stopped.
    gateway: Mutex<Option<Process>>,
}

impl Ceph {
    /// Starts a cluster, makes the access key, and starts the gateway.
    pub async fn start(folder: &Arc<Folder>) -> Result<Self> {
        let claim = || Port::claim().context("claim a port for Ceph");
        let ceph = Self {
            folder: Arc::clone(folder),
            monitor: claim()?,
            plain: claim()?,
            tls: claim()?,
            gateway: Mutex::new(None),
        };
        ceph.make_certificate().await?;
        folder.write("ceph/ceph.conf", &ceph.settings()?)?;
        ceph.start_monitor().await?;
        ceph.start_disk().await?;
        let words = ["user", "create", "--uid=lab", "--display-name=lab"];
        let user = ceph.launch("radosgw-admin").args(words);
        let user = user.arg(format!("--access-key={KEY_ID}"));
        folder.run(&user.arg(format!("--secret-key={KEY}"))).await?;
        ceph.start_gateway().await?;
        Ok(ceph)
    }

    /// `127.0.0.1:PORT`, without TLS.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.plain.number())
    }

    /// `127.0.0.1:PORT`, with TLS.
    #[must_use]
    pub fn tls_address(&self) -> String {
        format!("127.0.0.1:{}", self.tls.number())
    }

    /// PEM file of the authority that vouches for the gateway.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.home().join("gateway.crt")
    }

    /// Kills the gateway; the cluster stays.
    pub async fn kill_gateway(&self) -> Result<()> {
        let gateway = self.locked().take().context("the gateway is stopped")?;
        gateway.kill().await
    }

    /// Starts the gateway where it was before, and waits until it answers.
    pub async fn start_gateway(&self) -> Result<()> {
        let words = ["--foreground", "--name=client.gateway"];
        let gateway = self.folder.start(&self.launch("radosgw").args(words))?;
        let address = self.address();
        wait_for("the gateway answers", GENEROUS, || async {
            if let Err(ended) = gateway.check_running() {
                return Ok(Err(ended));
            }
            http::get(&address, "/").await?.ok()?;
            anyhow::Ok(Ok(()))
        })
        .await??;
        *self.locked() = Some(gateway);
        Ok(())
    }

    /// The running gateway, to pause it.
    pub fn gateway(&self) -> Result<Process> {
        self.locked().clone().context("the gateway is stopped")
    }

    /// Makes a bucket.
    pub async fn make_bucket(&self, bucket: &str) -> Result<()> {
        let words = ["--request".to_owned(), "PUT".to_owned(), self.url(bucket)];
        self.curl(&words).await.map(drop)
    }

    /// The head of an answer about an object, in lower case.
    pub async fn head(&self, object: &str) -> Result<String> {
        let head = self.curl(&["--head".to_owned(), self.url(object)]).await?;
        Ok(head.to_ascii_lowercase())
    }

    /// Copies an object, named `bucket/name`, into a file.
    pub async fn get(&self, object: &str, file: &Path) -> Result<()> {
        let file = file.display().to_string();
        let words = ["--output".to_owned(), file, self.url(object)];
        self.curl(&words).await.map(drop)
    }

    /// Makes an object of a file.
    pub async fn put(&self, file: &Path, object: &str) -> Result<()> {
        let file = file.display().to_string();
        let words = ["--upload-file".to_owned(), file, self.url(object)];
        self.curl(&words).await.map(drop)
    }

    /// The names of all objects of a bucket, sorted.
    pub async fn list(&self, bucket: &str) -> Result<Vec<String>> {
        let listing = self.curl(&[self.url(bucket)]).await?;
        ensure!(
            listing.contains("<IsTruncated>false</IsTruncated>"),
            "a bucket of a lab has few objects: {listing}"
        );
        let names = listing.split("<Key>").skip(1);
        let names = names.filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned()));
        Ok(names.collect())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address())
    }

    async fn curl(&self, words: &[String]) -> Result<String> {
        let launch = Launch::new(NAME, "curl", Account::Own)
            .args(["--silent", "--show-error", "--fail-with-body"])
            .args(["--max-time", "30", "--aws-sigv4", "aws:amz:us-east-1:s3"])
            // Debian's curl signs this header and does not make it.
            .args(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
            .args(["--user", &format!("{KEY_ID}:{KEY}")])
            .args(words);
        self.folder.run(&launch).await
    }

    async fn start_monitor(&self) -> Result<()> {
        let port = self.monitor.number();
        let address = format!("[v1:127.0.0.1:{port}]");
        let map = Launch::new(NAME, "monmaptool", Account::Own)
            .args(["--create", "--fsid", CLUSTER, "--addv", "a", &address])
            .arg("monmap");
        self.folder.run(&map).await?;
        let monitor = || self.launch("ceph-mon").arg("--id=a");
        let make = monitor().args(["--mkfs", "--monmap=monmap"]);
        self.folder.run(&make).await?;
        let process = self.folder.start(&monitor().arg("--foreground"))?;
        wait_for("the monitor answers", GENEROUS, || async {
            if let Err(ended) = process.check_running() {
                return Ok(Err(ended));
            }
            self.ceph(&["mon", "stat"]).await?;
            anyhow::Ok(Ok(()))
        })
        .await?
    }

    async fn start_disk(&self) -> Result<()> {
        // In its first second a monitor may answer one command and refuse the next. Saying this twice
        // is saying it once.
        wait_for("the monitor knows the OSD", GENEROUS, || {
            self.ceph(&["osd", "new", DISK])
        })
        .await?;
        let disk = || self.launch("ceph-osd").arg("--id=0");
        let make = disk().args(["--mkfs", "--osd-uuid", DISK]);
        self.folder.run(&make).await?;
        let serve = disk().arg("--foreground");
        let process = Mutex::new(self.folder.start(&serve)?);
        wait_for("the OSD is up", GENEROUS, || {
            // One that starts while the monitor is busy may be refused, ends, and is started again, as
            // its systemd unit does.
            let alive = self.start_if_ended(&process, &serve);
            async {
                alive?;
                let said = self.ceph(&["osd", "stat"]).await?;
                ensure!(said.contains("1 up"), "{said}");
                Ok(())
            }
        })
        .await
    }

    fn start_if_ended(&self, process: &Mutex<Process>, launch: &Launch) -> Result<()> {
        let mut process = process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.ended().is_some() {
            *process = self.folder.start(launch)?;
        }
        Ok(())
    }

    /// One command to the monitor, which it answers within its time or not at all.
    async fn ceph(&self, words: &[&str]) -> Result<String> {
        let launch = self.launch("ceph").arg("--connect-timeout=10").args(words);
        self.folder.run(&launch).await
    }

    fn launch(&self, program: &str) -> Launch {
        let settings = self.home().join("ceph.conf");
        let launch = Launch::new(NAME, program, Account::Own);
        launch.arg(format!("--conf={}", settings.display()))
    }

    /// A certificate of its own, as private installations have.
    async fn make_certificate(&self) -> Result<()> {
        let launch = Launch::new(NAME, "openssl", Account::Own)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=lab", "-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "gateway.key", "-out", "gateway.crt"]);
        self.folder.run(&launch).await.map(drop)
    }

    fn settings(&self) -> Result<String> {
        let home = self.home();
        let home = home.display();
        let (monitor, plain) = (self.monitor.number(), self.plain.number());
        let tls = self.tls.number();
        let mut text = format!("[global]\nfsid = {CLUSTER}\n");
        writeln!(text, "mon_host = v1:127.0.0.1:{monitor}")?;
        for what in ["cluster", "service", "client"] {
            writeln!(text, "auth_{what}_required = none")?;
        }
        // One disk, one copy; and no second protocol, which wants a second port.
        text += "public_addr = 127.0.0.1\ncluster_addr = 127.0.0.1\nms_bind_msgr2 = false\n\
                 osd_pool_default_size = 1\nosd_pool_default_min_size = 1\n\
                 osd_pool_default_pg_num = 1\nosd_pool_default_pgp_num = 1\n\
                 osd_pool_default_pg_autoscale_mode = off\nosd_crush_chooseleaf_type = 0\n\
                 mon_allow_pool_size_one = true\nmon_data_avail_crit = 1\nmon_data_avail_warn = 1\n\
                 osd_objectstore = memstore\nmemstore_device_bytes = 1073741824\n\
                 rgw_thread_pool_size = 32\nlog_to_stderr = false\npid_file =\n";
        for folder in ["mon", "osd", "rgw"] {
            std::fs::create_dir_all(self.home().join(folder))?;
            writeln!(text, "{folder}_data = {home}/{folder}")?;
        }
        writeln!(text, "run_dir = {home}\nkeyring = {home}/keyring")?;
        writeln!(text, "admin_socket = {home}/$name.asok")?;
        writeln!(text, "log_file = {home}/$name.log")?;
        writeln!(
            text,
            "rgw_frontends = beast endpoint=127.0.0.1:{plain} ssl_endpoint=127.0.0.1:{tls} \
             ssl_certificate={home}/gateway.crt ssl_private_key={home}/gateway.key"
        )?;
        Ok(text)
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.gateway.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
