//! A bad line between the program and a real server: nothing is believed that is not there.

use std::time::{Duration, Instant};

use imagecached::remote::{Limits, Trouble, open_with};

use crate::port::Port;
use crate::proxy::{Fault, Proxy};
use crate::support::{Noise, bucket, download, limits, listed, open, server, upload};

const MIB: usize = 1 << 20;

/// A server of every make, behind a bad line.
fn lines() -> Vec<Proxy> {
    ["IMAGECACHED_TEST_S3_MOTO", "IMAGECACHED_TEST_S3_FS"]
        .iter()
        .map(|variable| Proxy::http(&server(variable)))
        .collect()
}

#[tokio::test]
async fn a_download_that_is_cut_is_taken_up_where_it_broke() {
    for proxy in lines() {
        let remote = open(&bucket(proxy.endpoint()));
        let length = 6 * MIB as u64;
        let url = upload(&*remote, length, 20).await.unwrap().url;
        // Another client, so that no connection is left over from before.
        let remote_url = url.clone();
        let remote = {
            let prefix = url.split('/').nth(3).unwrap().to_owned();
            open(&same_prefix(proxy.endpoint(), &prefix))
        };
        let faults = [Fault::CutDown(2 * MIB), Fault::CutDown(300_000), Fault::StallDown(MIB)];
        proxy.faults().plan("GET", &faults);
        let (came, sha256) = download(&*remote, &remote_url, length).await.unwrap();
        assert_eq!((came, sha256), (length, Noise::object(length, 20).sha256));
    }
}

fn same_prefix(endpoint: &str, prefix: &str) -> imagecached::model::ObjectStore {
    crate::support::store(&[
        ("IMAGECACHED_OBJECT_STORE", &format!("s3://{}/{prefix}", crate::support::BUCKET)),
        ("AWS_ENDPOINT", endpoint),
        ("AWS_ACCESS_KEY_ID", crate::support::KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", crate::support::SECRET),
    ])
}

#[tokio::test]
async fn an_upload_over_a_bad_line_arrives_whole_or_not_at_all() {
    for proxy in lines() {
        let remote = open(&bucket(proxy.endpoint()));
        let faults = [Fault::CutUp(3 * MIB), Fault::CutUp(MIB), Fault::StallUp(2 * MIB)];
        proxy.faults().plan("PUT partNumber=", &faults);
        let length = 20 * MIB as u64 + 1;
        let url = upload(&*remote, length, 21).await.unwrap().url;
        let back = download(&*remote, &url, length).await.unwrap();
        assert_eq!(back, (length, Noise::object(length, 21).sha256));
    }
}

#[tokio::test]
async fn a_line_that_never_gets_better_ends_in_an_error_and_no_object() {
    for proxy in lines() {
        let remote = open(&bucket(proxy.endpoint()));
        proxy.faults().always("", &Fault::CutUp(MIB));
        let error = upload(&*remote, 20 * MIB as u64, 22).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Away, "{error}");
        assert!(error.is_temporary());
        proxy.faults().heal();
        assert_eq!(listed(&*remote).await, []);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let proxy = &lines()[1];
    let limits = Limits { answer: Duration::from_secs(2), ..limits() };
    let remote = open_with(&bucket(proxy.endpoint()), limits).unwrap();
    for fault in [Fault::StallUp(MIB), Fault::StallDown(0)] {
        proxy.faults().heal();
        proxy.faults().always("", &fault);
        let began = Instant::now();
        let error = upload(&*remote, 20 * MIB as u64, 23).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Away, "{error}");
        // Which of the two depends on how much the system takes into its buffers.
        let told = error.to_string();
        assert!(
            told.contains("no byte has gone for 2s") || told.contains("no answer for 2s"),
            "{told}"
        );
        // Without time limits it would be the proxy's minute, three times.
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}

#[tokio::test]
async fn throttling_is_waited_out_or_told() {
    let answer = |seconds: u32| {
        let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
        Fault::status(503, &format!("Retry-After: {seconds}\r\n"), body)
    };
    let proxy = &lines()[1];
    let remote = open(&bucket(proxy.endpoint()));
    proxy.faults().plan("", &[answer(1), answer(0)]);
    let url = upload(&*remote, 100, 24).await.unwrap().url;
    let prefix = url.split('/').nth(3).unwrap().to_owned();
    let remote = open(&same_prefix(proxy.endpoint(), &prefix));
    proxy.faults().plan("", &[answer(3_600)]);
    let error = download(&*remote, &url, 100).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Throttled, "{error}");
    assert_eq!(error.retry_after, Some(Duration::from_secs(3_600)));
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let to = elsewhere.local_addr().unwrap();
    let proxy = &lines()[1];
    let remote = open(&bucket(proxy.endpoint()));
    let redirect = Fault::status(307, &format!("Location: http://{to}/x\r\n"), "");
    proxy.faults().always("", &redirect);
    let error = upload(&*remote, 100, 25).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Other, "{error}");
    assert!(error.to_string().contains("elsewhere"), "{error}");
    assert!(elsewhere.accept().is_err(), "it was asked");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let closed = Port::new();
    let remote = open(&bucket(&format!("http://127.0.0.1:{}", closed.number())));
    let error = upload(&*remote, 100, 26).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Away, "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}
