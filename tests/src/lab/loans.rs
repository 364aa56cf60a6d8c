//! The databases of the lab: `loans`, which an application writes, and `warehouse`, which an ETL job
//! fills from it; both on the primary.

use anyhow::{Context, Result};

use super::node::Node;
use super::roles::Role;

/// Makes both databases on an empty primary and fills the first.
pub(super) async fn create(primary: &Node, customers: u32) -> Result<()> {
    primary.sql("CREATE DATABASE loans OWNER loans").await?;
    primary.sql("CREATE DATABASE warehouse OWNER etl").await?;
    for database in ["loans", "warehouse"] {
        primary
            .sql_in(database, "CREATE EXTENSION pg_stat_statements")
            .await?;
    }
    primary.sql("CREATE EXTENSION pg_stat_statements").await?;
    let schema = include_str!("loans/schema.sql").replace(":customers", &customers.to_string());
    let loans = primary.session(Role::Loans, "loans").await?;
    loans.sql(&schema).await.context("make the loan schema")?;
    let read = "GRANT SELECT ON customers, loans, payments TO etl";
    loans.sql(read).await?;
    let warehouse = primary.session(Role::Etl, "warehouse").await?;
    warehouse
        .sql(include_str!("loans/warehouse.sql"))
        .await
        .context("make the warehouse")?;
    Ok(())
}
