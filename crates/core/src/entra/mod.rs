//! What is special about Microsoft Entra ID: its clouds and endpoints, the audiences that do not belong to a cluster, what
//! its errors mean, and Microsoft Graph. It must not know how anything is stored or shown.

pub mod audience;
pub mod cloud;
pub mod error_details;
pub mod graph;
pub mod refusals;
pub mod subject;
pub mod tenant;

/// Whether `text` is a GUID in the usual form: 8-4-4-4-12 hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
