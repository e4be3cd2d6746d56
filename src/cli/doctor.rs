//! `doctor`: look over everything; say what is wrong and what to type.

use std::sync::Mutex;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, progress};
use crate::doctor::{self, Finding, Severity};
use crate::payload::check::Progress;

#[derive(Debug, Args)]
pub struct Doctor {
    /// Read every stored file back, former contents as well, and verify its sha256
    #[arg(long)]
    deep: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let patient = context.patients()?();
        let findings = Mutex::new(Vec::new());
        let mut tell = |finding: Finding| {
            if !self.json {
                // A reader that is gone must not keep the checks from taking their probes away.
                let _ = output::line(&finding.to_string());
            }
            findings.lock().expect("telling a finding does not panic").push(finding);
        };
        let database_is_usable = doctor::examine(&patient, &mut tell).await;
        if self.deep && database_is_usable {
            let seen = Progress::default();
            let total = || Some(seen.total());
            let work = doctor::verify(&patient, &seen, &mut tell);
            progress::during("verifying", total, || seen.done(), work).await;
        }
        let findings = findings.into_inner().expect("telling a finding does not panic");
        let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let (notes, fine) = (count(Severity::Note), count(Severity::Ok));
        if self.json {
            output::json(&json!({
                "errors": errors,
                "warnings": warnings,
                "notes": notes,
                "ok": fine,
                "findings": findings.iter().map(as_json).collect::<Vec<_>>(),
            }))?;
        } else {
            let counted = |count: usize, noun: &str| match count {
                1 => format!("1 {noun}"),
                count => format!("{count} {noun}s"),
            };
            let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
            let notes = counted(notes, "note");
            output::line(&format!("{errors}, {warnings}, {notes}; {fine} checks found all well"))?;
        }
        Ok(if findings.iter().any(Finding::is_bad) { Exit::Findings } else { Exit::Done })
    }
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity.as_str(),
        "check": finding.check,
        "message": finding.message,
        "cure": finding.cure,
    })
}
