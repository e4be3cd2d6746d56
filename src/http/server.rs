//! The server: accepts connections, and bounds what each of them may take: headers, bodies, time, number.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::http::stall::Stalling;

/// Connections at a time; the next ones wait in the system's queue.
const CONNECTIONS: usize = 64;

/// How long a client may take for the head of a request, and how long a kept connection may be idle.
const HEAD: Duration = Duration::from_secs(15);

/// How long a client may take nothing of an answer that it has asked for.
const STALL: Duration = Duration::from_secs(30);

/// Bytes of the head of a request: its path and headers. The least that the parser takes is 8 KiB.
const HEAD_BYTES: usize = 16 << 10;

/// How long answers that are under way may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// Answers until `stop` changes or its sender is gone, then lets answers that are under way end.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            _ = stop.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        let Some((stream, from, place)) = accepted else { continue };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            answer(stream, from, router, stop).await;
            drop(place);
        });
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    // Who holds a connection open does not hold up the end.
    let _ = tokio::time::timeout(GRACE, all_ended).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, from)) => Some((stream, from, place)),
        Err(error) => {
            // Out of file descriptors, say: asking again at once would only burn time.
            tracing::debug!(event = "http_refused", reason = %error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn answer(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(from));
            Ok::<_, Infallible>(
                router.oneshot(request).await.unwrap_or_else(|never| match never {}),
            )
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Stalling::new(stream, STALL)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(event = "http_refused", reason = %error, "a connection ended early");
    }
}
