//! A listener that answers each request with the next line of a script and remembers what it was asked; for what the
//! simulated world does not do, and for standing in as a proxy.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One request, head and body as they came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Instant,
    pub text: String,
}

/// The listener. It answers until the test process ends; the last line of its script is used again and again.
pub struct Scripted {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// An answer: status line, header lines, body.
pub type Line = (&'static str, Vec<String>, String);

/// A JSON answer.
pub fn json_answer(status: &'static str, body: &serde_json::Value) -> Line {
    (status, vec!["content-type: application/json".to_owned()], body.to_string())
}

/// No answer, for as long as somebody waits for one.
pub fn silence() -> Line {
    ("", Vec::new(), String::new())
}

/// What the scripted device endpoint and token endpoint give out.
pub const DEVICE_CODE: &str = "device-code-that-nobody-should-see";
pub const REFRESH_TOKEN: &str = "refresh-token-that-nobody-should-see";

/// A device code, to be used at `url`.
pub fn device(url: &str) -> Line {
    let answer = serde_json::json!({
        "device_code": DEVICE_CODE, "user_code": "USER-CODE", "verification_uri": format!("{url}/activate"),
        "expires_in": 60, "interval": 1,
    });
    json_answer("200 OK", &answer)
}

/// Tokens good for an hour.
pub fn tokens(access_token: &str) -> Line {
    let answer = serde_json::json!({
        "token_type": "Bearer", "access_token": access_token, "refresh_token": REFRESH_TOKEN, "expires_in": 3600,
    });
    json_answer("200 OK", &answer)
}

impl Scripted {
    /// Answers as `script` makes it of its own URL (`http://127.0.0.1:PORT`).
    pub fn start(script: impl FnOnce(&str) -> Vec<Line>) -> Scripted {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = script(&format!("http://127.0.0.1:{port}"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let Some(text) = request(&mut stream) else { continue };
                let number = {
                    let mut noted = noted.lock().unwrap();
                    noted.push(Asked { at: Instant::now(), text });
                    noted.len() - 1
                };
                let (status, headers, body) = &script[number.min(script.len() - 1)];
                if status.is_empty() {
                    unanswered.push(stream);
                    continue;
                }
                let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                // A client that has gone away is none of our business.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Scripted { port, asked }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What has been asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Head and body of one request; nothing if the client left.
fn request(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
