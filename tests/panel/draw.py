"""Draws the pictures of a shop that the panel is shown with: draw.py DIRECTORY.

The browser draws them, since it is there: coloured things on coloured grounds, photographed as a shop's
products are. The same names and pictures each time.
"""

import random
import sys
from pathlib import Path

from browser import launch

THINGS = {
    "mug": '<path d="M60 70h90v80a25 25 0 0 1-25 25H85a25 25 0 0 1-25-25z" fill="{a}"/>'
    '<path d="M150 88h12a24 24 0 0 1 0 50h-12" fill="none" stroke="{a}" stroke-width="12"/>'
    '<ellipse cx="105" cy="70" rx="45" ry="9" fill="{b}"/>',
    "lamp": '<path d="M80 60h80l26 62H54z" fill="{a}"/><path d="M116 122h8v56h-8z" fill="{b}"/>'
    '<rect x="84" y="176" width="72" height="10" rx="5" fill="{b}"/>',
    "vase": '<path d="M98 50h44c-8 34 26 48 26 84 0 30-20 46-48 46s-48-16-48-46c0-36 34-50 26-84z" fill="{a}"/>'
    '<ellipse cx="120" cy="50" rx="22" ry="6" fill="{b}"/>',
    "chair": '<path d="M78 48h84v70H78z" fill="{a}"/><rect x="68" y="118" width="104" height="18" rx="6" fill="{b}"/>'
    '<path d="M76 136h9v52h-9zM155 136h9v52h-9z" fill="{a}"/>',
    "bowl": '<path d="M50 104h140c0 46-30 70-70 70s-70-24-70-70z" fill="{a}"/>'
    '<ellipse cx="120" cy="104" rx="70" ry="14" fill="{b}"/>',
    "bottle": '<path d="M106 42h28v36c0 14 20 18 20 40v62a12 12 0 0 1-12 12H98a12 12 0 0 1-12-12v-62c0-22 20-26 20-40z" fill="{a}"/>'
    '<rect x="86" y="126" width="68" height="36" fill="{b}"/>',
    "carpet": '<rect x="52" y="46" width="136" height="148" rx="4" fill="{a}"/>'
    '<rect x="66" y="60" width="108" height="120" fill="none" stroke="{b}" stroke-width="6"/>'
    '<path d="m120 80 34 40-34 40-34-40z" fill="{b}"/>',
}

PRODUCTS = [
    ("mug", "enamel-mug-blue"), ("mug", "stoneware-mug"), ("mug", "espresso-cup"), ("lamp", "desk-lamp-brass"),
    ("lamp", "reading-lamp"), ("lamp", "porch-light"), ("vase", "glass-vase-tall"), ("vase", "isfahan-vase"),
    ("chair", "oak-chair"), ("chair", "garden-chair"), ("chair", "kids-chair-red"), ("bowl", "salad-bowl"),
    ("bowl", "copper-bowl"), ("bowl", "rice-bowl"), ("bottle", "olive-oil-shiraz"), ("bottle", "rose-water"),
    ("bottle", "pomegranate-molasses"), ("carpet", "kilim-qashqai"), ("carpet", "gabbeh-small"),
    ("carpet", "tabriz-carpet"), ("vase", "گلدان-فیروزه‌ای"), ("carpet", "فرش-کاشان"),
]

OTHERS = {
    "catalogue/price-list-2026.pdf": b"%PDF-1.7\n" + b"% a page of prices\n" * 5_000,
    "catalogue/terms.txt": b"Delivery within five days.\n" * 60,
    "catalogue/logo.svg": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240">'
    b'<rect width="240" height="240" fill="#0b6e5f"/><circle cx="120" cy="120" r="70" fill="#fff"/></svg>',
    "films/how-a-kilim-is-made.mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x5a" * (6 << 20),
}


def page_of(thing, source):
    hue = source.randrange(360)
    a, b = f"hsl({hue} 42% {source.randrange(38, 60)}%)", f"hsl({(hue + 24) % 360} 36% 26%)"
    ground = f"linear-gradient(160deg,hsl({(hue + 180) % 360} 24% 90%),hsl({(hue + 150) % 360} 22% 76%))"
    shape = THINGS[thing].format(a=a, b=b)
    shadow = '<ellipse cx="120" cy="190" rx="76" ry="10" fill="#0002"/>'
    return (
        f'<body style="margin:0;background:{ground}">'
        f'<svg viewBox="0 0 240 240" width="100%" height="100%">{shadow}{shape}</svg>'
    )


def main(directory):
    source = random.Random(11)
    with launch() as browser:
        page = browser.new_page()
        for count, (thing, name) in enumerate(PRODUCTS):
            for view in range(source.randrange(1, 4)):
                side = source.choice([480, 640, 800])
                kind = source.choice(["jpeg", "jpeg", "png"])
                page.set_viewport_size({"width": side, "height": side})
                page.set_content(page_of(thing, source))
                suffix = "jpg" if kind == "jpeg" else "png"
                path = directory / "products" / f"2026/{count % 11 + 1:02}" / f"{name}-{view + 1}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(page.screenshot(type=kind))
    for name, content in OTHERS.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


main(Path(sys.argv[1]))
