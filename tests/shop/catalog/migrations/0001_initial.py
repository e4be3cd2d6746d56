"""The shop's own tables. ImageCache is unmanaged: it is described here and made by imagecached."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ImageCache",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("content_type", models.TextField()),
                ("object_id", models.TextField()),
                ("original_path", models.TextField()),
                ("image_data", models.TextField(null=True)),
                ("image_url", models.TextField()),
                ("file_size", models.BigIntegerField()),
                ("content_type_header", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("last_accessed", models.DateTimeField()),
                ("sha256", models.CharField(max_length=64)),
                ("mtime_ns", models.BigIntegerField()),
                ("mode", models.IntegerField()),
                ("chunk_set", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "image_cache",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("picture", models.ImageField(upload_to="products/%Y/%m/")),
            ],
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("file", models.FileField(upload_to="documents/")),
            ],
        ),
    ]
