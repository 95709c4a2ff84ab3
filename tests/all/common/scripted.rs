//! A listener that sends the next response of a script to each request and records the requests. For behaviour that the
//! simulated world does not have, and to play a proxy.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One request, with head and body as received.
#[derive(Clone, Debug)]
pub struct ScriptedRequest {
    pub at: Instant,
    pub text: String,
}

/// The listener. It runs until the test process ends; the last response of its script is repeated.
pub struct Scripted {
    pub port: u16,
    requests: Arc<Mutex<Vec<ScriptedRequest>>>,
}

/// A response: status line, header lines, body.
pub type ScriptedResponse = (&'static str, Vec<String>, String);

/// A JSON response.
pub fn json_response(status: &'static str, body: &serde_json::Value) -> ScriptedResponse {
    (status, vec!["content-type: application/json".to_owned()], body.to_string())
}

/// No response, until the client gives up.
pub fn no_response() -> ScriptedResponse {
    ("", Vec::new(), String::new())
}

/// The secrets that the scripted device endpoint and token endpoint return.
pub const DEVICE_CODE: &str = "device-code-that-must-stay-secret";
pub const REFRESH_TOKEN: &str = "refresh-token-that-must-stay-secret";

/// A device code, with `url` as its page.
pub fn device(url: &str) -> ScriptedResponse {
    let response = serde_json::json!({
        "device_code": DEVICE_CODE, "user_code": "USER-CODE", "verification_uri": format!("{url}/activate"),
        "expires_in": 60, "interval": 1,
    });
    json_response("200 OK", &response)
}

/// Tokens with a lifetime of an hour.
pub fn tokens(access_token: &str) -> ScriptedResponse {
    let response = serde_json::json!({
        "token_type": "Bearer", "access_token": access_token, "refresh_token": REFRESH_TOKEN, "expires_in": 3600,
    });
    json_response("200 OK", &response)
}

impl Scripted {
    /// Starts a listener. `script` gets its URL (`http://127.0.0.1:PORT`) and returns the responses.
    pub fn start(script: impl FnOnce(&str) -> Vec<ScriptedResponse>) -> Scripted {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = script(&format!("http://127.0.0.1:{port}"));
        let requests: Arc<Mutex<Vec<ScriptedRequest>>> = Arc::default();
        let noted = Arc::clone(&requests);
        std::thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let Some(text) = request(&mut stream) else { continue };
                let number = {
                    let mut noted = noted.lock().unwrap();
                    noted.push(ScriptedRequest { at: Instant::now(), text });
                    noted.len() - 1
                };
                let (status, headers, body) = &script[number.min(script.len() - 1)];
                if status.is_empty() {
                    unanswered.push(stream);
                    continue;
                }
                let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
                let length = body.len();
                let response = format!(
                    "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                // It does not matter if the client has disconnected.
                let _ = stream.write_all(response.as_bytes());
            }
        });
        Scripted { port, requests }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<ScriptedRequest> {
        self.requests.lock().unwrap().clone()
    }
}

/// Head and body of one request; `None` if the client disconnected.
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
