//! Contents that say of themselves whether they are whole: they end in a checksum of all that stands
//! before it, the seal.

use sha2::{Digest, Sha256};

use crate::random::Random;

/// The end of a whole content. No two contents have the same.
pub type Seal = [u8; 32];

/// Adds the seal to what will be the content of a file.
pub fn seal(mut body: Vec<u8>) -> (Vec<u8>, Seal) {
    let seal: Seal = Sha256::digest(&body).into();
    body.extend_from_slice(&seal);
    (body, seal)
}

/// The seal of a content, if it is whole.
pub fn seal_of(content: &[u8]) -> Option<Seal> {
    let (body, end) = content.split_last_chunk::<32>()?;
    let seal: Seal = Sha256::digest(body).into();
    (seal == *end).then_some(seal)
}

/// A new content: mostly as small as a thumbnail, sometimes of several chunks.
pub fn fresh(random: &mut Random) -> (Vec<u8>, Seal) {
    let length = match random.between(0..100) {
        0..60 => random.between(40..8_000),
        60..90 => random.between(8_000..100_000),
        90..98 => random.between(100_000..700_000),
        _ => random.between(1_000_000..3_000_000),
    };
    let length = usize::try_from(length).expect("a few megabytes");
    seal(random.bytes(length))
}
