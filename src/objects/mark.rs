//! The mark of this database in the object store, and who else has left one there.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use crate::model::Digest;
use crate::objects::{NoClaim, Objects, Trouble};
use crate::remote::{self, Mark, RemoteError};
use crate::store::StoreError;

/// Who removes objects has looked at the marks at most this long before: much less, in truth, but clocks
/// differ. A mark that is younger may have been made after that look, and what its database finds in the
/// store may be about to go.
const YOUNG: Duration = Duration::from_secs(3600);

/// What this process knows of its mark.
#[derive(Debug, Default)]
pub(super) enum Standing {
    #[default]
    Unknown,
    /// It could not be made, at this moment and for this reason.
    Failed(Instant, RemoteError),
    /// Its mark is young, and others are there: until this moment nothing in the store is relied on.
    Young(Instant),
    /// Whoever removes objects has seen it.
    Seen,
}

impl Objects {
    /// This database's mark. Its name is the identity of the database, which copies of it share, and
    /// eight digits that tell those apart by where they are: by their address, and by what the server says of
    /// itself, since many a copy is at `localhost` or `db` as well.
    pub(super) async fn mark(&self) -> Result<Mark, StoreError> {
        let name = self.mark_name.get_or_try_init(|| async {
            let identity = self.store.identity().await?;
            let place = format!("{}\n{}", self.database, self.store.whereabouts().await?);
            let digits = Digest::of(place.as_bytes()).to_string();
            Ok::<_, StoreError>(format!("{identity}-{}", &digits[..8]))
        });
        let note = format!("{} {}", self.store.product(), self.database);
        Ok(Mark { name: name.await?.clone(), note })
    }

    /// Makes sure, once for this process, that the mark stands and that every other database with a mark
    /// here has had the time to see it.
    pub(super) async fn settle(&self) -> Result<(), NoClaim> {
        let asked = Instant::now();
        let mut standing = self.standing.lock().await;
        match &*standing {
            Standing::Seen => return Ok(()),
            Standing::Young(until) if Instant::now() < *until => return Err(NoClaim::Young),
            Standing::Young(_) => {
                *standing = Standing::Seen;
                return Ok(());
            }
            // Those that have waited for the same try share its outcome: a store that is away takes its
            // time to say so.
            Standing::Failed(at, error) if *at >= asked => return Err(error.clone().into()),
            Standing::Failed(..) | Standing::Unknown => {}
        }
        let mark = self.mark().await?;
        match self.look(&mark).await {
            Ok(None) => {
                *standing = Standing::Seen;
                Ok(())
            }
            Ok(Some(wait)) => {
                *standing = Standing::Young(Instant::now() + wait);
                Err(NoClaim::Young)
            }
            Err(error) => {
                *standing = Standing::Failed(Instant::now(), error.clone());
                Err(error.into())
            }
        }
    }

    /// Makes the mark where it is missing; returns how long to wait until all others have seen it.
    async fn look(&self, mark: &Mark) -> Result<Option<Duration>, RemoteError> {
        let since = self.remote.mark(mark).await?;
        let age = SystemTime::now().duration_since(since).unwrap_or_default();
        let Some(wait) = YOUNG.checked_sub(age).filter(|wait| !wait.is_zero()) else {
            return Ok(None);
        };
        // The mark was there before this look: one that comes later sees it. So alone is alone.
        let alone = match self.remote.marks().await {
            Ok(marks) => marks.iter().all(|other| other.name == mark.name),
            // Who may not list cannot know.
            Err(error) if error.trouble == remote::Trouble::Denied => false,
            Err(error) => return Err(error),
        };
        Ok((!alone).then_some(wait))
    }

    /// The other databases that use the store, as it shows them now. Makes sure of our own mark first:
    /// from then on the others remove nothing either.
    ///
    /// # Errors
    /// Of the database or the object store.
    pub async fn marked_neighbours(&self) -> Result<Neighbours, Trouble> {
        let mark = self.mark().await?;
        self.remote.mark(&mark).await?;
        let marks = self.remote.marks().await?;
        // A store that does not show what it has just taken may hide the others' too.
        if !marks.iter().any(|other| other.name == mark.name) {
            return Err(self.blind().into());
        }
        Ok(self.neighbours_among(marks, &mark))
    }

    /// As [`Objects::marked_neighbours`], and leaves nothing behind.
    ///
    /// # Errors
    /// Of the database or the object store.
    pub async fn neighbours(&self) -> Result<Neighbours, Trouble> {
        let mark = self.mark().await?;
        Ok(self.neighbours_among(self.remote.marks().await?, &mark))
    }

    fn neighbours_among(&self, marks: Vec<Mark>, own: &Mark) -> Neighbours {
        let (identity, _) = own.name.split_at(own.name.rfind('-').unwrap_or_default());
        let others = marks.into_iter().filter(|other| other.name != own.name);
        let all = others.map(|mark| Neighbour { is_copy: mark.name.starts_with(identity), mark });
        Neighbours { place: self.remote.describe(), all: all.collect() }
    }

    /// Removes the mark of a database that is gone. Our own is refused: it would come again.
    ///
    /// # Errors
    /// Of the database or the object store.
    pub async fn forget(&self, name: &str) -> Result<Forgotten, Trouble> {
        if self.mark().await?.name == name {
            return Ok(Forgotten::Ours);
        }
        let marks = self.remote.marks().await?;
        match marks.into_iter().find(|mark| mark.name == name) {
            None => Ok(Forgotten::Unknown),
            Some(mark) => {
                self.remote.unmark(name).await?;
                Ok(Forgotten::Gone(mark))
            }
        }
    }

    fn blind(&self) -> RemoteError {
        RemoteError {
            operation: format!("look for marks in {}", self.remote.describe()),
            trouble: remote::Trouble::Wrong,
            cause: "it does not show this database's own mark, which it has taken".into(),
            cure: None,
            retry_after: None,
        }
    }
}

/// Another database that has a mark in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    pub mark: Mark,
    /// It has the identity of this database, and is elsewhere.
    pub is_copy: bool,
}

/// The other databases that use an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbours {
    /// The store, for people.
    pub place: String,
    pub all: Vec<Neighbour>,
}

/// As many of them are named.
const NAMED: usize = 3;

impl Neighbours {
    /// What to do where objects are to be removed all the same.
    #[must_use]
    pub fn cure(&self) -> String {
        let name = self.all.first().map_or("NAME", |first| first.mark.name.as_str());
        format!(
            "give each database a prefix of its own; or, for a database that is gone: imagecached \
             cleanup --forget-database {name} --yes"
        )
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { name, note } = &self.mark;
        // Whoever may write to the store may have given it any name.
        write!(f, "{}", name.escape_debug())?;
        if !note.is_empty() {
            write!(f, " ({note})")?;
        }
        match self.is_copy {
            true => f.write_str(", which is a copy of this one, or where this one was before"),
            false => Ok(()),
        }
    }
}

impl fmt::Display for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.all.iter().take(NAMED).map(ToString::to_string).collect();
        let (what, named) = match &named[..] {
            [one] => ("another database uses", one.clone()),
            _ => ("other databases use", named.join("; ")),
        };
        write!(f, "{what} {}: {named}", self.place)?;
        match self.all.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// What came of forgetting a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    /// Its mark is gone.
    Gone(Mark),
    /// It is this very database.
    Ours,
    /// No mark has this name.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(name: &str, note: &str, is_copy: bool) -> Neighbour {
        Neighbour { mark: Mark { name: name.into(), note: note.into() }, is_copy }
    }

    #[test]
    fn neighbours_are_named_with_the_way_to_get_rid_of_them() {
        let place = "s3://shop/media".to_owned();
        let mut neighbours = Neighbours { place, all: vec![neighbour("ab-1", "", false)] };
        assert_eq!(neighbours.to_string(), "another database uses s3://shop/media: ab-1");
        assert!(neighbours.cure().ends_with("cleanup --forget-database ab-1 --yes"));
        neighbours.all.push(neighbour("cd-2", "PostgreSQL db:5432/shop", true));
        assert_eq!(
            neighbours.to_string(),
            "other databases use s3://shop/media: ab-1; cd-2 (PostgreSQL db:5432/shop), which is a \
             copy of this one, or where this one was before"
        );
        neighbours.all.extend([neighbour("e", "", false), neighbour("f", "", false)]);
        assert!(neighbours.to_string().ends_with("; e; and 1 more"));
    }
}
