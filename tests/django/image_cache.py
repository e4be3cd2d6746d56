"""Reads imagecached's table through the README's model, in `manage.py shell`."""

import base64
import hashlib
import os
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone

# As if it stood in the app's models.py.
module = {"__name__": "catalog.models", "models": models}
exec(os.environ["MODEL"], module)
ImageCache = module["ImageCache"]

root = Path(settings.MEDIA_ROOT)
files = {str(file.relative_to(root)): file for file in root.rglob("*") if file.is_file()}

assert ImageCache.objects.count() == len(files) > 0, (ImageCache.objects.count(), len(files))
in_rows = 0
for path, file in files.items():
    cache = ImageCache.objects.get(original_path=path)
    content = file.read_bytes()
    assert cache.original_path == path, cache.original_path
    assert cache.has_data, path
    assert cache.file_size == len(content), path
    assert cache.sha256 == hashlib.sha256(content).hexdigest(), path
    assert cache.mtime_ns == file.stat().st_mtime_ns, path
    assert cache.mode == file.stat().st_mode & 0o777, path
    if cache.image_data is not None:
        in_rows += 1
        assert base64.b64decode(cache.image_data, validate=True) == content, path
    else:
        assert len(content) > 5 << 20 and cache.chunk_set is not None, path
    now = timezone.now()
    for moment in [cache.created_at, cache.updated_at, cache.last_accessed]:
        assert timezone.is_aware(moment), path
        assert abs(now - moment) < timedelta(minutes=10), (path, now, moment)
assert 0 < in_rows < len(files), "payloads of both kinds"

# What an admin page or a report asks the database for.
picture = ImageCache.objects.filter(content_type_header="image/png").order_by("-file_size")[0]
assert picture.original_path.endswith("large.png"), picture.original_path
recent = ImageCache.objects.filter(created_at__gte=timezone.now() - timedelta(minutes=10))
assert recent.count() == len(files)
assert not ImageCache.objects.filter(created_at__gt=timezone.now() + timedelta(minutes=10)).exists()
assert ImageCache.objects.defer("image_data").earliest("created_at").original_path in files
print(f"{len(files)} entries read")
