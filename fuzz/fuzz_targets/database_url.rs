#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imagecached_fuzz::database_url::check(data));
