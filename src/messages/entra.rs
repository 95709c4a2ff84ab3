//! The words for errors of core's `entra`: tenants, clouds, audiences.

use kubectl_login_core::entra::tenant::TenantError;
use kubectl_login_core::error::Error;

use super::Explain;

impl Explain for TenantError {
    fn explain(&self, purpose: &str) -> Error {
        match self {
            TenantError::Refused(answer) => answer.explain(purpose),
            TenantError::NotEntra { .. } => Error::failed(
                self.to_string(),
                "Check --environment and --authority-host, and whether a captive portal or a proxy stands in between.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubectl_login_core::oauth::error_response::{GrantType, OAuthErrorResponse};

    #[test]
    fn unknown_tenant_says_which_flag_to_check() {
        let body = br#"{"error":"invalid_tenant","error_codes":[90002]}"#;
        let answer = OAuthErrorResponse::from_json(body, GrantType::default(), 400).expect("an error object");
        let error = TenantError::Refused(Box::new(answer)).explain("find the tenant");
        assert!(error.what.contains("no such tenant") && error.next.contains("--tenant-id"), "{error:?}");
    }
}
