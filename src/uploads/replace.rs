//! Putting a file in the place of another one, which has to be the very one that somebody has seen and stored.

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RenameFlags, flock, openat, renameat, renameat_with,
    statat,
};
use rustix::io::Errno;

use super::draft::Draft;
use super::draft_name;
use super::read::OpenFile;
use super::write::PlaceError;
use crate::model::FileStat;
use crate::model::settle::Writers;

/// What became of a draft that was to take the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// It stands under the name, and looks like this. The file from before is gone.
    Placed(FileStat),
    /// The file is no longer the one that was seen, or somebody is writing it: it is left as it is.
    Changed,
}

impl Draft {
    /// As [`Draft::publish`], in the place of the file of that name, which was `seen` so: whoever opens the name gets
    /// the one or the other, whole.
    ///
    /// The two change places in one step. What has left the name is looked at once more before it goes, since somebody
    /// may have written it until then: nobody can any more who does not hold it open. Where the file system
    /// cannot exchange, the last look is before the step.
    ///
    /// # Errors
    /// As [`Draft::publish`].
    pub fn replace(
        mut self,
        mtime_ns: i64,
        mode: u32,
        seen: &FileStat,
    ) -> Result<Replaced, PlaceError> {
        self.dress(mtime_ns, mode)?;
        let hidden = match &self.temporary {
            Some(hidden) => hidden.clone(),
            None => self.link_hidden()?,
        };
        // From here on, what stands under the hidden name in the end goes with this draft.
        self.temporary = Some(hidden.clone());
        if !self.is_still(self.name(), seen) {
            return Ok(Replaced::Changed);
        }
        match self.exchange(&hidden) {
            Ok(()) if self.is_still(&hidden, seen) => {}
            Ok(()) => {
                self.take_back(&hidden)?;
                return Ok(Replaced::Changed);
            }
            Err(Errno::NOENT) => return Ok(Replaced::Changed),
            // NFS and some FUSE file systems have no exchange.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                renameat(&self.directory, &hidden, &self.directory, self.name())
                    .map_err(PlaceError::while_trying("put the file in its place"))?;
            }
            Err(error) => return Err(PlaceError::while_trying("put the file in its place")(error)),
        }
        Ok(Replaced::Placed(self.look()?))
    }

    /// Gives a file without a name a hidden one, under which nobody sweeps it away.
    fn link_hidden(&self) -> Result<String, PlaceError> {
        let _ = flock(&self.file, FlockOperation::LockExclusive);
        loop {
            let hidden = draft_name::make().map_err(PlaceError::while_trying("name the file"))?;
            match self.link_nameless(&hidden) {
                Ok(_) => return Ok(hidden),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(PlaceError::while_trying("name the file")(error)),
            }
        }
    }

    fn exchange(&self, hidden: &str) -> Result<(), Errno> {
        let dir = &self.directory;
        renameat_with(dir, hidden, dir, self.name(), RenameFlags::EXCHANGE)
    }

    /// Whether the file of this name has the content that was seen, and nobody writes it. Its ctime is another one
    /// once it was renamed.
    fn is_still(&self, name: &str, seen: &FileStat) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.directory, name, flags, Mode::empty());
        let Ok(Ok(file)) = opened.map(OpenFile::new) else { return false };
        let look = |stat: &FileStat| (stat.inode, stat.size, stat.mtime_ns);
        look(file.stat()) == look(seen) && file.writers() != Writers::Some
    }

    /// Gives the name back to the file that had it.
    fn take_back(&mut self, hidden: &str) -> Result<(), PlaceError> {
        let given_back = match self.exchange(hidden) {
            // Somebody has put another file in the place of ours meanwhile: the last one to come stays.
            Ok(()) if !self.is_under(hidden) => self.exchange(hidden),
            Err(Errno::NOENT) => {
                let dir = &self.directory;
                renameat_with(dir, hidden, dir, self.name(), RenameFlags::NOREPLACE)
            }
            exchanged => exchanged,
        };
        given_back.map_err(|error| {
            // What stands under the hidden name is not ours to remove.
            self.temporary = None;
            PlaceError::while_trying("give the file from before its name back")(error)
        })
    }

    /// Whether this very file has this name.
    fn is_under(&self, name: &str) -> bool {
        let found = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| self.look().is_ok_and(|own| own.inode == found.st_ino))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::model::UploadPath;
    use crate::uploads::{Placer, UploadDir};

    fn both_ways(root: &Path) -> [Placer; 2] {
        let root = UploadDir::new(root.to_owned());
        [Placer::new(&root).unwrap(), Placer::with_named_drafts(&root).unwrap()]
    }

    fn names(root: &Path) -> Vec<String> {
        let names = fs::read_dir(root).unwrap().map(|it| it.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn it_takes_the_place_of_the_file_that_was_seen_and_of_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = UploadPath::parse("a.jpg").unwrap();
        let file = dir.path().join("a.jpg");
        let root = UploadDir::new(dir.path().to_owned());
        let seen = || root.open().unwrap().stat(&path).unwrap().unwrap();
        for mut placer in both_ways(dir.path()) {
            let mut draft = |text: &str| {
                let mut draft = placer.replacement(&path).unwrap();
                draft.write_all(text.as_bytes()).unwrap();
                draft
            };
            fs::write(&file, "present").unwrap();
            let stat = seen();
            let placed = draft("former").replace(1_000, 0o644, &stat).unwrap();
            assert_eq!(placed, Replaced::Placed(seen()));
            assert_eq!(fs::read_to_string(&file).unwrap(), "former");
            // Another file of that name, one that has grown, one that is being written, none.
            assert_eq!(draft("x").replace(0, 0o644, &stat).unwrap(), Replaced::Changed);
            let stat = seen();
            let mut writer = OpenOptions::new().append(true).open(&file).unwrap();
            assert_eq!(draft("x").replace(0, 0o644, &stat).unwrap(), Replaced::Changed);
            writer.write_all(b" and more").unwrap();
            drop(writer);
            assert_eq!(draft("x").replace(0, 0o644, &stat).unwrap(), Replaced::Changed);
            assert_eq!(fs::read_to_string(&file).unwrap(), "former and more");
            assert_eq!(names(dir.path()), ["a.jpg"]);
            let stat = seen();
            fs::remove_file(&file).unwrap();
            assert_eq!(draft("x").replace(0, 0o644, &stat).unwrap(), Replaced::Changed);
            assert!(names(dir.path()).is_empty());
        }
    }

    /// Between the last look and the exchange anything may happen.
    #[test]
    fn what_was_exchanged_by_mistake_gets_its_name_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = UploadPath::parse("a.jpg").unwrap();
        let file = dir.path().join("a.jpg");
        let meanwhile: [fn(&Path); 3] = [
            |_| {},
            |file| {
                fs::write(file.with_extension("new"), "newest")
                    .and_then(|()| fs::rename(file.with_extension("new"), file))
                    .unwrap()
            },
            |file| fs::remove_file(file).unwrap(),
        ];
        for (meanwhile, left) in meanwhile.into_iter().zip(["theirs", "newest", "theirs"]) {
            for mut placer in both_ways(dir.path()) {
                fs::write(&file, "theirs").unwrap();
                let mut draft = placer.replacement(&path).unwrap();
                draft.write_all(b"ours").unwrap();
                let hidden = draft.temporary.clone();
                let hidden = hidden.unwrap_or_else(|| draft.link_hidden().unwrap());
                draft.temporary = Some(hidden.clone());
                draft.exchange(&hidden).unwrap();
                assert_eq!(fs::read_to_string(&file).unwrap(), "ours");
                meanwhile(&file);
                draft.take_back(&hidden).unwrap();
                drop(draft);
                assert_eq!(fs::read_to_string(&file).unwrap(), left);
                assert_eq!(names(dir.path()), ["a.jpg"]);
            }
        }
    }
}
