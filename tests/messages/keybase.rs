//! Keybase, as a case scripts it: a mirror on this machine.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use serde::Deserialize;

/// What Keybase does with the one request that it gets.
#[derive(Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Keybase {
    Answer { status: u16, body: String },
    Fault { fault: Fault },
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// Nobody listens.
    Down,
    /// Nothing ever comes back.
    Hang,
    /// Less than it promised.
    Short,
    /// Spaces without end.
    Endless,
}

impl Keybase {
    /// Whether a real answer is waited for. Simulated time would not wait for it.
    pub(crate) fn takes_time(&self) -> bool {
        !matches!(self, Self::Fault { fault: Fault::Hang })
    }

    /// Listens, and returns the base URL.
    pub(crate) fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        if !matches!(self, Self::Fault { fault: Fault::Down }) {
            thread::spawn(move || self.answer(&listener.accept().unwrap().0));
        }
        url
    }

    fn answer(&self, mut stream: &TcpStream) {
        for line in BufReader::new(stream).lines() {
            if line.unwrap().is_empty() {
                break;
            }
        }
        match self {
            Self::Answer { status, body } => {
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
            }
            Self::Fault { fault: Fault::Short } => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").unwrap();
            }
            Self::Fault { fault: Fault::Endless } => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").unwrap();
                // Until the function hangs up.
                while stream.write_all(&[b' '; 4096]).is_ok() {}
            }
            Self::Fault { fault: Fault::Hang | Fault::Down } => thread::park(),
        }
    }
}
