//! A page of somebody else's in the same browser, which calls the listener in every way that a browser lets it: what is
//! sent then (`Origin`, preflights, opaque requests) and what can be read of the answers is Chromium's to say.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};
use sim::{ALICE, World};

use crate::common::browser::BOTH;
use crate::common::chromium::Chromium;
use crate::common::{HANG, Home};
use crate::hostile_programs::{PATIENT, alone};

/// The page, with a button: a browser opens no window that nobody has clicked for.
const PAGE: &str = include_str!("web_page.html");

/// Where the page comes from, and what it tells.
struct Site {
    address: String,
    told: Receiver<(String, Value)>,
}

impl Site {
    /// Serves the page that is after the listener at this port.
    fn start(port: u16) -> Site {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}/", server.local_addr().unwrap());
        let page = PAGE.replace("LISTENER", &format!("http://localhost:{port}/"));
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in server.incoming().map_while(Result::ok) {
                let (tell, page) = (tell.clone(), page.clone());
                // A browser opens connections ahead, and says nothing on them.
                std::thread::spawn(move || {
                    if let Some((path, told)) = answer(stream, &page) {
                        let _ = tell.send((path, told));
                    }
                });
            }
        });
        Site { address, told }
    }

    /// Waits until the page tells something at this path: what it tells.
    #[track_caller]
    fn wait_for(&self, path: &str) -> Value {
        let (told_at, told) = self.told.recv_timeout(HANG).unwrap();
        assert_eq!(told_at, path, "{told}");
        told
    }
}

/// Answers one request; what was told, if anything was.
fn answer(mut stream: TcpStream, page: &str) -> Option<(String, Value)> {
    let (mut text, mut chunk) = (String::new(), [0; 4096]);
    let (head, body) = loop {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break (head, body);
            }
        }
    };
    let length = page.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
    );
    let _ = stream.write_all(answer.as_bytes());
    let path = head.strip_prefix("POST ")?.split(' ').next()?;
    Some((path.to_owned(), serde_json::from_str(body).unwrap_or_default()))
}

#[test]
fn a_page_that_calls_the_listener_in_every_way_neither_ends_nor_reads_the_sign_in() {
    let _alone = alone();
    let home = Home::new();
    let browser = Chromium::start(&home);
    for issuer in BOTH {
        let (world, home) = (World::start(), Home::new());
        world.approve_automatically(false);
        let sign_in = issuer.start(&world, &home, &[&PATIENT[..], &["-v", "9"]].concat());
        let victim = browser.open(sign_in.address.as_str());
        victim.wait_for_text("wants to sign you in");

        let site = Site::start(sign_in.port());
        let cats = victim.open(&site.address);
        cats.click("button");
        site.wait_for("/sent");
        let told = site.wait_for("/ended");
        assert_eq!(told["read"], json!([]));
        // Whoever wants to read the answer is told that there is none; the others are told that there is one.
        for (how, answered) in told["answered"].as_object().unwrap() {
            let wants_to_read = ["open", "with cookies", "with a header", "another method"].contains(&how.as_str());
            assert_eq!(answered == 0, wants_to_read, "{told}");
        }
        // In the end it goes there itself.
        cats.wait_for_text("Not signed in");

        let more_cats = victim.open(&site.address);
        more_cats.click("button");
        site.wait_for("/sent");
        assert!(world.token_requests("authorization_code").is_empty());
        assert_eq!(world.approve_pending_authorizations(), 1);
        victim.wait_for_text(&format!("Signed in as {ALICE}"));
        let run = sign_in.end();
        run.token();
        assert_eq!(world.token_requests("authorization_code").len(), 1);
        let refused = run.stderr.matches("callback not accepted").count();
        assert!(refused >= 500, "only {refused} callbacks came: {run}");
    }
}
