//! GnuPG itself, with a home of its own that is gone when the test is over.
//!
//! Everything panics that does not go as the test wants it.
#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::must_use_candidate, clippy::new_without_default)]

use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A time long ago, as GnuPG takes it.
pub const LONG_AGO: &str = "20200101T000000!";

/// A GnuPG home.
pub struct GnuPg {
    home: TempDir,
}

impl GnuPg {
    /// An empty home.
    pub fn new() -> Self {
        let mut builder = tempfile::Builder::new();
        builder.prefix("g").permissions(Permissions::from_mode(0o700));
        // The agent's socket lies in it, and a socket's path has a hundred bytes at most: no TMPDIR.
        Self { home: builder.tempdir_in("/tmp").expect("a home for GnuPG") }
    }

    /// Makes a key from the lines of a [parameter file] without `Name-Email`, and returns its fingerprint.
    ///
    /// [parameter file]: https://www.gnupg.org/documentation/manuals/gnupg/Unattended-GPG-key-generation.html
    pub fn make(&self, parameters: &str) -> String {
        self.make_with(&["--faked-system-time", "20240101T000000!"], parameters)
    }

    /// The same, long ago.
    pub fn make_long_ago(&self, parameters: &str) -> String {
        self.make_with(&["--faked-system-time", LONG_AGO], parameters)
    }

    /// The same, with these options.
    pub fn make_with(&self, options: &[&str], parameters: &str) -> String {
        let parameters = format!("%no-protection\n{parameters}\nName-Email: alice@example.com\n%commit\n");
        let status = self.run(&[options, &["--status-fd", "1", "--gen-key"]].concat(), parameters.as_bytes());
        let status = String::from_utf8_lossy(&status);
        let created = status.lines().find_map(|line| line.strip_prefix("[GNUPG:] KEY_CREATED ")).expect("a new key");
        created.split(' ').nth(1).expect("its fingerprint").to_owned()
    }

    /// Adds an encryption subkey at `time` that lives for `lifetime`, and returns its fingerprint.
    pub fn add_encryption_subkey(&self, key: &str, algorithm: &str, time: &str, lifetime: &str) -> String {
        self.run(&["--faked-system-time", time, "--quick-add-key", key, algorithm, "encr", lifetime], b"");
        self.fingerprints(key).pop().expect("a subkey")
    }

    /// The fingerprints of a key's parts, the primary key's first and the newest subkey's last.
    pub fn fingerprints(&self, key: &str) -> Vec<String> {
        let listing = self.run(&["--with-colons", "--with-subkey-fingerprint", "--list-keys", key], b"");
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let field = |line: &str| Some(line.strip_prefix("fpr:")?.trim_matches(':').to_owned());
        listing.lines().filter_map(field).collect()
    }

    /// Revokes a key.
    pub fn revoke(&self, key: &str) {
        let path = self.home.path().join(format!("openpgp-revocs.d/{key}.rev"));
        // The colon is there so that nobody imports the certificate by mistake.
        let certificate =
            fs::read_to_string(path).expect("a revocation certificate").replace(":-----BEGIN", "-----BEGIN");
        self.run(&["--import"], certificate.as_bytes());
    }

    /// Revokes the subkey that is the `number`th, from 1.
    pub fn revoke_subkey(&self, key: &str, number: usize) {
        let commands = format!("key {number}\nrevkey\ny\n0\n\ny\nsave\n");
        self.run(&["--command-fd", "0", "--edit-key", key], commands.as_bytes());
    }

    /// The binary public key.
    pub fn export(&self, key: &str) -> Vec<u8> {
        self.run(&["--export", key], b"")
    }

    /// What `base64 --decode | gpg --decrypt` makes of `message`.
    pub fn decrypt(&self, message: &[u8]) -> Vec<u8> {
        self.run(&["--decrypt"], message)
    }

    /// What GnuPG writes with these arguments, from `input`.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = gpg(self.home.path(), arguments, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?} failed: {errors}");
        output.stdout
    }
}

fn gpg(home: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("gpg")
        .arg("--homedir")
        .arg(home)
        .args(["--batch", "--yes", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("GnuPG is installed");
    child.stdin.take().expect("its input").write_all(input).expect("gpg reads its input");
    child.wait_with_output().expect("gpg ends")
}

impl Drop for GnuPg {
    fn drop(&mut self) {
        for command in ["--kill", "--remove-socketdir"] {
            let mut gpgconf = Command::new("gpgconf");
            gpgconf.arg("--homedir").arg(self.home.path()).arg(command);
            if command == "--kill" {
                gpgconf.arg("all");
            }
            // Where there is no directory for sockets, there is none to remove.
            let _ = gpgconf.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}
