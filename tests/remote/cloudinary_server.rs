//! A small Cloudinary, as strict as its documentation: signatures, timestamps, chunk rules, and
//! authenticated delivery. It can be told to fail in the ways that the real one fails.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::web::{Request, multipart, parse_range, read};

pub const CLOUD: &str = "shop";
pub const KEY: &str = "123456789012345";
pub const SECRET: &str = "s3cret-Of_the-shop";

/// Smallest chunk that is not the last one: "larger than 5 MB".
const LEAST_CHUNK: usize = 5_000_000;
/// A signature is good for an hour.
const SIGNATURE_AGE: u64 = 3_600;

/// What the next request that it concerns meets.
#[derive(Debug, Clone)]
pub enum Fault {
    /// An answer of this status, with headers and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The body of a delivery ends after so many bytes, with the connection.
    CutDelivery(usize),
    /// Nothing comes after so many bytes of a delivery.
    StallDelivery(usize),
    /// The request is read and never answered.
    Silence,
    /// The upload's answer tells this instead of the truth.
    Lie(&'static str, Value),
    /// The delivery announces the truth and sends more.
    TooMuch,
}

#[derive(Debug, Clone)]
struct Asset {
    bytes: Vec<u8>,
    version: u64,
    kind: String,
}

#[derive(Default)]
struct State {
    assets: BTreeMap<String, Asset>,
    chunks: HashMap<String, Vec<u8>>,
    versions: u64,
    faults: Vec<(&'static str, Fault)>,
    seen: Vec<String>,
    largest: Option<u64>,
    broken_rules: Vec<String>,
}

#[derive(Clone)]
pub struct CloudinaryServer {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

impl CloudinaryServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, state: Arc::default() };
        let serving = server.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || {
                    let _ = serving.serve(connection);
                });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("cloudinary://{KEY}:{SECRET}@{CLOUD}?upload_prefix=http://127.0.0.1:{}", self.port)
    }

    /// The next request whose path contains `path` meets a fault; several are met in their order.
    pub fn fault(&self, path: &'static str, fault: Fault) {
        self.state.lock().unwrap().faults.push((path, fault));
    }

    /// Files above this are refused, as by a plan.
    pub fn largest(&self, bytes: u64) {
        self.state.lock().unwrap().largest = Some(bytes);
    }

    /// Method and path of all requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// How many assets there are beside marks, and what rules were broken.
    pub fn assets(&self) -> usize {
        let state = self.state.lock().unwrap();
        assert!(state.broken_rules.is_empty(), "{:?}", state.broken_rules);
        state.assets.keys().filter(|name| !name.contains("/databases/")).count()
    }

    /// Spoils what is stored.
    pub fn truncate_all(&self) {
        self.state.lock().unwrap().assets.values_mut().for_each(|asset| asset.bytes.truncate(3));
    }

    fn take_fault(&self, path: &str) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let at = state.faults.iter().position(|(part, _)| path.contains(part))?;
        Some(state.faults.remove(at).1)
    }

    fn serve(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        while let Some(request) = read(&mut reader)? {
            let line = format!("{} {}", request.method, request.path);
            self.state.lock().unwrap().seen.push(line);
            let fault = self.take_fault(&request.path);
            if let Some(Fault::Silence) = fault {
                std::thread::sleep(Duration::from_secs(60));
                return Ok(());
            }
            let (status, mut headers, mut body) = match fault.clone() {
                Some(Fault::Answer(status, headers, body)) => (status, headers, body.into_bytes()),
                _ => self.answer(&request),
            };
            if let Some(Fault::Lie(field, value)) = &fault {
                let mut told: Value = serde_json::from_slice(&body).unwrap();
                told[*field] = value.clone();
                body = told.to_string().into_bytes();
            }
            if !headers.iter().any(|(name, _)| *name == "Content-Length") {
                headers.push(("Content-Length", body.len().to_string()));
            }
            if let Some(Fault::TooMuch) = &fault {
                headers.retain(|(name, _)| *name != "Content-Length");
                headers.push(("Connection", "close".into()));
                body.extend_from_slice(b"more");
            }
            let mut head = format!("HTTP/1.1 {status} X\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            connection.write_all(format!("{head}\r\n").as_bytes())?;
            if request.method == "HEAD" {
                continue;
            }
            match fault {
                Some(Fault::CutDelivery(at)) => {
                    return connection.write_all(&body[..at.min(body.len())]);
                }
                Some(Fault::StallDelivery(at)) => {
                    connection.write_all(&body[..at.min(body.len())])?;
                    std::thread::sleep(Duration::from_secs(60));
                    return Ok(());
                }
                Some(Fault::TooMuch) => return connection.write_all(&body),
                _ => connection.write_all(&body)?,
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Answer {
        let api = format!("/v1_1/{CLOUD}/");
        let Some(call) = request.path.strip_prefix(&api) else { return self.deliver(request) };
        let answer = match (request.method.as_str(), call) {
            ("POST", "raw/upload") => self.upload(request),
            ("POST", "raw/destroy") => self.destroy(request),
            ("GET", call) => self.admin(request, call),
            _ => Err((404, "unknown call".into())),
        };
        match answer {
            Ok(value) => (200, Vec::new(), value.to_string().into_bytes()),
            Err((status, message)) => {
                if matches!(status, 400 | 500)
                    && !message.starts_with("File size")
                    && message != "Empty file"
                {
                    self.state.lock().unwrap().broken_rules.push(message.clone());
                }
                let body = json!({"error": {"message": message}}).to_string();
                (status, Vec::new(), body.into_bytes())
            }
        }
    }

    fn upload(&self, request: &Request) -> Result<Value, (u16, String)> {
        let bad = |message: String| (400, message);
        let (fields, file) = multipart(request).map_err(bad)?;
        check_signature(&fields)?;
        let id = fields.get("public_id").ok_or_else(|| bad("Missing public_id".into()))?;
        let kind = fields.get("type").map_or("upload", String::as_str);
        let chunk =
            match (request.headers.get("content-range"), request.headers.get("x-unique-upload-id"))
            {
                (None, None) => None,
                (Some(range), Some(unique)) => {
                    Some((parse_range(range).map_err(bad)?, unique.clone()))
                }
                _ => {
                    return Err(bad("Content-Range and X-Unique-Upload-Id belong together".into()));
                }
            };
        let mut state = self.state.lock().unwrap();
        let bytes = match chunk {
            None => file,
            Some(((first, last, total), unique)) => {
                if state.largest.is_some_and(|most| total > most) {
                    return Err(bad(format!(
                        "File size too large. Got {total}. Maximum is {}.",
                        state.largest.unwrap()
                    )));
                }
                if last - first + 1 != file.len() as u64 {
                    return Err(bad("Content-Range does not fit the chunk".into()));
                }
                let is_last = last + 1 == total;
                if !is_last && file.len() <= LEAST_CHUNK {
                    return Err(bad("All parts except EOF-chunk must be larger than 5mb".into()));
                }
                let so_far = state.chunks.entry(unique.clone()).or_default();
                // A chunk that is sent again takes the place of the first one.
                if first > so_far.len() as u64 {
                    return Err(bad("a chunk is missing".into()));
                }
                so_far.truncate(first as usize);
                so_far.extend_from_slice(&file);
                if !is_last {
                    return Ok(
                        json!({"done": false, "kind": "raw", "bytes": so_far.len(), "public_id": id}),
                    );
                }
                state.chunks.remove(&unique).unwrap()
            }
        };
        if bytes.is_empty() {
            return Err(bad("Empty file".into()));
        }
        if state.largest.is_some_and(|most| bytes.len() as u64 > most) {
            return Err(bad(format!(
                "File size too large. Got {}. Maximum is {}.",
                bytes.len(),
                state.largest.unwrap()
            )));
        }
        let name = format!("{kind}/{id}");
        let keep = matches!(fields.get("overwrite").map(String::as_str), Some("0" | "false"));
        let existing = keep && state.assets.contains_key(&name);
        if !existing {
            state.versions += 1;
            let version = 1_700_000_000 + state.versions;
            state.assets.insert(name.clone(), Asset { bytes, version, kind: kind.into() });
        }
        let mut told = self.describe(id, &state.assets[&name]);
        if existing {
            told["existing"] = json!(true);
        }
        Ok(told)
    }

    fn describe(&self, id: &str, asset: &Asset) -> Value {
        let signature = if asset.kind == "authenticated" {
            format!("s--{}--/", &delivery_signature(id))
        } else {
            String::new()
        };
        json!({
            "public_id": id, "version": asset.version, "resource_type": "raw", "type": asset.kind,
            "bytes": asset.bytes.len(), "created_at": "2026-01-02T03:04:05Z",
            "secure_url": format!(
                "http://127.0.0.1:{}/{CLOUD}/raw/{}/{signature}v{}/{id}", self.port, asset.kind, asset.version
            ),
        })
    }

    fn destroy(&self, request: &Request) -> Result<Value, (u16, String)> {
        let fields: HashMap<String, String> =
            url::form_urlencoded::parse(&request.body).into_owned().collect();
        check_signature(&fields)?;
        let name = format!(
            "{}/{}",
            fields.get("type").map_or("upload", String::as_str),
            fields["public_id"]
        );
        let removed = self.state.lock().unwrap().assets.remove(&name);
        Ok(json!({"result": if removed.is_some() { "ok" } else { "not found" }}))
    }

    fn admin(&self, request: &Request, call: &str) -> Result<Value, (u16, String)> {
        use base64::Engine as _;
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{KEY}:{SECRET}"));
        if request.headers.get("authorization") != Some(&format!("Basic {login}")) {
            return Err((401, "Invalid credentials".into()));
        }
        let rest = call.strip_prefix("resources/raw/").ok_or((404, "unknown call".to_owned()))?;
        let state = self.state.lock().unwrap();
        let (kind, id) = rest.split_once('/').unwrap_or((rest, ""));
        if !id.is_empty() {
            let asset = state.assets.get(&format!("{kind}/{id}"));
            return asset
                .map(|asset| self.describe(id, asset))
                .ok_or((404, format!("Resource not found - {id}")));
        }
        let prefix = format!("{kind}/{}", request.query.get("prefix").map_or("", String::as_str));
        // Small pages, so that cursors are needed.
        let from: usize =
            request.query.get("next_cursor").map_or(0, |cursor| cursor.parse().unwrap());
        let all: Vec<_> =
            state.assets.iter().filter(|(name, _)| name.starts_with(&prefix)).collect();
        let page: Vec<Value> = all
            .iter()
            .skip(from)
            .take(2)
            .map(|(name, asset)| self.describe(name.split_once('/').unwrap().1, asset))
            .collect();
        let mut told = json!({"resources": page});
        if from + 2 < all.len() {
            told["next_cursor"] = json!((from + 2).to_string());
        }
        Ok(told)
    }

    fn deliver(&self, request: &Request) -> Answer {
        let refuse =
            |status, why: &str| (status, vec![("X-Cld-Error", why.to_owned())], Vec::new());
        let Some(rest) = request.path.strip_prefix(&format!("/{CLOUD}/raw/")) else {
            return refuse(404, "unknown path");
        };
        let (kind, rest) = rest.split_once('/').unwrap();
        let (signature, rest) =
            match rest.strip_prefix("s--").and_then(|rest| rest.split_once("--/")) {
                Some((signature, rest)) => (signature, rest),
                None => ("", rest),
            };
        let id = rest
            .split_once('/')
            .filter(|(version, _)| version.starts_with('v'))
            .map_or(rest, |(_, id)| id);
        if kind == "authenticated" && signature != delivery_signature(id) {
            return refuse(401, "deny or ACL failure");
        }
        let state = self.state.lock().unwrap();
        let Some(asset) = state.assets.get(&format!("{kind}/{id}")) else {
            return refuse(404, &format!("Resource not found - {id}"));
        };
        let range = request
            .headers
            .get("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let total = asset.bytes.len();
        match range.map(|from| from.parse::<usize>().unwrap()) {
            Some(from) => {
                let range = format!("bytes {from}-{}/{total}", total - 1);
                (206, vec![("Content-Range", range)], asset.bytes[from..].to_vec())
            }
            None => (200, vec![("Content-Length", total.to_string())], asset.bytes.clone()),
        }
    }
}

fn delivery_signature(id: &str) -> String {
    let digest = Sha1::digest(format!("{id}{SECRET}"));
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The rule of the documentation, written down a second time and in another way.
fn check_signature(fields: &HashMap<String, String>) -> Result<(), (u16, String)> {
    let unsigned = ["file", "cloud_name", "resource_type", "api_key", "signature"];
    let sorted: BTreeMap<_, _> =
        fields.iter().filter(|(name, _)| !unsigned.contains(&name.as_str())).collect();
    let text: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let digest = Sha1::digest(format!("{}{SECRET}", text.join("&")));
    let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if fields.get("api_key").map(String::as_str) != Some(KEY) {
        return Err((
            401,
            format!("Invalid api_key {}", fields.get("api_key").map_or("", String::as_str)),
        ));
    }
    let given = fields.get("signature").cloned().unwrap_or_default();
    if given != expected {
        let text = text.join("&");
        return Err((401, format!("Invalid Signature {given}. String to sign - '{text}'.")));
    }
    let stamp: u64 = fields.get("timestamp").and_then(|stamp| stamp.parse().ok()).unwrap_or(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    if now.abs_diff(stamp) > SIGNATURE_AGE {
        return Err((400, "Stale request".into()));
    }
    Ok(())
}
