//! The app itself reads the image cache, through the unmanaged model.

use crate::samples::samples;
use crate::shop::Shop;
use crate::support::database::Kind;

on_each_database!(django_reads_the_table);

fn django_reads_the_table(kind: Kind) {
    let shop = Shop::new(kind);
    for sample in samples() {
        shop.sandbox.write(&format!("{:?}/{}", sample.form, sample.name), &sample.bytes);
    }
    shop.sandbox.write("odd/Ünïcode 写真 \u{1f98a}.txt", b"a name that is not ASCII");
    shop.sandbox.ok(&["cache-all"]);
    let said = shop.manage(&["shell", "-v", "0", "-c", include_str!("image_cache.py")]);
    assert_eq!(said.trim(), format!("{} entries read", samples().len() + 1));
    shop.sandbox.remove();
}
