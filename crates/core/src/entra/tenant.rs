//! A tenant's own metadata: whether it exists, and its id.
//!
//! Nothing depends on them: endpoints follow from authority and tenant. They tell a wrong tenant from a wrong network.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::refusals;
use crate::error::{Error, Result};
use crate::http::{Http, HttpResponse, origin};
use crate::oauth::discovery;
use crate::oauth::error_response::{GrantType, OAuthErrorResponse};

/// The id of the tenant that the metadata in `answer` are of; `None` for those that stand for every tenant
/// (`organizations`). They were asked of `authority`.
///
/// Errors: there is no such tenant, or what answers is no Entra.
pub fn id(answer: &HttpResponse, authority: &Url) -> Result<Option<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        issuer: String,
    }
    if let Ok(Metadata { issuer }) = serde_json::from_slice(&answer.body)
        && answer.status == 200
    {
        let mut segments = issuer.split("://").nth(1).unwrap_or_default().split('/').skip(1);
        return Ok(segments.find(|segment| is_id(segment)).map(str::to_owned));
    }
    if let Some(refusal) = OAuthErrorResponse::from_json(&answer.body, GrantType::default(), answer.status) {
        return Err(refusals::explain(&refusal, "find the tenant"));
    }
    Err(Error::failed(
        format!("{} does not answer as Entra ID does (HTTP {})", origin(authority), answer.status),
        "Check --environment and --authority-host, and whether a captive portal or a proxy stands in between.",
    ))
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

/// Whether `text` is a tenant's id, and not one of its domains or a word for several.
pub fn is_id(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11f6c3a2-5a8e-4d0b-9c36-2f4f3f7a8e10";

    fn read(status: u16, body: &str) -> Result<Option<String>> {
        let authority = Url::parse("https://login.example/").expect("a URL");
        let answer = HttpResponse {
            status,
            headers: hyper::header::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            received: chrono::Utc::now(),
        };
        id(&answer, &authority)
    }

    #[test]
    fn a_tenant_is_known_by_its_issuer() {
        let issuer = |segment: &str| format!(r#"{{"issuer":"https://login.example/{segment}/v2.0"}}"#);
        assert_eq!(read(200, &issuer(ID)).expect("a tenant").as_deref(), Some(ID));
        assert_eq!(read(200, &issuer("{tenantid}")).expect("several"), None);
        let error = read(400, r#"{"error":"invalid_tenant","error_codes":[90002]}"#).expect_err("none");
        assert!(error.what.contains("no such tenant") && error.next.contains("--tenant-id"), "{error:?}");
        assert!(read(200, "<html>").expect_err("no Entra").what.contains("https://login.example"));
    }

    #[test]
    fn ids_are_no_domains() {
        assert!(is_id(ID) && is_id(&ID.to_uppercase()));
        assert!(
            !is_id("contoso.example") && !is_id("organizations") && !is_id(&ID[1..]) && !is_id(&ID.replace('a', "g"))
        );
    }
}
