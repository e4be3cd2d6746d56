//! `print-config`: every setting, its value, and where the value came from.

use clap::Args;
use serde_json::json;

use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::settings::Loaded;

#[derive(Debug, Args)]
pub struct PrintConfig {
    /// Print the settings as JSON
    #[arg(long)]
    json: bool,
    /// Print the embedded file of defaults, in which every setting is explained
    #[arg(long, conflicts_with = "json")]
    defaults: bool,
}

impl PrintConfig {
    pub fn print(&self, loaded: &Loaded) -> Result<Exit, Failure> {
        if self.defaults {
            output::write(include_bytes!("../../config/default.toml"))?;
        } else if self.json {
            let settings = loaded.origins.iter().map(|shown| {
                let value = json!({
                    "value": shown.value, "default": shown.default, "origin": shown.origin,
                });
                (shown.key.clone(), value)
            });
            output::json(&settings.collect::<serde_json::Map<_, _>>().into())?;
        } else {
            for shown in &loaded.origins {
                output::line(&format!("{} = {}", shown.key, shown.value))?;
                let default = if shown.value == shown.default {
                    String::new()
                } else {
                    format!(" (default: {})", shown.default)
                };
                output::line(&format!("    from {}{default}", shown.origin))?;
            }
        }
        Ok(Exit::Done)
    }
}
