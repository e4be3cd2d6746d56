"""A product with its picture, a document, and imagecached's table as Django sees it."""

import base64

from django.db import models


class Product(models.Model):
    """Something for sale."""

    name = models.CharField(max_length=200)
    picture = models.ImageField(upload_to="products/%Y/%m/")

    def __str__(self):
        return self.name


class Document(models.Model):
    """A price list, a manual: any file that a customer can download."""

    file = models.FileField(upload_to="documents/")

    def __str__(self):
        return self.file.name


class ImageCache(models.Model):
    """An entry of the image cache. imagecached makes and fills the table; the app only reads it."""

    content_type = models.TextField()
    object_id = models.TextField()
    original_path = models.TextField()
    image_data = models.TextField(null=True)
    image_url = models.TextField()
    file_size = models.BigIntegerField()
    content_type_header = models.TextField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    last_accessed = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    mtime_ns = models.BigIntegerField()
    mode = models.IntegerField()
    chunk_set = models.BigIntegerField(null=True)

    class Meta:
        db_table = "image_cache"
        managed = False

    def __str__(self):
        return self.original_path

    @property
    def has_data(self):
        """Whether the bytes can be read back: from the row, from its chunks or from a URL."""
        in_database = self.image_data is not None or self.chunk_set is not None
        return in_database or bool(self.image_url)

    def read(self):
        """The file's bytes, where they are in the row itself (files up to the inline limit)."""
        if self.image_data is None:
            raise ValueError(f"{self.original_path}: the bytes are not in the row")
        return base64.b64decode(self.image_data)
