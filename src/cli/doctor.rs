use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use clap::Args;
#[derive(Debug, Args)]
pub struct Doctor {}
impl Doctor {
    pub async fn run(&self, _c: &Context) -> Result<Exit, Failure> {
        Ok(Exit::Done)
    }
}
