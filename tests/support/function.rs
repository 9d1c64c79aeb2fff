//! The built binary behind the Lambda API.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{
    lock,
    process::{Process, Server},
};

/// The name of the function and of its binary.
const NAME: &str = "iam-access-key";

/// The region that Lambda runs the function in. Another than that of the requests, so that a mix-up shows.
pub const FUNCTION_REGION: &str = "eu-central-1";

/// The group that root starts the function in, so that it shows in `/proc` whether the process is kept private.
#[cfg(unix)]
const GROUP: u32 = 65_534;

/// The function, deployed on this machine.
pub struct Function {
    aws: SocketAddr,
    client: reqwest::Client,
    log: Arc<Mutex<Vec<String>>>,
    process: Mutex<Process>,
    lambda: Server,
}

impl Function {
    /// Starts the Lambda API and the binary behind it, which finds AWS at `aws` and logs all it can.
    pub async fn start(aws: SocketAddr) -> Self {
        let api = ["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1", "--invoke-port", "PORT"];
        let lambda = Server::start("cargo-lambda", &api).await;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(90)).build().expect("a client");
        let log = Arc::default();
        let process = Mutex::new(start_process(lambda.address, aws, &log));
        Self { aws, client, log, process, lambda }
    }

    /// Kills the process, as when its host dies, and starts another.
    pub fn kill_and_restart(&self) {
        let mut process = lock(&self.process);
        process.0.kill().expect("a process to kill");
        *process = start_process(self.lambda.address, self.aws, &self.log);
    }

    /// Stops the process for so long, as Lambda does between two invocations.
    #[cfg(unix)]
    pub async fn freeze(&self, time: Duration) {
        let id = rustix::process::Pid::from_raw(self.process_id().cast_signed()).expect("a process");
        rustix::process::kill_process(id, rustix::process::Signal::STOP).expect("a process to stop");
        tokio::time::sleep(time).await;
        rustix::process::kill_process(id, rustix::process::Signal::CONT).expect("a process to continue");
    }

    /// Sends the bytes of a request and returns the function's answer.
    pub async fn invoke(&self, request: impl Into<reqwest::Body>) -> Value {
        let url = format!("http://{}/2015-03-31/functions/{NAME}/invocations", self.lambda.address);
        let answer = self.client.post(url).body(request).send().await.expect("the Lambda API");
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        assert!(status.is_success(), "the function ended in a Lambda error: {text}");
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
    }

    /// Every line that the process has written so far, and those before it.
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).clone()
    }

    pub fn process_id(&self) -> u32 {
        lock(&self.process).0.id()
    }
}

fn start_process(lambda: SocketAddr, aws: SocketAddr, log: &Arc<Mutex<Vec<String>>>) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iam-access-key"));
    #[cfg(unix)]
    if rustix::process::getuid().is_root() {
        std::os::unix::process::CommandExt::gid(&mut command, GROUP);
    }
    let mut process = Process::start(
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", format!("http://{lambda}/.rt/{NAME}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", NAME)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_REGION", FUNCTION_REGION)
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

/// Adds the lines of `output` to the log until it ends.
fn collect(output: impl std::io::Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lock(&log).push(line);
        }
    });
}
