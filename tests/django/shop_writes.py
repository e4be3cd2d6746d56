"""The app's own writes while imagecached stores files: `manage.py shell`, until FILES are stored.

Prints `ready` after the first write; at the end the number of writes, the longest in seconds, and the
journal mode of the database file.
"""

import os
import time

from django.db import connection, transaction

from catalog.models import ImageCache, Product

# A shop under heavy load, and not a loop that leaves the file to nobody.
THINKING = 0.005

files = int(os.environ["FILES"])
waits = []
while not waits or ImageCache.objects.count() < files:
    began = time.monotonic()
    if len(waits) % 2:
        Product.objects.create(name=f"Lamp {len(waits)}", picture="lamp.jpg")
    else:
        with transaction.atomic():
            number = Product.objects.count()
            Product.objects.create(name=f"Lamp {number}", picture="lamp.jpg")
    waits.append(time.monotonic() - began)
    if len(waits) == 1:
        print("ready", flush=True)
    time.sleep(THINKING)
with connection.cursor() as cursor:
    mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
assert Product.objects.count() == len(waits)
print(f"writes={len(waits)} longest={max(waits):.3f} journal={mode}")
