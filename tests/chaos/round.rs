//! A round: writers and faults, then quiet; the disk is thrown away, restored and compared.

use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::content::seal_of;
use crate::options::Options;
use crate::plan::{Life, Plan};
use crate::random::Random;
use crate::report::{Fault, Figures};
use crate::sampler::{Sampler, Seen};
use crate::servers::Server;
use crate::stage::Stage;
use crate::support::program::files_beneath;
use crate::writers::Writer;

/// What a round has found: faults, or why it could not go on.
pub struct Outcome {
    pub faults: Vec<Fault>,
    pub stuck: Option<String>,
}

/// Plays a round; what it has made is kept when something is found.
pub fn play(
    plan: &Plan,
    options: &Options,
    directory: &Path,
    server: Option<&mut Server>,
    figures: &mut Figures,
) -> Outcome {
    let mut stage = Stage::new(plan, &options.program, directory, server);
    let mut outcome = Outcome { faults: Vec::new(), stuck: None };
    let random = Random::new(options.seed).fork(plan.number);
    for (number, life) in (1..).zip(&plan.lives) {
        let lived = live(&mut stage, life, &random.fork(number), figures, &mut outcome.faults);
        if let Err(why) = lived {
            outcome.stuck = Some(why);
        }
        if outcome.stuck.is_some() || !outcome.faults.is_empty() {
            stage.keep();
            return outcome;
        }
    }
    outcome
}

fn live(
    stage: &mut Stage<'_>,
    life: &Life,
    random: &Random,
    figures: &mut Figures,
    faults: &mut Vec<Fault>,
) -> Result<(), String> {
    stage.start();
    let sampler = Sampler::of_database(stage.target.clone(), random.fork(1_000));
    let writers: Vec<_> = (0..)
        .zip(&life.writers)
        .map(|(number, &(way, steps))| {
            let random = random.fork(number);
            let name = format!("{}-{number}", random.clone().between(0..1_000_000));
            let writer = Writer::new(stage.scene.clone(), way, &name, random);
            thread::spawn(move || writer.work(steps))
        })
        .collect();
    let played = stage.play(&life.events, figures);
    stage.let_writers_end();
    for writer in writers {
        let done = writer.join();
        done.map_err(|_| "a writer panicked; what it said is above")?;
    }
    played?;
    stage.heal();
    figures.safe_again.push(stage.quiet(life.quiet)?);
    let in_database = sampler.end();

    stage.wipe();
    let sampler = Sampler::of_directory(stage.scene.uploads.clone());
    for &(after, interruption) in &life.interruptions {
        stage.interrupted_restore(Duration::from_millis(after), interruption);
        figures.count_interruption(interruption);
    }
    let restored = stage.restore();
    let on_disk = sampler.end();
    faults.extend(half_written(stage, &in_database, "stored"));
    faults.extend(half_written(stage, &on_disk, "restored"));
    figures.samples += in_database.samples + on_disk.samples;
    restored?;
    compare(stage, figures, faults);
    if life.empty_afterwards {
        stage.wipe();
    }
    Ok(())
}

/// What was seen and should never have been.
fn half_written(stage: &Stage<'_>, seen: &Seen, how: &str) -> Vec<Fault> {
    let model = &stage.scene.model;
    let damaged = seen.damaged.iter().map(|what| Fault::Damaged(what.clone()));
    let half = seen.sights.iter().filter(|(path, seal)| model.is_half_written(path, *seal));
    damaged
        .chain(half.map(|(path, seal)| {
            let what = if seal.is_some() { "what nobody wrote there" } else { "a part" };
            Fault::HalfWritten(format!("{path}: {what} was {how}"))
        }))
        .collect()
}

/// Every byte on the restored disk against the model.
fn compare(stage: &Stage<'_>, figures: &mut Figures, faults: &mut Vec<Fault>) {
    let mut files = files_beneath(&stage.scene.uploads);
    for (path, history) in stage.scene.model.all() {
        let content = files.remove(&path);
        let seal = content.as_deref().and_then(seal_of);
        figures.files += u64::from(history.last.is_some());
        match (history.last, content) {
            (Some(_), None) => faults.push(Fault::Lost(path)),
            (Some(last), Some(content)) if seal != Some(last) => {
                let what = match seal {
                    Some(_) if history.meant(seal) => "an older content of it",
                    Some(_) => "another content",
                    None => "no whole content",
                };
                let length = content.len();
                faults.push(Fault::Damaged(format!("{path}: {what} ({length} bytes) came back")));
            }
            // A file that was removed may come back: the cache keeps what is missing on the disk.
            (None, Some(_)) if stage.scene.model.is_half_written(&path, seal) => {
                faults.push(Fault::HalfWritten(format!("{path}, which was removed")));
            }
            _ => {}
        }
    }
    for (path, content) in files {
        figures.passing_names += 1;
        if seal_of(&content).is_none() {
            faults.push(Fault::HalfWritten(format!("{path}, a temporary name")));
        }
    }
}
