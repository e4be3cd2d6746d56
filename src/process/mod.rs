//! Where the program meets other processes: the app it starts, the signals it is sent, the service
//! manager and the platform it runs under.

mod child;
mod effort;
pub mod limits;
pub mod memory;
mod parent_shell;
pub mod platform;
pub mod service_manager;
mod signals;
mod spawn_error;

pub use child::{Child, Exit};
pub use effort::Effort;
pub use parent_shell::{parent_is_shell_without_exec, shell_without_exec_above};
pub use platform::Platform;
pub use signals::{Signal, Signals};
pub use spawn_error::SpawnError;

#[cfg(test)]
mod rerun;
