//! The server: accepts connections, and bounds what each of them may take: headers, bodies, time, number.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::http::connections::{Answering, Connection, Connections};
use crate::http::stall::Stalling;

/// Connections at a time, most of them idle.
const CONNECTIONS: usize = 256;

/// How long a client may take for the head of a request, and how long a kept connection may be idle.
const HEAD: Duration = Duration::from_secs(15);

/// How long a client may take nothing of an answer that it has asked for.
const STALL: Duration = Duration::from_secs(30);

/// Bytes of the head of a request: its path and headers. The least that the parser takes is 8 KiB.
const HEAD_BYTES: usize = 16 << 10;

/// How long answers that are under way may take to end once the server stops.
const GRACE: Duration = Duration::from_millis(500);

/// Answers until `stop` changes or its sender is gone, then lets answers that are under way end.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let connections = Connections::new(CONNECTIONS);
    let mut answering = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        while answering.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => match connections.admit(Instant::now()) {
                Some(connection) => {
                    answering.spawn(answer(stream, from, connection, router.clone(), stop.clone()));
                }
                None => {
                    let (address, reason) = (from.ip(), "all connections are busy");
                    tracing::debug!(event = "http_refused", %address, reason, "closed at once");
                }
            },
            Err(error) => {
                // Out of file descriptors, say: asking again at once would only burn time.
                tracing::debug!(event = "http_refused", reason = %error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while answering.join_next().await.is_some() {} };
    // Who holds a connection open does not hold up the end.
    let _ = tokio::time::timeout(GRACE, all_ended).await;
}

async fn answer(
    stream: TcpStream,
    from: SocketAddr,
    connection: Connection,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let connection = &connection;
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, busy) = (router.clone(), connection.busy());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(from));
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            Ok::<_, Infallible>(response.map(|body| Answering::new(body, busy)))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Stalling::new(stream, STALL)), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = connection.has_to_go() => return,
        _ = stop.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(event = "http_refused", reason = %error, "a connection ended early");
    }
}
