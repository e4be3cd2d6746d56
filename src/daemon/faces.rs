//! The HTTP side of a process: opened at the start, closed as the last thing.
//!
//! Nothing of it may harm the rest. An address that cannot be had is told aloud and tried again, while the
//! app starts and its files are guarded; during a drain it goes on answering, and the end waits for
//! nobody's browser.

use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::daemon::{Guarding, Parts};
use crate::doctor::{Patient, Place};
use crate::http::gate::{Gate, token::Token};
use crate::http::{self, Figures, Guard, Site};

/// An address that cannot be had is tried again after so long, and at most: the process that is being
/// replaced may still have it.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// By so much HTTP gives way to what is as busy.
const NICE: i32 = 10;

/// Answers that are under way at the end have so long.
const LAST_ANSWERS: Duration = Duration::from_millis(700);

/// Where `serve` listens when nobody has said.
pub const DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8310);

/// HTTP that is answered, or will be.
pub struct Faces {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Faces {
    /// Listens, and says where.
    ///
    /// # Errors
    /// When the address cannot be had, with the cure.
    pub async fn open(context: &Context, address: SocketAddr) -> Result<Self, Failure> {
        let door = Door::new(context, None, address)?;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::other(format!("cannot listen on {address}: {}", why(address, &error)))
        })?;
        let (stop, stopped) = watch::channel(false);
        Ok(Self { stop, task: tokio::spawn(door.answer(listener, stopped)) })
    }

    /// As [`Faces::open`] where the settings say so, for a process with more important things to do:
    /// an address that cannot be had is told aloud and tried again for as long as it takes.
    ///
    /// `app_port` is the app's, which it must find free: the port that platforms give is the one thing
    /// that an app cannot do without.
    pub fn beside(parts: &Arc<Parts>, app_port: Option<u16>) -> Option<Self> {
        let context = &parts.context;
        let address = context.settings.http.listen?;
        if app_port == Some(address.port()) {
            let reason = "this port is the app's own ($PORT); set another one";
            tell_unavailable(address, reason);
            return None;
        }
        let guard = Arc::new(Guarding::new(parts.clone()));
        let door = match Door::new(context, Some(guard), address) {
            Ok(door) => door,
            Err(Failure { message, .. }) => {
                tell_unavailable(address, &message);
                return None;
            }
        };
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            if let Some(listener) = bind_at_last(address, stopped.clone()).await {
                door.answer_aside(listener, stopped).await;
            }
        });
        Some(Self { stop, task })
    }

    /// Waits until it has ended by itself: only a fault of ours ends it.
    pub async fn ended(&mut self) {
        let _ = (&mut self.task).await;
    }

    /// Ends it. Answers that are under way get a moment, and no more.
    pub async fn close(mut self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(LAST_ANSWERS, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Faces {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What it takes to answer, once there is a listener.
struct Door {
    site: Site,
    /// The token was made here, and nobody knows it yet.
    made_token: bool,
}

impl Door {
    fn new(
        context: &Context,
        guard: Option<Arc<dyn Guard>>,
        address: SocketAddr,
    ) -> Result<Self, Failure> {
        let given = &context.settings.http.token;
        let token = match given {
            Some(token) => Token::parse(token.expose()).map_err(Failure::other)?,
            None => Token::random().map_err(|error| {
                Failure::other(format!("the system gives no random bytes for a token: {error}"))
            })?,
        };
        let patient = context.patients()?;
        // Beside a daemon its own: whatever is asked for, uploads find their connections free.
        let store = match &guard {
            Some(_) => context.store_beside()?,
            None => context.store.clone(),
        };
        let is_guarded = guard.is_some();
        let site = Site {
            store: store.clone(),
            figures: Figures::new(store.clone()),
            remote: context.remote.clone(),
            objects: context.objects.clone(),
            health: context.health.clone(),
            guard,
            gate: Arc::new(Gate::new(token, address)),
            prefix: context.settings.http.prefix.clone(),
            keeping: context.keeping(),
            patient: Box::new(move || {
                let patient = Patient { store: store.clone(), ..patient() };
                if is_guarded {
                    return patient;
                }
                // A directory that is configured here is not the one that the app writes into.
                Patient { upload_dir: Place::Elsewhere, daemon: None, ..patient }
            }),
        };
        Ok(Self { site, made_token: given.is_none() })
    }

    async fn answer(self, listener: TcpListener, stopped: watch::Receiver<bool>) {
        if let Ok(address) = listener.local_addr() {
            self.tell(address);
        }
        let serving = async move {
            http::serve(listener, http::router(Arc::new(self.site)), stopped).await;
        };
        if AssertUnwindSafe(serving).catch_unwind().await.is_err() {
            tracing::error!(
                event = "failed",
                "HTTP has failed: restart it; files are not affected"
            );
        }
    }

    /// As [`Door::answer`], on a thread of its own that gives way to all others: whatever is asked for, the
    /// app and its uploads come first.
    async fn answer_aside(self, listener: TcpListener, stopped: watch::Receiver<bool>) {
        let (ended, end) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let started = listener.into_std().and_then(|listener| {
            let runtime = runtime?;
            std::thread::Builder::new().name("http".into()).spawn(move || {
                // Dropped with the thread, however it ends.
                let _ended = ended;
                // Of this thread alone. Without it, it works all the same.
                let _ = rustix::process::nice(NICE);
                runtime.block_on(async move {
                    if let Ok(listener) = TcpListener::from_std(listener) {
                        self.answer(listener, stopped).await;
                    }
                });
                runtime.shutdown_background();
            })
        });
        match started {
            Ok(_) => drop(end.await),
            Err(error) => {
                tracing::error!(event = "failed", reason = %error, "no thread for HTTP");
            }
        }
    }

    /// Says where it listens. A token that was made here is shown this once, and not as a line of the
    /// log: logs are kept, sent on and read by others.
    fn tell(&self, address: SocketAddr) {
        let prefix = &self.site.prefix;
        let url = format!("http://{address}{prefix}/admin/");
        tracing::info!(event = "listening", %address, url, "HTTP is answered");
        if self.made_token {
            let token = self.site.gate.token().expose();
            eprintln!("\n    To log in, open:\n\n        {url}login?token={token}\n");
        }
    }
}

async fn bind_at_last(
    address: SocketAddr,
    mut stopped: watch::Receiver<bool>,
) -> Option<TcpListener> {
    let mut wait = RETRY.0;
    let mut told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Some(listener),
            Err(error) if !told => {
                told = true;
                tell_unavailable(address, &why(address, &error));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY.1),
            _ = stopped.changed() => return None,
        }
    }
}

fn tell_unavailable(address: SocketAddr, reason: &str) {
    tracing::error!(
        event = "http_unavailable",
        %address,
        reason,
        "NO API AND NO ADMIN PANEL for now; files are guarded all the same"
    );
}

/// Why an address cannot be had, and what to do.
fn why(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another process has port {}; stop it, or set another port with --listen or IMAGECACHED_LISTEN",
            address.port()
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine does not have the address {}; try 127.0.0.1", address.ip())
        }
        io::ErrorKind::PermissionDenied => {
            format!("{error}; ports below 1024 are for root: set a higher one")
        }
        _ => error.to_string(),
    }
}
