//! The schema, step by step. Steps are written in what SQL of SQLite and of PostgreSQL has in common, and are never
//! changed once they were released.

use sea_orm_migration::prelude::{
    ConnectionTrait, DbErr, MigrationName, MigrationTrait, MigratorTrait, SchemaManager,
};

pub(super) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(Step {
                name: "m0001_accounts",
                statements: include_str!("m0001_accounts.sql"),
            }),
            Box::new(Step {
                name: "m0002_audit",
                statements: include_str!("m0002_audit.sql"),
            }),
            Box::new(Step {
                name: "m0003_sessions",
                statements: include_str!("m0003_sessions.sql"),
            }),
            Box::new(Step {
                name: "m0004_identities",
                statements: include_str!("m0004_identities.sql"),
            }),
            Box::new(Step {
                name: "m0005_passkeys",
                statements: include_str!("m0005_passkeys.sql"),
            }),
            Box::new(Step {
                name: "m0006_audit_address",
                statements: include_str!("m0006_audit_address.sql"),
            }),
            Box::new(Step {
                name: "m0007_devices",
                statements: include_str!("m0007_devices.sql"),
            }),
            Box::new(Step {
                name: "m0008_redactions",
                statements: include_str!("m0008_redactions.sql"),
            }),
        ]
    }
}

struct Step {
    name: &'static str,
    statements: &'static str,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for statement in self.statements.split(';') {
            if !statement.trim().is_empty() {
                db.execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }
}
