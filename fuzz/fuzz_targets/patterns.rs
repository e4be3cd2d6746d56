#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| imagecached_fuzz::patterns::check(data));
