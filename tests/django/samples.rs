//! What customers upload: pictures of all formats and sizes, and documents.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::shop::python;

/// One file to upload.
#[derive(Debug, Clone)]
pub struct Sample {
    pub name: String,
    pub bytes: Vec<u8>,
    /// The form that takes it: the shop looks into pictures, not into documents.
    pub form: Form,
}

/// The forms of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Products,
    Documents,
}

impl Sample {
    /// A document whose content nobody else has: its name, again and again, up to `size` bytes.
    pub fn document(name: &str, size: usize) -> Self {
        let line = format!("{name}\n");
        let bytes = line.bytes().cycle().take(size.max(line.len())).collect();
        Self { name: name.to_owned(), bytes, form: Form::Documents }
    }
}

/// More than 60 pictures, from bytes to 6 MiB, and a few documents.
pub fn samples() -> &'static [Sample] {
    static SAMPLES: OnceLock<Vec<Sample>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/django/pictures.py");
        let made = Command::new(python()).arg(script).arg(directory.path()).status();
        assert!(made.expect("Python starts").success(), "the pictures could not be made");
        let mut samples = read(&directory.path().join("pictures"), Form::Products);
        assert!(samples.len() >= 60, "{} pictures", samples.len());
        samples.extend(read(&directory.path().join("documents"), Form::Documents));
        samples
    })
}

fn read(directory: &Path, form: Form) -> Vec<Sample> {
    let files = fs::read_dir(directory).expect("the pictures");
    files
        .map(|file| {
            let file = file.expect("a file");
            let name = file.file_name().into_string().expect("UTF-8");
            Sample { name, bytes: fs::read(file.path()).expect("a file"), form }
        })
        .collect()
}
