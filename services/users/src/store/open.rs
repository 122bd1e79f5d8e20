//! What the URL of the users' store says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{self, ConnectOptions};
use sea_orm::{
    ConnAcquireErr, DatabaseConnection, DbErr, RuntimeErr, SqlxPostgresConnector,
    SqlxSqliteConnector,
};
use url::Url;

use crate::OpenError;

/// How long a call waits for a connection, and for another process that writes to SQLite.
const PATIENCE: Duration = Duration::from_secs(2);
const SQLITE_CONNECTIONS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 10;
/// Connections that nobody used for so long are closed, which spares the server.
const IDLE: Duration = Duration::from_secs(600);

const NO_SECRETS: &str = "no secrets in the URL of a store: it is seen by others; \
    put the password into a file, and name that with credentials=/file, or use PGPASSFILE";

pub(super) async fn connect(url: &Url) -> Result<DatabaseConnection, OpenError> {
    if url.password().is_some() {
        return Err(OpenError::Url(NO_SECRETS.to_owned()));
    }
    match url.scheme() {
        "sqlite" => sqlite(&sqlite_path(url)?).await,
        "postgres" | "postgresql" => postgres(url).await,
        _ => Err(OpenError::Url(
            "users are kept in sqlite:///file or postgres://user@host/database".to_owned(),
        )),
    }
}

fn sqlite_path(url: &Url) -> Result<PathBuf, OpenError> {
    let plain = url.host_str().is_none_or(str::is_empty) && url.query().is_none();
    let file = format!("file://{}", url.path());
    let file = plain.then(|| Url::parse(&file).ok()).flatten();
    let path = file.and_then(|file| file.to_file_path().ok());
    let path = path.filter(|path| path.is_absolute() && path.file_name().is_some());
    path.ok_or_else(|| {
        OpenError::Url(
            "sqlite: needs an absolute path and no parameters, as in sqlite:///var/lib/weft/users.sqlite".to_owned(),
        )
    })
}

async fn sqlite(path: &Path) -> Result<DatabaseConnection, OpenError> {
    if let Some(directory) = path.parent() {
        let made = tokio::fs::create_dir_all(directory).await;
        made.map_err(|error| OpenError::Io(directory.display().to_string(), error))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(SQLITE_CONNECTIONS)
        .acquire_timeout(PATIENCE);
    let until = tokio::time::Instant::now() + 2 * PATIENCE;
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => return Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)),
            // Turning the write-ahead log on does not heed the busy time-out.
            Err(error) if is_busy(&error) && tokio::time::Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => {
                let error = std::io::Error::other(error.to_string());
                return Err(OpenError::Io(path.display().to_string(), error));
            }
        }
    }
}

/// SQLite's result code, <https://www.sqlite.org/rescode.html>; the low byte is the primary one.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

async fn postgres(url: &Url) -> Result<DatabaseConnection, OpenError> {
    let mut plain = url.clone();
    plain.set_query(None);
    let mut password = None;
    for (name, value) in url.query_pairs() {
        match &*name {
            "credentials" => password = Some(password_in(Path::new(&*value)).await?),
            "sslmode" | "sslrootcert" => {
                plain.query_pairs_mut().append_pair(&name, &value);
            }
            "password" => return Err(OpenError::Url(NO_SECRETS.to_owned())),
            _ => {
                return Err(OpenError::Url(
                    "postgres: has the parameters credentials, sslmode and sslrootcert".to_owned(),
                ));
            }
        }
    }
    if plain.path().len() < 2 {
        return Err(OpenError::Url(
            "postgres: needs a database, as in postgres://weft@host:5432/weft".to_owned(),
        ));
    }
    // Errors of its parser may quote the URL.
    let options = plain.as_str().parse::<PgConnectOptions>();
    let options = options.map_err(|_| {
        OpenError::Url("that is no URL such as postgres://weft@host:5432/weft".to_owned())
    })?;
    let options = options.application_name("weft").disable_statement_logging();
    let options = match password {
        Some(password) => options.password(&password),
        None => options,
    };
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .idle_timeout(IDLE)
        .connect_lazy_with(options);
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

async fn password_in(path: &Path) -> Result<String, OpenError> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| OpenError::Io(path.display().to_string(), error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Whether the server cannot be reached, and may be later.
pub(super) fn is_away(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout | ConnAcquireErr::ConnectionClosed) => {
            true
        }
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => match &**error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
            // https://www.postgresql.org/docs/current/errcodes-appendix.html: it starts, or shuts down.
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| code.starts_with("57P"))
            }
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check_refused(url: &str, reason: &str) {
        let refused = connect(&Url::parse(url).expect("a URL")).await;
        let refused = refused.expect_err("refused");
        let text = format!("{refused} {refused:?}");
        assert!(text.contains(reason), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn secrets_and_unknown_parameters_are_refused() {
        check_refused("postgres://me:hunter2@host/weft", "no secrets").await;
        check_refused("postgres://host/weft?password=hunter2", "no secrets").await;
        check_refused("postgres://host/weft?speed=hunter2", "has the parameters").await;
        check_refused("postgres://host", "needs a database").await;
        check_refused("postgres://host/weft?credentials=/not/there", "/not/there").await;
        check_refused("sqlite:users.db", "absolute path").await;
        check_refused("sqlite://host/users.db", "absolute path").await;
        check_refused("mysql://host/weft", "users are kept in").await;
    }
}
