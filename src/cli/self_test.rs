//! `self-test`: capture, wipe, restore and compare test files through the real database.

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::ByteSize;
use crate::process::{Signal, Signals};
use crate::restore::Flush;
use crate::self_test::{SelfTest, SelfTestError, Step};

pub async fn run(context: &Context) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    context.ready_store().await?;
    let flush = context.upload_dir().map_or(Flush::Never, |place| context.restoring(place).flush);
    let given = context.settings.inline_limit;
    let test = SelfTest::new(context.store.clone(), context.capture_options(), flush)?;
    if test.capture.places.inline_limit != given.0 {
        let tried = ByteSize(test.capture.places.inline_limit);
        output::line(&format!("inline_limit = {tried} is tried instead of {given}, to be quick"))?;
    }
    let mut tell = |step: Step| {
        // A reader that is gone must not keep the entries from being removed.
        let _ = output::line(&step.to_string());
    };
    let outcome = tokio::select! {
        outcome = test.run(&mut tell) => outcome.map_err(Failure::from),
        signal = end_signal(&mut signals) => Err(Failure::other(format!(
            "given up because of {}", signal.name()
        ))),
    };
    let cleaned = test.clean_up().await;
    // What has failed first matters more; but what is left behind is told in any case.
    if let (Err(_), Err(error)) = (&outcome, &cleaned) {
        eprintln!("imagecached: {error}");
    }
    outcome?;
    output::line(&cleaned?.to_string())?;
    output::line("the round trip works")?;
    Ok(Exit::Done)
}

async fn end_signal(signals: &mut Signals) -> Signal {
    loop {
        match signals.recv().await {
            Some(signal) if signal.asks_to_end() => return signal,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

impl From<SelfTestError> for Failure {
    fn from(error: SelfTestError) -> Self {
        Self::other(error)
    }
}
