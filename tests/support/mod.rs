//! Everything the function needs around it, on this machine: AWS (moto), a front before it that watches the calls
//! and plays faults, and the Lambda API (cargo-lambda) with the built binary behind it.
//!
//! Each [`Lab`] is its own: free ports, an empty account, no state left when it is dropped.
#![allow(dead_code, unused_imports, reason = "each user takes a part")]
#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::panic, clippy::unwrap_used)]
#![allow(missing_docs, unreachable_pub)]

mod aws;
mod front;
mod function;
pub mod requests;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

pub use aws::Aws;
pub use front::{Call, Fault, Front};
pub use function::Function;
use serde_json::Value;

/// A function in its surroundings.
pub struct Lab {
    pub function: Function,
    pub front: Front,
    pub aws: Aws,
}

impl Lab {
    pub async fn start() -> Self {
        let aws = Aws::start().await;
        let front = Front::start(aws.address).await;
        let function = Function::start(front.address).await;
        Self { function, front, aws }
    }

    pub async fn invoke(&self, request: &Value) -> Value {
        self.function.invoke(request.to_string()).await
    }
}

/// A process that ends when its owner is dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A tool from the project's Python environment, which `make` sets up.
fn tool(name: &str) -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin").join(name);
    assert!(tool.exists(), "{} is missing: run `make setup`", tool.display());
    tool
}

/// A TCP address for a server that cannot pick its own, this process's alone until it is dropped.
///
/// Nobody can hold a TCP port for another process to listen on. So the UDP port of the same number is held, which
/// every other lab on this machine finds taken. The ports are below those that the kernel gives to whoever names none.
struct ReservedAddress {
    address: SocketAddr,
    _reservation: UdpSocket,
}

impl ReservedAddress {
    fn take() -> Self {
        static TAKEN: AtomicU32 = AtomicU32::new(0);
        (0..PORTS)
            .find_map(|_| {
                // Where a process begins to look does not matter, only that not all begin at the same port.
                let number = process::id().wrapping_mul(64).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
                let port = u16::try_from(FIRST_PORT + number % PORTS).expect("a port");
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let reservation = UdpSocket::bind(address).ok()?;
                TcpListener::bind(address).ok()?;
                Some(Self { address, _reservation: reservation })
            })
            .expect("a free port")
    }
}

const FIRST_PORT: u32 = 16_384;
const PORTS: u32 = 16_384;

async fn wait_for(address: SocketAddr, what: &str, process: &mut Process) {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert_eq!(process.0.try_wait().expect("a status"), None, "{what} ended instead of listening at {address}");
        assert!(start.elapsed() < Duration::from_mins(1), "{what} does not answer at {address}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
