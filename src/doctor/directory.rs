//! The upload directory: can it be meant, read and written, and what is in it.

use std::io;
use std::ops::ControlFlow;

use crate::doctor::finding::{Finding, Names, count};
use crate::doctor::{Patient, Place, probe_name};
use crate::model::index::key;
use crate::model::shell_word::shell_word;
use crate::model::{Patterns, Stock, UploadPath};
use crate::uploads::{Found, PlaceError, Placer, UploadDir, scan};

/// What is in the upload directory.
#[derive(Debug, Default)]
pub struct Tree {
    /// All files.
    pub files: Stock,
    pub directories: u64,
    excluded: Names,
    skipped: Names,
    unreadable: Names,
    /// Why one of those cannot be cached, why one cannot be read.
    reasons: (String, String),
}

/// Returns what is in the directory; `None` when there is none, or none that may be looked at.
pub async fn examine(patient: &Patient, tell: &mut (dyn FnMut(Finding) + Send)) -> Option<Tree> {
    let upload_dir = match &patient.upload_dir {
        Place::Here(upload_dir) => upload_dir.clone(),
        Place::Elsewhere => {
            tell(elsewhere());
            return None;
        }
        Place::Refused(error) => {
            let path = error.path.display();
            let message = format!("the upload directory cannot be {path:?}: {}", error.why);
            tell(Finding::error("directory.root", message).cure(&error.cure));
            return None;
        }
    };
    let patterns = patient.settings.patterns.clone();
    let root = upload_dir.root().display().to_string();
    let look = move || (walk(&upload_dir, &patterns), write(&upload_dir));
    let (tree, written) =
        tokio::task::spawn_blocking(look).await.expect("looking at a directory does not panic");
    let tree = match tree {
        Ok(tree) => tree,
        Err(error) => {
            tell(judge_no_tree(&root, &error));
            return None;
        }
    };
    tell(judge_written(&root, written.as_ref().err()));
    judge_tree(&tree).into_iter().for_each(tell);
    Some(tree)
}

fn elsewhere() -> Finding {
    let message = "not in this process: what needs it is left out here (its files, the watcher, the \
                   daemon, and which entries are missing on disk or not stored)";
    Finding::note("directory.root", message).cure(
        "where the app runs: imagecached doctor; or look at this page of the process that guards \
         the directory (`run` or `watch` with --listen)",
    )
}

fn walk(upload_dir: &UploadDir, patterns: &Patterns) -> io::Result<Tree> {
    let (mut tree, mut files) = (Tree::default(), Vec::new());
    let scanned = scan(upload_dir.root(), "", &mut |found| {
        match found {
            Found::File(path, _) => {
                files.push(key(path.as_str()));
                if !patterns.takes(&path) {
                    tree.excluded.add(path.as_str());
                }
            }
            Found::Skipped { shown, why } => {
                tree.skipped.add(&shown);
                tree.reasons.0 = why.to_string();
            }
            Found::Unreadable { shown, cause } => {
                tree.unreadable.add(&shown);
                tree.reasons.1 = cause.to_string();
            }
        }
        ControlFlow::Continue(())
    })?;
    tree.files = Stock::new(files);
    tree.directories = scanned.directories;
    Ok(tree)
}

/// Begins a file, as a restore does, and lets go of it: it never gets a name.
fn write(upload_dir: &UploadDir) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Io { what: "open the upload directory", source };
    let name = probe_name().map_err(failed)?;
    let path = UploadPath::parse(&name).expect("a probe's name is an upload path");
    let mut draft = Placer::new(upload_dir).map_err(failed)?.draft(&path)?;
    draft.write_all(b"imagecached doctor\n")
}

fn judge_no_tree(root: &str, error: &io::Error) -> Finding {
    if error.kind() == io::ErrorKind::NotFound {
        let message = format!("{root} does not exist yet; `imagecached run` makes it");
        return Finding::note("directory.root", message);
    }
    Finding::error("directory.root", format!("{root} cannot be read: {error}"))
        .cure(format!("as its owner: chmod u+rwx {}", shell_word(root)))
}

fn judge_written(root: &str, error: Option<&PlaceError>) -> Finding {
    let finding = |message| Finding::error("directory.root", message);
    match error {
        None => Finding::ok("directory.root", format!("{root} can be read and written")),
        Some(error @ PlaceError::Full(_)) => finding(format!("{root}: {error}"))
            .cure("make room on the disk, or raise the quota; uploads fail as well"),
        Some(error) => finding(format!("{root} cannot be written: {error}")).cure(format!(
            "give this user the right to write: chown -R \"$(id -u)\" {}",
            shell_word(root)
        )),
    }
}

fn judge_tree(tree: &Tree) -> Vec<Finding> {
    let files = count(tree.files.len() as u64, "file", "files");
    let directories = count(tree.directories, "directory", "directories");
    let mut findings = vec![Finding::ok("directory.files", format!("{files} in {directories}"))];
    let Tree { excluded, skipped, unreadable, reasons, .. } = tree;
    if !excluded.is_empty() {
        let files = count(excluded.count, "file is", "files are");
        let message = format!("{files} left out by the setting exclude: {excluded}");
        findings.push(
            Finding::note("directory.excluded", message)
                .cure("to store some of them, set IMAGECACHED_INCLUDE to their patterns"),
        );
    }
    if !skipped.is_empty() {
        let things = count(skipped.count, "thing", "things");
        let message = format!("{things} cannot be cached: {skipped}; {}", reasons.0);
        findings.push(
            Finding::warning("directory.skipped", message)
                .cure("put a regular file with a name in UTF-8 in its place, or move it away"),
        );
    }
    if !unreadable.is_empty() {
        let things = count(unreadable.count, "thing", "things");
        let message = format!("{things} cannot be read: {unreadable}; {}", reasons.1);
        findings.push(
            Finding::error("directory.unreadable", message)
                .cure("run the app and imagecached as the same user, or chmod -R u+rX them"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_has_its_cure() {
        let mut tree = Tree { directories: 1, ..Tree::default() };
        tree.files = [1, 2].into_iter().collect();
        tree.excluded.add("a.tmp");
        tree.skipped.add("link");
        tree.unreadable.add("secret");
        tree.reasons = ("it is a symlink".into(), "Permission denied".into());
        let mut findings = judge_tree(&tree);
        let gone = io::Error::from(io::ErrorKind::NotFound);
        findings.push(judge_no_tree("/srv/media", &gone));
        findings.push(judge_written("/srv/media", None));
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let denied = PlaceError::Io { what: "begin the file", source: denied };
        findings.push(judge_written("/srv/my media", Some(&denied)));
        let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        ✓ ok       directory.files       2 files in 1 directory
        • note     directory.excluded    1 file is left out by the setting exclude: "a.tmp"
                                         cure: to store some of them, set IMAGECACHED_INCLUDE to their patterns
        ! warning  directory.skipped     1 thing cannot be cached: "link"; it is a symlink
                                         cure: put a regular file with a name in UTF-8 in its place, or move it away
        ✗ error    directory.unreadable  1 thing cannot be read: "secret"; Permission denied
                                         cure: run the app and imagecached as the same user, or chmod -R u+rX them
        • note     directory.root        /srv/media does not exist yet; `imagecached run` makes it
        ✓ ok       directory.root        /srv/media can be read and written
        ✗ error    directory.root        /srv/my media cannot be written: could not begin the file: permission denied
                                         cure: give this user the right to write: chown -R "$(id -u)" '/srv/my media'
        "#);
    }
}
