//! What a person is told when PostgreSQL cannot be used: what, where, what to change.

use std::error::Error;
use std::fmt::Display;

use deadpool_postgres::{HookError, PoolError, TimeoutType};

use super::super::PostgresError;
use super::super::failure::StoreFailure;
use super::super::schema::PostgresSchemaError;
use super::PostgresSettings;
use crate::tls;

/// Complaints about the server that these settings name.
pub(in super::super) struct DatabaseAddress<'a>(pub(in super::super) &'a PostgresSettings);

impl DatabaseAddress<'_> {
    /// No connection was to be had.
    pub(in super::super) fn pool(&self, error: &PoolError) -> PostgresError {
        let time = |time| humantime::format_duration(time);
        match error {
            PoolError::Timeout(TimeoutType::Wait) => self.away(format_args!(
                "all {} connections are in use for {}: is PostgreSQL slow? store.connections allows more",
                self.0.connections,
                time(self.0.call_timeout)
            )),
            PoolError::Timeout(_) => self.late(),
            PoolError::Closed => self.away("the relay has closed its connections"),
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                self.connecting(error)
            }
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(HookError::Message(_)) => {
                self.away(error)
            }
        }
    }

    /// A connection was not there in time.
    pub(in super::super) fn late(&self) -> PostgresError {
        let time = humantime::format_duration(self.0.connect_timeout);
        self.away(format_args!(
            "no connection within {time}: is PostgreSQL up, and no firewall between?"
        ))
    }

    /// The tables are not as they must be.
    pub(in super::super) fn schema(&self, error: PostgresSchemaError) -> PostgresError {
        match error {
            PostgresSchemaError::Foreign { schema } => self.refused(format_args!(
                "the schema {schema} holds tables of another program: name a database of the relay's own, or give \
                 its user a schema of its own (ALTER ROLE ... SET search_path)"
            )),
            PostgresSchemaError::Newer { found, known } => self.refused(format_args!(
                "the database has form {found}, and this version of meetrelay knows forms up to {known}: run the \
                 newer version again, or restore a backup from before the upgrade"
            )),
            PostgresSchemaError::Encoding(encoding) => self.refused(format_args!(
                "the database is encoded as {encoding} and cannot keep every text: create it again with \
                 CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )),
            PostgresSchemaError::NoSchema => self.refused(
                "the connection has no schema to make tables in: make the one that search_path names, and GRANT \
                 USAGE on it",
            ),
            PostgresSchemaError::NoRightToMake { schema } => self.refused(format_args!(
                "the user may not make or change tables in the schema {schema}: GRANT CREATE ON SCHEMA {schema}, or \
                 let the tables' owner start this version once"
            )),
            PostgresSchemaError::NoRightTo { table } => self.refused(format_args!(
                "the user may not work on the table {table}: GRANT SELECT, INSERT, UPDATE, DELETE on all tables"
            )),
            PostgresSchemaError::StoreFailure(StoreFailure::Refused(why)) => self.refused(why),
            PostgresSchemaError::StoreFailure(
                StoreFailure::Unavailable(why) | StoreFailure::Broken(why) | StoreFailure::Again(why),
            ) => self.away(why),
        }
    }

    fn connecting(&self, error: &tokio_postgres::Error) -> PostgresError {
        if let Some(tls) = tls::cause(error) {
            return self.refused(tls::complaint(self.0.peer(), &self.0.host, tls));
        }
        let Some(said) = error.as_db_error() else {
            return self.without_words(error);
        };
        let (code, text) = (said.code().code(), said.message());
        match code {
            "28P01" => self.refused(format_args!(
                "PostgreSQL refuses user or password ({text}): correct them, or make the user with CREATE ROLE"
            )),
            "28000" => self.refused(format_args!(
                "PostgreSQL does not let the user in ({text}): correct the user's name, let it in by \
                 pg_hba.conf, or write sslmode=require if it is let in with encryption only"
            )),
            "3D000" => self.refused(format_args!(
                "there is no such database ({text}): correct its name at the end of store.url, or make it with \
                 CREATE DATABASE"
            )),
            "42501" => self.refused(format_args!(
                "the user may not connect to this database ({text}): GRANT CONNECT ON DATABASE"
            )),
            _ => self.away(format_args!("no connection: {text} (SQLSTATE {code})")),
        }
    }

    /// The crate tells these apart in its text alone (tokio-postgres 0.7.18, error/mod.rs).
    fn without_words(&self, error: &tokio_postgres::Error) -> PostgresError {
        let text = error.to_string();
        let cause = match error.source() {
            Some(cause) => format!(": {cause}"),
            None => String::new(),
        };
        match text.as_str() {
            // A broken handshake has an I/O error below it, a server without TLS a text.
            "error performing TLS handshake" if !cause.contains("does not support TLS") => {
                self.away(format_args!("the connection broke in the TLS handshake{cause}"))
            }
            "error performing TLS handshake" => self.refused(
                "the server has no TLS: switch it on there (ssl = on), or write sslmode=disable at the end of store.url",
            ),
            "invalid configuration" | "authentication error" => self.refused(format_args!(
                "no way to log in{cause}: write user and password into store.url, and let PostgreSQL offer \
                 scram-sha-256"
            )),
            "unexpected message from server" | "error parsing response from server" => {
                self.refused(format_args!(
                    "what answers there does not speak PostgreSQL's protocol ({text}): write its port, usually 5432"
                ))
            }
            _ => self.away(format_args!("no connection: {text}{cause}: is PostgreSQL up?")),
        }
    }

    pub(in super::super) fn refused(&self, why: impl Display) -> PostgresError {
        PostgresError::Refused(format!("store.url {}: {why}", self.0.shown))
    }

    pub(in super::super) fn away(&self, why: impl Display) -> PostgresError {
        PostgresError::Unavailable(format!("store.url {}: {why}", self.0.shown))
    }
}
