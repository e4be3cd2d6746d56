//! The app itself reads the image cache, through the unmanaged model that the README gives.

use crate::samples::samples;
use crate::shop::Shop;
use crate::support::database::Kind;

const README: &str = include_str!("../../README.md");

on_each_database!(django_reads_the_table);

fn django_reads_the_table(kind: Kind) {
    let shop = Shop::new(kind);
    for sample in samples() {
        shop.sandbox.write(&format!("{:?}/{}", sample.form, sample.name), &sample.bytes);
    }
    shop.sandbox.write("odd/Ünïcode 写真 \u{1f98a}.txt", b"a name that is not ASCII");
    shop.sandbox.ok(&["cache-all"]);
    let begin = "```python\nclass ImageCache";
    let at = README.find(begin).expect("a model in the README") + "```python\n".len();
    let model = &README[at..];
    let (model, _) = model.split_once("```").expect("its end");
    let mut shell =
        shop.manage_command(&["shell", "-v", "0", "-c", include_str!("image_cache.py")]);
    let said = shell.env("MODEL", model).output().expect("Python starts");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout).expect("UTF-8");
    assert_eq!(said.trim(), format!("{} entries read", samples().len() + 1));
    shop.sandbox.remove();
}
