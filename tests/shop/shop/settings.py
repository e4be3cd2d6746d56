"""Settings of the shop, all from the environment, with defaults for a try by hand."""

import os
from pathlib import Path

from shop import database

BASE_DIR = Path(__file__).resolve().parent.parent

# The shop holds no secret and listens on the loopback address of a test machine only.
SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-tests")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = ["catalog"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"

DATABASES = {
    "default": database.parse(
        os.environ.get("DATABASE_URL") or f"sqlite:///{BASE_DIR / 'shop.sqlite3'}"
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

MEDIA_URL = "/media/"
MEDIA_ROOT = os.environ.get("MEDIA_ROOT") or str(BASE_DIR / "media")

# Up to this size Django keeps an upload in memory and writes it into MEDIA_ROOT itself; a larger one
# goes to a temporary file first, which is then renamed into place. The default is low, so that
# ordinary test pictures take both roads.
FILE_UPLOAD_MAX_MEMORY_SIZE = int(os.environ.get("FILE_UPLOAD_MAX_MEMORY_SIZE") or 64 * 1024)
# A directory elsewhere makes that rename a copy across file systems.
FILE_UPLOAD_TEMP_DIR = os.environ.get("FILE_UPLOAD_TEMP_DIR") or None
