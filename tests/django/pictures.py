"""Makes the pictures and documents that the tests upload: pictures.py DIRECTORY.

Real pictures, since the shop looks into them as any Django app with an ImageField does: every format that
a phone, a scanner or a design program brings, from a few hundred bytes to 6 MiB. Noise, because
pictures do not compress.
"""

import random
import sys
from pathlib import Path

from PIL import Image

# Side of the square in pixels; three bytes a pixel where the format does not compress noise.
SIDES = [16, 100, 130, 160, 280, 400]
LARGE = 1450  # 6 MiB as a PNG, more than the inline limit.
FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "TGA", "JPEG2000", "ICO"]
SUFFIXES = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}

# Documents are known by their first bytes; what follows need not make sense to anybody.
DOCUMENTS = {
    "price list.pdf": b"%PDF-1.7\n",
    "manual.docx": b"PK\x03\x04\x14\x00\x06\x00",
    "sheet.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "film.mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
    "archive.zip": b"PK\x03\x04\x0a\x00\x00\x00",
    "letters.csv": "name,città\nÅsa,Österås\n".encode(),
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "one byte.txt": b"x",
}


def noise(source, side):
    """A square of random colours."""
    return Image.frombytes("RGB", (side, side), source.randbytes(3 * side * side))


def main(directory):
    source = random.Random(7)
    pictures, documents = directory / "pictures", directory / "documents"
    pictures.mkdir(parents=True)
    documents.mkdir()
    for kind in FORMATS:
        for side in SIDES:
            # An icon is at most 256 pixels wide.
            side = min(side, 256) if kind == "ICO" else side
            suffix = SUFFIXES.get(kind, kind.lower())
            noise(source, side).save(pictures / f"{kind.lower()}-{side}.{suffix}", kind)
    for kind in ["PNG", "BMP"]:
        noise(source, LARGE).save(pictures / f"large.{kind.lower()}", kind)
    for name, head in DOCUMENTS.items():
        size = 0 if len(head) < 10 and name.endswith("txt") else source.randrange(200_000)
        body = b"" if name.endswith((".csv", ".svg")) else source.randbytes(size)
        (documents / name).write_bytes(head + body)
    (documents / "large film.mp4").write_bytes(DOCUMENTS["film.mp4"] + source.randbytes(5 << 20))


main(Path(sys.argv[1]))
