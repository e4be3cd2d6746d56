"""DATABASE_URL, as the platforms write it, into Django's DATABASES."""

from urllib.parse import unquote, urlsplit

ENGINES = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "sqlite": "sqlite3",
}


def parse(url):
    """One entry of DATABASES for `url`, such as `postgres://user:password@host:5432/name`.

    `sqlite:///relative.db` and `sqlite:////absolute.db` name a file.
    """
    parts = urlsplit(url)
    if parts.scheme not in ENGINES:
        raise ValueError(f"DATABASE_URL: unknown scheme {parts.scheme!r}, use one of {sorted(ENGINES)}")
    engine = f"django.db.backends.{ENGINES[parts.scheme]}"
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme == "sqlite":
        # Whoever shares an SQLite file with another writer wants this, be it a second worker of the app
        # itself: a transaction that has read, and only then wants to write, can't wait for its turn.
        options = {"transaction_mode": "IMMEDIATE", "timeout": 20}
        return {"ENGINE": engine, "NAME": name, "OPTIONS": options}
    if parts.scheme == "mysql":
        # PyMySQL stands in for mysqlclient, which would have to be compiled.
        import pymysql

        pymysql.install_as_MySQLdb()
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
    }
