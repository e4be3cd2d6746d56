//! Contents: whole, in parts, and never damaged ones as whole.

use std::io::Write;

use imagecached::model::Digest;

use super::{PIXEL, with_files};
use crate::server::{PREFIX, read};
use crate::support::program::wait_until;

#[test]
fn contents_come_whole_in_parts_and_not_again() {
    let server = with_files(&[], &[("é a\".png", PIXEL), ("logo.svg", b"<svg><script/></svg>")]);
    let id = server.id_of(".png");
    let path = format!("{PREFIX}/entries/{id}/content");
    let whole = server.get(&path, &[]);
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("image/png")));
    assert_eq!(whole.header("content-length"), Some(&*PIXEL.len().to_string()));
    let named = "inline; filename=\"_ a_.png\"; filename*=UTF-8''%C3%A9%20a%22.png";
    assert_eq!(whole.header("content-disposition"), Some(named));
    assert!(whole.header("content-security-policy").unwrap().starts_with("sandbox"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert!(whole.body.ends_with(" and what else a picture has"));
    let etag = format!("\"{}\"", Digest::of(PIXEL));
    assert_eq!(whole.header("etag"), Some(&*etag));

    let again = server.get(&path, &[&format!("If-None-Match: {etag}")]);
    assert_eq!((again.status, &*again.body), (304, ""));
    let part = server.get(&path, &["Range: bytes=-7"]);
    assert_eq!((part.status, &*part.body), (206, "ure has"));
    let size = PIXEL.len();
    let place = format!("bytes {}-{}/{size}", size - 7, size - 1);
    assert_eq!(part.header("content-range"), Some(&*place));
    let other = server.get(&path, &["Range: bytes=-7", "If-Range: \"other\""]);
    assert_eq!(other.status, 200);
    let beyond = server.get(&path, &["Range: bytes=4000-"]);
    assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{size}")));
    beyond.problem(416);
    let head = server.ask(&format!("HEAD {path}"), &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("content-length"), Some(&*size.to_string()));

    let svg = server.read(&format!("/entries/{}/content", server.id_of("logo.svg")));
    assert!(svg.header("content-disposition").unwrap().starts_with("attachment"));
    assert!(svg.header("content-security-policy").unwrap().starts_with("sandbox"));
    server.end();
}

#[test]
fn the_range_of_a_large_file_reads_its_chunks_only() {
    let bytes: Vec<u8> = (0..3_500_000_u32).map(|n| b'a' + (n / 7 % 23) as u8).collect();
    let server = with_files(&["inline_limit=0"], &[("film.bin", &bytes)]);
    let path = format!("{PREFIX}/entries/{}/content", server.id_of("film.bin"));
    let whole = server.get(&path, &[]);
    assert!(whole.status == 200 && whole.body.as_bytes() == bytes);
    // Without its first chunk the file is damaged; a range beyond it is not.
    server.sandbox.sql("DELETE FROM image_cache_chunk WHERE seq = 0");
    for (start, end) in [(1_048_576, 1_048_577), (2_000_000, 2_200_000), (3_499_999, 3_500_000)] {
        let part = server.get(&path, &[&format!("Range: bytes={start}-{}", end - 1)]);
        assert!(part.status == 206 && part.body.as_bytes() == &bytes[start..end], "{start}");
    }
    server.get(&path, &["Range: bytes=0-0"]).problem(500);
    server.get(&path, &[]).problem(500);
    server.end();
}

#[test]
fn a_damaged_content_is_a_problem_or_cut_short_and_never_whole() {
    let bytes = vec![b'x'; 2_500_000];
    let files: [(&str, &[u8]); 2] = [("large.bin", &bytes), ("small.txt", b"small and whole")];
    let server = with_files(&["inline_limit=1MiB"], &files);
    server.sandbox.sql("UPDATE image_cache SET image_data = 'AAAA' WHERE image_data IS NOT NULL");
    server.sandbox.sql("UPDATE image_cache_chunk SET data = zeroblob(402848) WHERE seq = 2");
    let small = server.read(&format!("/entries/{}/content", server.id_of("small")));
    assert!(small.problem(500).contains("damaged"));
    let large = server.read(&format!("/entries/{}/content", server.id_of("large")));
    assert_eq!(large.header("content-length"), Some("2500000"));
    assert!(large.body.len() < 2_500_000, "the end of a damaged file is not sent");
    assert!(large.body.bytes().all(|byte| byte == b'x'));
    let log = server.end();
    assert!(log.contains("event=http_cut"), "{log}");
}

#[test]
fn a_content_counts_as_an_access() {
    let server = with_files(&[], &[("a.png", PIXEL)]);
    let old = "UPDATE image_cache SET last_accessed = '2020-01-01 00:00:00.000000'";
    server.sandbox.sql(old);
    let id = server.id_of("a.png");
    assert_eq!(server.read(&format!("/entries/{id}/content")).status, 200);
    wait_until("the access is noted", || {
        let entry = server.read(&format!("/entries/{id}/")).json();
        !entry["last_accessed"].as_str().unwrap().starts_with("2020")
    });
    // Within the minute it is not noted again.
    server.sandbox.sql(old);
    assert_eq!(server.read(&format!("/entries/{id}/content")).status, 200);
    let entry = server.read(&format!("/entries/{id}/")).json();
    assert!(entry["last_accessed"].as_str().unwrap().starts_with("2020"));
    server.end();
}

#[test]
fn contents_that_nobody_takes_hold_up_nobody_for_ever() {
    let bytes = vec![b'x'; 8 << 20];
    let server = with_files(&["inline_limit=0"], &[("large.bin", &bytes)]);
    let path = format!("{PREFIX}/entries/{}/content", server.id_of("large"));
    // Four clients that ask and do not read take all turns; when they go, the turns come back.
    let idle: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = server.connect();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).unwrap();
            stream
        })
        .collect();
    let mut fifth = server.connect();
    write!(fifth, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address)
        .unwrap();
    assert_eq!(server.read("/status/").status, 200);
    drop(idle);
    let answer = read(fifth);
    assert!(answer.status == 200 && answer.body.len() == bytes.len(), "{}", answer.head);
    server.end();
}
