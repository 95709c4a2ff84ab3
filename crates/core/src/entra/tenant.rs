//! A tenant's metadata: whether the tenant exists, and its id.
//!
//! A sign-in does not need them, because endpoints follow from authority and tenant. They tell a wrong tenant from a wrong
//! network.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::{Http, HttpResponse, origin};
use crate::oauth::discovery;
use crate::oauth::error_response::{GrantType, OAuthErrorResponse};

/// Why a tenant's metadata could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum TenantError {
    /// Entra refuses the request, usually because the tenant does not exist.
    #[error("the tenant's metadata were refused: {0}")]
    Refused(Box<OAuthErrorResponse>),
    /// The server does not answer as Entra does.
    #[error("{origin} does not answer as Entra ID does (HTTP {status})")]
    NotEntra {
        /// Scheme, host and port.
        origin: String,
        /// The HTTP status.
        status: u16,
    },
}

/// The id of the tenant whose metadata `authority` sent as `answer`; `None` for metadata of several tenants
/// (`organizations`).
///
/// Errors: see [`TenantError`].
pub fn tenant_id(answer: &HttpResponse, authority: &Url) -> Result<Option<String>, TenantError> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
    }
    if let Ok(Metadata { issuer }) = serde_json::from_slice(&answer.body)
        && answer.status == 200
    {
        let mut segments = issuer.split("://").nth(1).unwrap_or_default().split('/').skip(1);
        return Ok(segments.find(|segment| is_tenant_id(segment)).map(str::to_owned));
    }
    if let Some(refusal) = OAuthErrorResponse::from_json(&answer.body, GrantType::default(), answer.status) {
        return Err(TenantError::Refused(Box::new(refusal)));
    }
    Err(TenantError::NotEntra { origin: origin(authority), status: answer.status })
}

/// The host of Microsoft Graph that a tenant's metadata names (`msgraph_host`); `issuer` is the tenant's own, version 2.0.
/// `None` if the metadata cannot be read, or name none.
pub async fn graph_host(http: &Http, issuer: &str, limit: Duration) -> Option<String> {
    #[derive(Deserialize)]
    struct Metadata {
        msgraph_host: String,
    }
    let answer = discovery::request(http, issuer, limit).await.ok().filter(|answer| answer.status == 200)?;
    serde_json::from_slice::<Metadata>(&answer.body).ok().map(|metadata| metadata.msgraph_host)
}

/// Whether `text` is a tenant's id, as opposed to one of its domains or an alias such as `organizations`.
pub fn is_tenant_id(text: &str) -> bool {
    super::is_guid(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::error_details::EntraErrorDetails;

    const ID: &str = "11f6c3a2-5a8e-4d0b-9c36-2f4f3f7a8e10";

    fn read(status: u16, body: &str) -> Result<Option<String>, TenantError> {
        let authority = Url::parse("https://login.example/").expect("a URL");
        let answer = HttpResponse {
            status,
            headers: hyper::header::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            received: chrono::Utc::now(),
        };
        tenant_id(&answer, &authority)
    }

    #[test]
    fn tenant_id_comes_from_the_issuer() {
        let issuer = |segment: &str| format!(r#"{{"issuer":"https://login.example/{segment}/v2.0"}}"#);
        assert_eq!(read(200, &issuer(ID)).expect("a tenant").as_deref(), Some(ID));
        assert_eq!(read(200, &issuer("{tenantid}")).expect("several"), None);
        let error = read(400, r#"{"error":"invalid_tenant","error_codes":[90002]}"#).expect_err("none");
        let TenantError::Refused(refused) = error else { panic!("{error}") };
        assert_eq!((refused.error.as_str(), EntraErrorDetails(&refused).number()), ("invalid_tenant", Some(90002)));
        let error = read(200, "<html>").expect_err("not Entra");
        assert_eq!(error.to_string(), "https://login.example does not answer as Entra ID does (HTTP 200)");
    }

    #[test]
    fn domain_is_not_a_tenant_id() {
        assert!(is_tenant_id(ID) && is_tenant_id(&ID.to_uppercase()));
        assert!(
            !is_tenant_id("contoso.example")
                && !is_tenant_id("organizations")
                && !is_tenant_id(&ID[1..])
                && !is_tenant_id(&ID.replace('a', "g"))
        );
    }
}
