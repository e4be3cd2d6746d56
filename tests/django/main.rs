//! A real Django app with real pictures under `imagecached run`, on each database.

#[path = "../support/mod.rs"]
mod support;

/// Runs cases, functions of a [`support::database::Kind`], on the databases that Django apps use.
macro_rules! on_each_database {
    ($($case:ident),+ $(,)?) => {
        mod on_postgresql {
            $(#[test] fn $case() { super::$case($crate::support::database::Kind::Postgres); })+
        }
        mod on_sqlite {
            $(#[test] fn $case() { super::$case($crate::support::database::Kind::Sqlite); })+
        }
        mod on_mariadb {
            $(#[test] fn $case() { super::$case($crate::support::database::Kind::MariaDb); })+
        }
    };
}

mod deploys;
mod image_cache;
mod procfile;
mod samples;
mod shared_sqlite;
mod shop;
mod static_site;
mod two_containers;
