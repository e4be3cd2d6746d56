use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
pub async fn run(_c: &Context) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
