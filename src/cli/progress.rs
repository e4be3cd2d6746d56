//! Progress: a bar on a terminal, a line every few seconds elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

/// Shows `position` of a total as it grows, until `work` is done.
pub async fn during<T>(
    verb: &'static str,
    total: impl Fn() -> Option<u64>,
    position: impl Fn() -> u64,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    if !std::io::stderr().is_terminal() {
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(LINE) => {
                    let of = total().map(|total| format!(" of {total}")).unwrap_or_default();
                    eprintln!("{verb}: {}{of} files", position());
                }
            }
        }
    }
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template(
            "{prefix} {wide_bar} {pos}/{len} files, {per_sec}, {eta} left",
        )
        .expect("the template is sound"),
    );
    bar.set_prefix(verb);
    loop {
        tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                bar.set_length(total().unwrap_or(0));
                bar.set_position(position());
            }
        }
    }
}
