//! A real browser: headless Chromium, controlled with the DevTools protocol. The messages use a pipe, so that no driver
//! and no port is needed, and so that the browser always ends with the test.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::common::{HANG, Home, needed};

/// Chromium reads DevTools messages from its descriptor 3 and writes to 4.
const ON_PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >&2"#;

/// No request leaves the machine, and everything works in a container.
const FLAGS: [&str; 11] = [
    "--remote-debugging-pipe",
    "--headless=new",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
    "--no-proxy-server",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
];

/// A running browser without a window.
pub struct Chromium {
    process: Child,
    pipe: Mutex<Pipe>,
}

/// The messages: JSON texts, each followed by a zero byte.
struct Pipe {
    to: ChildStdin,
    from: Receiver<Value>,
    last: u64,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // First asks it to exit, so that none of its processes still writes into the profile; then kills it.
        let pipe = self.pipe.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = pipe.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        while pipe.from.recv_timeout(Duration::from_secs(10)).is_ok() {}
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Chromium {
    /// Starts it with a profile in this home directory.
    pub fn start(home: &Home) -> Chromium {
        let mut command = Command::new("sh");
        sim::isolate(&mut command, home.path()).args(["-c", ON_PIPES]).arg(needed("chromium", "chromium")).args(FLAGS);
        command.arg(format!("--user-data-dir={}", home.path().join("chromium").display()));
        if rustix::process::geteuid().is_root() {
            // The sandbox does not work as root.
            command.arg("--no-sandbox");
        }
        let log = File::create(home.path().join("chromium.log")).unwrap();
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (to, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (sender, from) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let _ = sender.send(serde_json::from_slice(&message).unwrap());
            }
        });
        Chromium { process, pipe: Mutex::new(Pipe { to, from, last: 0 }) }
    }

    /// Opens an address in a window that shares no cookies with the others, as if it were another user's.
    pub fn open(&self, address: &str) -> Tab<'_> {
        let context = self.call(None, "Target.createBrowserContext", json!({})).unwrap();
        self.open_in(context["browserContextId"].clone(), address)
    }

    fn open_in(&self, context: Value, address: &str) -> Tab<'_> {
        let made = json!({ "url": "about:blank", "browserContextId": context });
        let target = self.call(None, "Target.createTarget", made).unwrap()["targetId"].clone();
        let session = self.call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true })).unwrap();
        let session = session["sessionId"].as_str().unwrap().to_owned();
        let tab = Tab { chromium: self, context, target, session };
        tab.go(address);
        tab
    }

    /// Calls a method and returns its result. Skips events, and results of other calls.
    fn call(&self, session: Option<&str>, method: &str, parameters: Value) -> Result<Value, String> {
        let mut pipe = self.pipe.lock().unwrap();
        pipe.last += 1;
        let id = pipe.last;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        pipe.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        let until = Instant::now() + HANG;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut answer = pipe.from.recv_timeout(left).unwrap_or_else(|_| panic!("no response to {method}"));
            if answer["id"] == id {
                return match &answer["error"]["message"] {
                    Value::String(error) => Err(error.clone()),
                    _ => Ok(answer["result"].take()),
                };
            }
        }
    }
}

/// A tab, which stays open until it is closed or the browser ends.
pub struct Tab<'a> {
    chromium: &'a Chromium,
    context: Value,
    target: Value,
    session: String,
}

impl<'a> Tab<'a> {
    /// Opens another tab of the same window, with the same cookies.
    pub fn open(&self, address: &str) -> Tab<'a> {
        self.chromium.open_in(self.context.clone(), address)
    }

    /// Goes to an address, as if it had been typed. If it cannot be loaded, the browser shows an error page.
    pub fn go(&self, address: &str) {
        self.call("Page.navigate", json!({ "url": address }));
    }

    /// Sets the inner size of the window, in CSS pixels.
    pub fn size(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    pub fn back(&self) {
        let history = self.call("Page.getNavigationHistory", json!({}));
        let current = usize::try_from(history["currentIndex"].as_u64().unwrap()).unwrap();
        let before = &history["entries"][current.checked_sub(1).expect("a page before this one")];
        self.call("Page.navigateToHistoryEntry", json!({ "entryId": before["id"] }));
    }

    pub fn reload(&self) {
        self.call("Page.reload", json!({}));
    }

    pub fn close(self) {
        self.chromium.call(None, "Target.closeTarget", json!({ "targetId": self.target })).unwrap();
    }

    /// Waits until the page has loaded and has an element that matches this CSS selector.
    #[track_caller]
    pub fn wait_for(&self, selector: &str) {
        self.wait_until(&format!("document.querySelector({})", json!(selector)));
    }

    /// Waits until the page has loaded and shows this text.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        self.wait_until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Waits until the page has loaded and a JavaScript condition is true. It polls, because there are no events for
    /// some of the changes of a page.
    #[track_caller]
    pub fn wait_until(&self, condition: &str) {
        let until = Instant::now() + HANG;
        while self.evaluate(&format!("document.readyState == 'complete' && !!{condition}")) != Some(Value::Bool(true)) {
            assert!(Instant::now() < until, "not {condition} at {}:\n{}", self.address(), self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for an element and clicks in its middle. Does not wait for the effect of the click.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.wait_for(selector);
        let place = format!(
            "(() => {{ const element = document.querySelector({}); element.scrollIntoView({{ block: 'center' }}); \
             const box = element.getBoundingClientRect(); \
             return {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }} }})()",
            json!(selector)
        );
        let place = self.evaluate(&place).expect("the element still exists");
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place["x"], "y": place["y"], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Waits for an input field and replaces its content.
    #[track_caller]
    pub fn type_into(&self, selector: &str, text: &str) {
        self.click(selector);
        self.evaluate(&format!("document.querySelector({}).select()", json!(selector)));
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// The address of the page.
    pub fn address(&self) -> String {
        self.evaluate("location.href").and_then(|address| Some(address.as_str()?.to_owned())).unwrap_or_default()
    }

    /// The visible text of the page.
    pub fn text(&self) -> String {
        self.evaluate("document.body.innerText").and_then(|text| Some(text.as_str()?.to_owned())).unwrap_or_default()
    }

    /// Writes a screenshot into a PNG file.
    pub fn screenshot(&self, file: &Path) {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let picture = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        fs::write(file, picture).unwrap();
    }

    /// The value of a JavaScript expression; `None` while the browser changes to another page.
    fn evaluate(&self, expression: &str) -> Option<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.chromium.call(Some(&self.session), "Runtime.evaluate", parameters).ok()?;
        answer.get("exceptionDetails").is_none().then(|| answer["result"]["value"].take())
    }

    fn call(&self, method: &str, parameters: Value) -> Value {
        self.chromium.call(Some(&self.session), method, parameters).unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}
