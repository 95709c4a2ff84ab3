//! What is special about Microsoft Entra ID: its clouds and endpoints, the audiences that are nobody's cluster, and
//! what its errors mean. It must not know how anything is kept or shown.

pub mod audience;
pub mod cloud;
pub mod error_details;
pub mod graph;
pub mod refusals;
pub mod subject;
pub mod tenant;
