//! Processes of this project's tools, and the ports they listen at.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    ops::Range,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
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
    // Fields are dropped in order: the process ends before its address is free again.
    _process: Process,
    _reservation: ReservedAddress,
}

impl Server {
    /// Starts `tool` with arguments that tell it to listen on 127.0.0.1 at the given port, and waits until it does.
    pub(super) async fn start(tool: &str, add_arguments: impl FnOnce(&mut Command, &str)) -> Self {
        let reservation = ReservedAddress::find();
        let address = reservation.address();
        let mut command = Command::new(tool_path(tool));
        add_arguments(&mut command, &address.port().to_string());
        command.current_dir(env!("CARGO_MANIFEST_DIR")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::start(&mut command);
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert_eq!(process.0.try_wait().expect("a status"), None, "{tool} ended instead of listening at {address}");
            assert!(start.elapsed() < Duration::from_mins(1), "{tool} does not answer at {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { address, _process: process, _reservation: reservation }
    }
}

/// The path of a tool in the Python environment that `make setup` makes.
fn tool_path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin").join(name);
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}

/// A TCP address for a server that cannot pick a free port itself.
///
/// A TCP port cannot be held for another process to listen at. The UDP port of the same number is held instead: other
/// tests on this machine find it taken, and leave the TCP port alone.
struct ReservedAddress(UdpSocket);

impl ReservedAddress {
    /// Ports below those that Linux gives to sockets without a port of their own, so that it does not hand them out.
    const PORTS: Range<u16> = 16_384..32_768;

    fn find() -> Self {
        // Each process begins elsewhere, so that the first port it tries is mostly free.
        let begin = process::id() as usize % Self::PORTS.len();
        let ports = Self::PORTS.cycle().skip(begin).take(Self::PORTS.len());
        ports
            .filter_map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok().map(Self))
            .find(|reservation| TcpListener::bind(reservation.address()).is_ok())
            .expect("a free port")
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("the address of a bound socket")
    }
}
