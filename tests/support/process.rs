//! Processes of this project's tools.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A process that ends when its owner is dropped.
pub(super) struct Process(pub(super) Child);

impl Process {
    pub(super) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A tool of the project's Python environment that serves TCP at an address reserved for it.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    _process: Process,
}

impl Server {
    /// Starts `tool` with arguments that tell it to listen on 127.0.0.1 at `PORT`, and waits until it does.
    pub(super) async fn start(tool: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(tool_path("python"));
        command.arg("dev/ports.py").arg(tool_path(tool)).args(arguments);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdout(Stdio::piped());
        let mut process = Process::start(&mut command);
        let mut port = String::new();
        let output = process.0.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut port).expect("the port");
        let port = port.trim().parse().unwrap_or_else(|_| panic!("{command:?} found no port"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert_eq!(process.0.try_wait().expect("a status"), None, "{tool} ended instead of listening at {address}");
            assert!(start.elapsed() < Duration::from_mins(1), "{tool} does not answer at {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { address, _process: process }
    }
}

/// The path of a tool in the Python environment that `make setup` makes.
fn tool_path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}
