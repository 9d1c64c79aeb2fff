//! The built binary behind the Lambda API.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{Process, ReservedAddress, tool, wait_for};

/// The name of the binary, and so of the function.
const NAME: &str = "iam-access-key";

pub struct Function {
    pub address: SocketAddr,
    aws: SocketAddr,
    client: reqwest::Client,
    log: Arc<Mutex<Vec<String>>>,
    process: Mutex<Process>,
    _api: Process,
    _reservation: ReservedAddress,
}

impl Function {
    /// Starts the Lambda API and the binary behind it, with AWS at `aws`, logging all it can.
    pub async fn start(aws: SocketAddr) -> Self {
        let reservation = ReservedAddress::take();
        let address = reservation.address;
        let mut api = Process::start(
            Command::new(tool("cargo-lambda"))
                .args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"])
                .args(["--invoke-port", &address.port().to_string()])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        wait_for(address, "the Lambda API", &mut api).await;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(90)).build().expect("a client");
        let log = Arc::new(Mutex::default());
        let process = Mutex::new(start_process(address, aws, &log));
        Self { address, aws, client, log, process, _api: api, _reservation: reservation }
    }

    /// Ends the process at once, as when its host dies, and starts another.
    pub fn kill_and_restart(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.0.kill().expect("a process to kill");
        *process = start_process(self.address, self.aws, &self.log);
    }

    /// Sends a request body as it is and returns the function's answer.
    pub async fn invoke(&self, request: impl Into<reqwest::Body>) -> Value {
        let url = format!("http://{}/2015-03-31/functions/{NAME}/invocations", self.address);
        let answer = self.client.post(url).body(request).send().await.expect("the Lambda API");
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        assert!(status.is_success(), "the function ended in a Lambda error: {text}");
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
    }

    /// Every line the process has written so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn process_id(&self) -> u32 {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).0.id()
    }
}

fn start_process(address: SocketAddr, aws: SocketAddr, log: &Arc<Mutex<Vec<String>>>) -> Process {
    let mut process = Process::start(
        Command::new(binary())
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{address}/.rt/{NAME}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", NAME)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .env("RUST_LOG", "trace,aws_smithy_runtime=trace")
            .env("AWS_ENDPOINT_URL", format!("http://{aws}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    collect(process.0.stdout.take().expect("piped"), log);
    collect(process.0.stderr.take().expect("piped"), log);
    process
}

/// Tests run in `target/PROFILE/deps`, examples in `target/PROFILE/examples`: the binary is next door.
fn binary() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    let binary = this.ancestors().nth(2).expect("a directory").join(NAME);
    assert!(binary.exists(), "{} is missing: run `cargo build`", binary.display());
    binary
}

fn collect(output: impl std::io::Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}
