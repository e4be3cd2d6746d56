//! The files of a self-test: every size that is stored differently, and names that break programs.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::UploadPath;
use crate::model::entry::CHUNK_BYTES;
use crate::self_test::path_beneath;

/// A picture of one transparent point.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
\0\0\0\x0bIDATx\xdac`\0\x02\0\0\x05\0\x01\xe9\xfa\xdc\xd8\0\0\0\0IEND\xaeB`\x82";

/// A file with everything that has to come back.
#[derive(Debug)]
pub struct Sample {
    pub path: UploadPath,
    pub bytes: Vec<u8>,
    modified: SystemTime,
    mode: u32,
}

/// All samples, their paths beneath `prefix`.
pub fn all(prefix: &str, inline_limit: u64) -> Vec<Sample> {
    let limit = usize::try_from(inline_limit).expect("the inline limit fits into memory");
    let several_chunks = limit + 3 * CHUNK_BYTES;
    // The second of September 2001, with a fraction that a column of seconds would lose.
    let long_ago = UNIX_EPOCH + Duration::new(999_999_999, 123_456_789);
    let sample = |name: &str, bytes: Vec<u8>| Sample {
        path: path_beneath(prefix, name),
        bytes,
        modified: long_ago,
        mode: 0o644,
    };
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        sample("empty", Vec::new()),
        Sample { mode: 0o600, ..sample("private.txt", text("for one pair of eyes\n")) },
        sample("point.png", PNG.to_vec()),
        sample("at_the_inline_limit.bin", noise(limit)),
        sample("above_the_inline_limit.bin", noise(limit + 1)),
        sample("several_chunks.bin", noise(several_chunks)),
        sample("گربه.txt", text("cat\n")),
        sample("🐈 two words.txt", text("cat\n")),
        sample("line\nbreak.txt", text("two lines\n")),
        sample("-rf", text("no option\n")),
    ]
}

impl Sample {
    /// Writes the file as an app does: in one go, and closes it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn write(&mut self, root: &Path) -> io::Result<()> {
        let mut file = File::create_new(root.join(self.path.as_path()))?;
        file.write_all(&self.bytes)?;
        file.set_permissions(Permissions::from_mode(self.mode))?;
        file.set_modified(self.modified)?;
        // Some file systems round times.
        self.modified = file.metadata()?.modified()?;
        Ok(())
    }

    /// Compares the file on disk with what was written.
    ///
    /// # Errors
    /// What differs, for people.
    pub fn compare(&self, root: &Path) -> Result<(), String> {
        let file = root.join(self.path.as_path());
        let name = self.path.file_name();
        let read = |error: io::Error| format!("{name:?} cannot be read: {error}");
        let look = fs::metadata(&file).map_err(read)?;
        let bytes = fs::read(&file).map_err(read)?;
        if bytes != self.bytes {
            let (found, written) = (bytes.len(), self.bytes.len());
            let at = bytes.iter().zip(&self.bytes).position(|(a, b)| a != b);
            let at = at.unwrap_or(found.min(written));
            return Err(format!(
                "{name:?} has {found} bytes and had {written}; they differ from byte {at} on"
            ));
        }
        let mode = look.mode() & 0o7777;
        if mode != self.mode {
            return Err(format!("{name:?} has the mode {mode:04o} and had {:04o}", self.mode));
        }
        if look.modified().map_err(read)? != self.modified {
            return Err(format!("{name:?} has another mtime than it had"));
        }
        Ok(())
    }
}

/// Bytes that no compression shrinks, the same at every call (xorshift64*).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("p")).unwrap();
        for mut sample in all("p", 1_000) {
            let file = dir.path().join(sample.path.as_path());
            sample.write(dir.path()).unwrap();
            sample.compare(dir.path()).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
            assert!(sample.compare(dir.path()).unwrap_err().contains("mode"));
            fs::set_permissions(&file, Permissions::from_mode(sample.mode)).unwrap();
            fs::write(&file, [&sample.bytes[..], b"!"].concat()).unwrap();
            assert!(sample.compare(dir.path()).unwrap_err().contains("bytes"));
            fs::write(&file, &sample.bytes).unwrap();
            assert!(sample.compare(dir.path()).unwrap_err().contains("mtime"));
            File::options().write(true).open(&file).unwrap().set_modified(sample.modified).unwrap();
            sample.compare(dir.path()).unwrap();
        }
    }

    #[test]
    fn the_picture_is_one() {
        assert_eq!(infer::get(PNG).map(|kind| kind.mime_type()), Some("image/png"));
        let (a, b) = (noise(1_001), noise(1_002));
        assert_eq!((a.len(), b.len()), (1_001, 1_002));
        assert_ne!(a[..100], b[..100]);
    }
}
