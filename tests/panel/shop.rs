//! A shop whose pictures are guarded, and whose panel is open to a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use imagecached::model::UploadPath;
use imagecached::model::version::Trash;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};

const TOKEN: &str = "a-token-for-the-tests-of-the-panel";

/// A file that is in the database, and not on the disk.
pub const LOST: &str = "products/2026/08/isfahan-vase-1.jpg";

/// Another one, which nobody has used for a year.
pub const OLD: &str = "catalogue/price-list-2026.pdf";

/// An entry whose bytes are not what they should be.
pub const DAMAGED: &str = "catalogue/terms.txt";

/// The shop's files, drawn once for all tests.
static SAMPLES: LazyLock<PathBuf> = LazyLock::new(|| {
    let samples = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panel-samples");
    let _ = fs::remove_dir_all(&samples);
    fs::create_dir_all(&samples).expect("a directory");
    python("draw.py", &[samples.to_str().expect("UTF-8")], &[]);
    samples
});

/// A running daemon with a panel, and what it guards.
pub struct Shop {
    pub sandbox: Sandbox,
    running: Running,
    /// Where the panel is, such as `http://127.0.0.1:8310/partners/image-cache/admin/`.
    panel: String,
}

impl Shop {
    /// Opens a shop with all its files; they are safe already.
    pub fn open(kind: Kind) -> Self {
        let mut sandbox = Sandbox::new(kind);
        sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
        let (running, panel) = serve(&sandbox, "watch");
        let mut count = 0;
        for entry in walkdir::WalkDir::new(&*SAMPLES) {
            let entry = entry.expect("a sample");
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(&*SAMPLES).expect("beneath it");
                sandbox.write(
                    path.to_str().expect("UTF-8"),
                    &fs::read(entry.path()).expect("a sample"),
                );
                count += 1;
            }
        }
        sandbox.wait_for_entries(count);
        let shop = Self { sandbox, running, panel };
        shop.age(kind);
        shop
    }

    /// Makes the shop look as if it had been open for a while.
    fn age(&self, kind: Kind) {
        let ago = |days: &str| match kind {
            Kind::Sqlite => {
                format!("strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || ({days}) || ' days')")
            }
            Kind::MariaDb => format!("now(6) - INTERVAL ({days}) DAY"),
            _ => format!("now() - ({days}) * INTERVAL '1 day'"),
        };
        let days = ago("(id * 7) % 29");
        self.sandbox
            .sql(&format!("UPDATE image_cache SET created_at = {days}, updated_at = {days}"));
        self.sandbox.sql(&format!(
            "UPDATE image_cache SET last_accessed = {} WHERE original_path = '{OLD}'",
            ago("400")
        ));
        self.sandbox.sql(
            "UPDATE image_cache SET content_type = 'shop.product', object_id = id % 22 + 1
             WHERE original_path LIKE 'products/%'",
        );
        self.sandbox.sql(&format!(
            "UPDATE image_cache SET image_data = 'bm90IHdoYXQgaXQgd2Fz'
             WHERE original_path = '{DAMAGED}'"
        ));
        for path in [LOST, OLD] {
            fs::remove_file(self.sandbox.uploads.join(path)).expect("the file goes");
        }
    }

    /// The same database, shown by a process that does not see the disk.
    pub fn away_from_the_disk(self) -> Self {
        let Self { sandbox, running, .. } = self;
        running.stop();
        let (running, panel) = serve(&sandbox, "serve");
        Self { sandbox, running, panel }
    }

    /// Moves the entries of these paths to the trash.
    pub fn trash(&self, paths: &[&str]) {
        let store = self.sandbox.store();
        self.sandbox.block_on(async {
            let paths: Vec<_> =
                paths.iter().map(|path| UploadPath::parse(path).expect("a path")).collect();
            let stored = store.stored(&paths).await.expect("an answer");
            let leaving: Vec<_> = stored.values().map(|stored| stored.id.into()).collect();
            let moved = store.trash(&leaving, Trash::Deleted).await.expect("it is moved");
            assert_eq!(moved, paths.len() as u64);
            store.close().await;
        });
    }

    /// Lets `visit.py` do something in a browser; it must be content with what it sees. Screenshots go
    /// to `target/panel`.
    pub fn visit(&self, what: &str) {
        let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/panel");
        fs::create_dir_all(&pictures).expect("a directory");
        let uploads = self.sandbox.uploads.to_str().expect("UTF-8");
        let environment = [
            ("PANEL", self.panel.as_str()),
            ("TOKEN", TOKEN),
            ("UPLOADS", uploads),
            ("PICTURES", pictures.to_str().expect("UTF-8")),
            ("LOST", LOST),
            ("OLD", OLD),
            ("DAMAGED", DAMAGED),
        ];
        python("visit.py", &[what], &environment);
        let _ = &self.running;
    }
}

/// Starts a command that answers HTTP; gives where its panel is.
fn serve(sandbox: &Sandbox, command: &str) -> (Running, String) {
    let mut running = sandbox.start(&[command, "--listen", "127.0.0.1:0"]);
    let line = running.wait_for_log("event=listening");
    let url = line.split_once("url=").expect("an address").1;
    let url = url.split([' ', '"']).find(|part| !part.is_empty()).expect("an address").to_owned();
    (running, url)
}

/// Runs a script with the Python that `tests/run` has made for this; it must succeed.
fn python(script: &str, args: &[&str], environment: &[(&str, &str)]) {
    let program = std::env::var_os("IMAGECACHED_TEST_PANEL_PYTHON")
        .expect("IMAGECACHED_TEST_PANEL_PYTHON is not set: run tests/run");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/panel");
    let output = Command::new(program)
        .arg(here.join(script))
        .args(args)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .output()
        .expect("Python starts");
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success(), "{script} {args:?}:\n{}", said.join("\n"));
}
