//! The shop: a Django app on a database of its own, and containers that run it under imagecached.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::samples::{Form, Sample};
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};

/// Where the Django project is.
pub const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shop");

/// What the containers run: it writes down which uploads are there when the app starts, and becomes
/// the app.
const LIST_THEN_EXEC: &str =
    r#"find "$MEDIA_ROOT" -mindepth 1 ! -type d -printf '%P\n' > "$FOUND" && exec "$@""#;

/// The Python that has Django.
pub fn python() -> OsString {
    std::env::var_os("IMAGECACHED_TEST_PYTHON").expect(
        "IMAGECACHED_TEST_PYTHON names a Python with tests/shop/requirements.txt: run tests/run",
    )
}

/// The shop's database, with the shop's tables in it, and one upload directory.
pub struct Shop {
    pub sandbox: Sandbox,
    /// Where Django puts large uploads until they are whole. From another file system they come as a
    /// copy, otherwise as a rename.
    pub unfinished: PathBuf,
}

/// An upload that the shop has answered with "created".
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// Where the shop serves it.
    pub url: String,
    /// What Django keeps in `FileField.name`.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl Shop {
    pub fn new(kind: Kind) -> Self {
        let shop = Self::without_tables(kind);
        shop.manage(&["migrate", "--verbosity", "0"]);
        shop
    }

    /// Before Django's `migrate`.
    pub fn without_tables(kind: Kind) -> Self {
        let sandbox = Sandbox::new(kind);
        let unfinished = sandbox.beside().to_owned();
        Self { sandbox, unfinished }
    }

    /// Gives a command what the shop's settings read.
    pub fn settings(&self, command: &mut Command, uploads: &Path) {
        // Three slashes would mean a relative path to Django.
        let url = match self.sandbox.url().strip_prefix("sqlite:///") {
            Some(path) => format!("sqlite:////{path}"),
            None => self.sandbox.url(),
        };
        command
            .env("DATABASE_URL", url)
            .env("MEDIA_ROOT", uploads)
            .env("FILE_UPLOAD_TEMP_DIR", &self.unfinished)
            // gunicorn keeps a socket in the home directory.
            .env("HOME", self.sandbox.beside())
            .env("IMAGECACHED_UPLOAD_DIR", uploads)
            .env("DJANGO_SETTINGS_MODULE", "shop.settings")
            .env("PYTHONPATH", PROJECT)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // No test is about these limits, and machines that run tests are busy.
            .env("IMAGECACHED_BOOT_DEADLINE", "10m")
            .env("IMAGECACHED_SHUTDOWN_LIMIT", "5m")
            .env("GUNICORN_CMD_ARGS", "--timeout 300 --graceful-timeout 120");
    }

    /// `manage.py` with these arguments.
    pub fn manage_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(python());
        command.arg(Path::new(PROJECT).join("manage.py")).args(args);
        self.settings(&mut command, &self.sandbox.uploads);
        command
    }

    /// Runs `manage.py`, which must succeed; gives what it printed.
    pub fn manage(&self, args: &[&str]) -> String {
        let output = self.manage_command(args).output().expect("Python starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "manage.py ended with {}:\n{stderr}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// `imagecached run` with this command behind it.
    pub fn run_command(&self, uploads: &Path, app: &[OsString]) -> Command {
        let mut command = self.sandbox.command(&["run", "--"]);
        self.settings(&mut command, uploads);
        command.args(app);
        command
    }

    /// Starts a container on the upload directory of the sandbox.
    pub fn open(&self) -> Container {
        self.open_on(&self.sandbox.uploads)
    }

    /// Starts a container on another upload directory: gunicorn with two workers.
    pub fn open_on(&self, uploads: &Path) -> Container {
        let found = self.sandbox.beside().join("found");
        let _ = fs::remove_file(&found);
        let mut app: Vec<OsString> = ["sh", "-c", LIST_THEN_EXEC, "sh"].map(Into::into).into();
        app.push(python());
        app.extend(["-m", "gunicorn", "shop.wsgi", "--workers", "2"].map(Into::into));
        // The kernel chooses a port that is free.
        app.extend(["--bind", "127.0.0.1:0"].map(Into::into));
        let mut command = self.run_command(uploads, &app);
        command.env("FOUND", &found);
        let mut running = Running::start(command);
        let site = Site::of_gunicorn(&mut running);
        let found = fs::read_to_string(&found).expect("the container has listed its uploads");
        let mut found: Vec<_> = found.lines().map(str::to_owned).collect();
        found.sort();
        Container { running, site, uploads: uploads.to_owned(), found }
    }

    /// A new container's upload directory, which is empty.
    pub fn empty_disk(&self, name: &str) -> PathBuf {
        let uploads = self.sandbox.beside().join(name);
        fs::create_dir(&uploads).expect("an upload directory");
        uploads
    }
}

/// A running container.
pub struct Container {
    pub running: Running,
    pub site: Site,
    pub uploads: PathBuf,
    /// The files that stood in the upload directory when the app started.
    pub found: Vec<String>,
}

impl Container {
    /// TERM to imagecached; gives how it ended and the log.
    pub fn stop(self) -> (ExitStatus, String) {
        self.running.stop()
    }

    /// Every upload is on this container's disk, and it is served.
    pub fn assert_serves(&self, uploads: &[Uploaded]) {
        for Uploaded { url, path, bytes } in uploads {
            let on_disk = fs::read(self.uploads.join(path));
            assert!(on_disk.is_ok_and(|file| file == *bytes), "{path} is not on the disk");
            assert!(self.site.get(url) == *bytes, "{url} serves other bytes");
        }
    }
}

/// A web site as its visitors see it.
#[derive(Debug, Clone)]
pub struct Site {
    agent: ureq::Agent,
    base: String,
}

impl Site {
    /// The site at this address, such as `127.0.0.1:8000`.
    pub fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    /// The site of the gunicorn that writes into this log.
    pub fn of_gunicorn(running: &mut Running) -> Self {
        let line = running.wait_for_log("Listening at: http://");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        Self::new(address.expect("an address"))
    }

    /// Whether somebody answers.
    pub fn answers(&self, url: &str) -> bool {
        self.agent.get(format!("{}{url}", self.base)).call().is_ok_and(|it| it.status() == 200)
    }

    /// What is at this place; it must be there.
    pub fn get(&self, url: &str) -> Vec<u8> {
        let answer = self.agent.get(format!("{}{url}", self.base)).call();
        let mut answer = answer.unwrap_or_else(|error| panic!("GET {url}: {error}"));
        assert_eq!(answer.status(), 200, "GET {url}");
        answer.body_mut().with_config().limit(64 << 20).read_to_vec().expect("the whole body")
    }

    /// Uploads a file as a browser does, and gives what became of it, if the shop has said
    /// "created".
    pub fn try_upload(&self, sample: &Sample) -> Result<Uploaded, String> {
        let Sample { name, bytes, form } = sample;
        let (place, field) = match form {
            Form::Products => ("/products/", "picture"),
            Form::Documents => ("/documents/", "file"),
        };
        let boundary = "----a-line-that-no-file-has----";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; \
             filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let mut answer = self
            .agent
            .post(format!("{}{place}", self.base))
            .header("Content-Type", format!("multipart/form-data; boundary={boundary}"))
            .send(&body[..])
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        if status != 201 {
            return Err(format!("{status}: {text}"));
        }
        let json: serde_json::Value = serde_json::from_str(&text).expect("the shop speaks JSON");
        let text = |key: &str| json[key].as_str().expect("a text").to_owned();
        Ok(Uploaded { url: text("url"), path: text(field), bytes: bytes.clone() })
    }

    /// Uploads a file; the shop must take it.
    pub fn upload(&self, sample: &Sample) -> Uploaded {
        let uploaded = self.try_upload(sample);
        uploaded.unwrap_or_else(|error| panic!("{} was not taken: {error}", sample.name))
    }
}

/// What has to be the same after a restore: content, modification time and mode.
pub fn snapshot(uploads: &Path) -> BTreeMap<String, (Vec<u8>, i64, u32)> {
    let files = crate::support::program::files_beneath(uploads);
    let with_stat = files.into_iter().map(|(path, bytes)| {
        let stat = fs::metadata(uploads.join(&path)).expect("the file is there");
        let mtime_ns = stat.mtime() * 1_000_000_000 + stat.mtime_nsec();
        (path, (bytes, mtime_ns, stat.mode()))
    });
    with_stat.collect()
}
