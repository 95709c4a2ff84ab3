//! A foreign page in the same browser, which contacts the listener in every way that a browser allows. Chromium decides
//! what it sends (`Origin`, preflights, opaque requests) and what the page can read.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};

use serde_json::{Value, json};
use sim::{ALICE, World};

use crate::common::browser::BOTH;
use crate::common::chromium::Chromium;
use crate::common::{HANG, Home};
use crate::hostile_programs::{PATIENT, one_at_a_time};

/// The page, with a button, because browsers open windows only after a click.
const PAGE: &str = include_str!("web_page.html");

/// The server of the page, and the page's reports.
struct Site {
    address: String,
    report: Receiver<(String, Value)>,
}

impl Site {
    /// Serves the page that attacks the listener at this port.
    fn start(port: u16) -> Site {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}/", server.local_addr().unwrap());
        let page = PAGE.replace("LISTENER", &format!("http://localhost:{port}/"));
        let (sender, report) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in server.incoming().map_while(Result::ok) {
                let (sender, page) = (sender.clone(), page.clone());
                // Browsers open connections in advance, and send nothing on them.
                std::thread::spawn(move || {
                    if let Some((path, report)) = respond(stream, &page) {
                        let _ = sender.send((path, report));
                    }
                });
            }
        });
        Site { address, report }
    }

    /// Waits for the page's report at this path.
    #[track_caller]
    fn wait_for(&self, path: &str) -> Value {
        let (reported_at, report) = self.report.recv_timeout(HANG).unwrap();
        assert_eq!(reported_at, path, "{report}");
        report
    }
}

/// Responds to one request. Returns the path and body of a report.
fn respond(mut stream: TcpStream, page: &str) -> Option<(String, Value)> {
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
    let response = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
    );
    let _ = stream.write_all(response.as_bytes());
    let path = head.strip_prefix("POST ")?.split(' ').next()?;
    Some((path.to_owned(), serde_json::from_str(body).unwrap_or_default()))
}

#[test]
fn hostile_page_can_neither_end_nor_read_the_sign_in() {
    let _alone = one_at_a_time();
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
        let report = site.wait_for("/ended");
        assert_eq!(report["read"], json!([]));
        // Requests that want to read the response fail in the browser; the others succeed.
        for (how, answered) in report["answered"].as_object().unwrap() {
            let reads_response = ["open", "with cookies", "with a header", "another method"].contains(&how.as_str());
            assert_eq!(answered == 0, reads_response, "{report}");
        }
        // At the end, the page itself navigates to the listener.
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
