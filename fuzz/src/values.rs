//! Small texts that become values: sizes, digests, names, MIME types, cookies, calendars.

use imagecached::model::version::Why;
use imagecached::model::{
    ByteSize, Digest, Timestamp, UploadPath, calendar, mime, scratch, secret,
};

pub fn check(data: &[u8]) {
    let mut eight = [0; 8];
    let head = &data[..data.len().min(8)];
    eight[..head.len()].copy_from_slice(head);
    number(i64::from_le_bytes(eight));
    let mime = mime::of(data, &String::from_utf8_lossy(data));
    // A header's value, and a column of 255 characters.
    assert!(!mime.is_empty() && mime.len() <= 255, "{mime:?}");
    assert!(mime.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{mime:?}");
    if let Ok(text) = std::str::from_utf8(data) {
        self::text(text);
    }
}

fn number(number: i64) {
    // Larger ones are told, but not read: a float no longer tells their bytes apart.
    let size = ByteSize(number.unsigned_abs() >> 12);
    let shown = size.to_string();
    let read: ByteSize = shown.parse().unwrap_or_else(|_| panic!("{shown:?} is a size of ours"));
    // Shown with one digit behind the point, a size is right to a twentieth of its unit.
    assert!(read.0.abs_diff(size.0) as f64 <= (size.0 as f64 / 10.0).max(52.0), "{shown}");
    let _ = Timestamp(number).to_string();
    let _: std::time::SystemTime = Timestamp(number).into();
    // The days of every moment that a timestamp can tell.
    let day = Timestamp(number).0.div_euclid(86_400_000_000);
    let date = calendar::gregorian(day);
    assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day), "{date:?}");
    assert!(calendar::gregorian(day + 1) > date);
    if let Some(date) = calendar::jalali(day) {
        assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day), "{date:?}");
        assert!(calendar::jalali(day + 1).is_none_or(|next| next > date));
    }
}

fn text(text: &str) {
    if let Ok(size) = text.parse::<ByteSize>() {
        assert_eq!(size.0.to_string().parse(), Ok(size));
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert!(digest.to_string().eq_ignore_ascii_case(text));
    }
    if let Some(why) = Why::parse(text) {
        assert_eq!(why.as_str(), text);
    }
    let _ = (scratch::is_scratch(text), secret::withstands_guessing(text));
    if let Ok(path) = UploadPath::parse(text) {
        let _ = scratch::is_scratch(path.as_str());
    }
}
