//! The words for errors of core's `entra`: tenants, clouds, audiences.

use kubectl_login_core::entra::audience::AudienceError;
use kubectl_login_core::entra::cloud::{self, CloudError, STACK, StackFileProblem};
use kubectl_login_core::entra::tenant::TenantError;

use super::{ErrorMessage, Explain};
use crate::environment::AZURE_ENVIRONMENT_FILEPATH;

const SERVER_ID: &str = "Give --server-id the application id of the cluster's API server. That of AKS: 6dae42f8-4368-4678-94ff-3960e28e3630";
const STACK_FILE: &str = "Correct the file: JSON with activeDirectoryEndpoint, resourceManagerEndpoint and microsoftGraphEndpoint, each an https URL.";
/// The plugin checks a tenant before it asks for endpoints, so it says so in the same words.
pub const INVALID_TENANT: &str = "Give the tenant's id, a verified domain of it, or organizations.";

impl Explain for AudienceError {
    fn explain(&self, _purpose: &str) -> ErrorMessage {
        match self {
            AudienceError::Empty => ErrorMessage::usage("--server-id is empty", SERVER_ID),
            AudienceError::SeveralWords => {
                ErrorMessage::usage("--server-id holds more than one word", "Give one application id or URI.")
            }
            AudienceError::Invalid(id) => {
                ErrorMessage::usage(format!("--server-id {id:?} is not a valid application id or URI"), SERVER_ID)
            }
            AudienceError::ForeignService { audience, service } => ErrorMessage::usage(
                format!("{audience:?} belongs to {service}, and a token for it is not handed to a cluster"),
                format!("If you did not write this kubeconfig, ask its author what it is for.\n{SERVER_ID}"),
            ),
            AudienceError::GraphByDefault => ErrorMessage::usage(
                format!("{self}, which is not handed to a cluster"),
                "Leave out --oidc-use-access-token, or name the application of the cluster: --oidc-extra-scope",
            ),
        }
    }
}

impl Explain for CloudError {
    fn explain(&self, _purpose: &str) -> ErrorMessage {
        match self {
            CloudError::UnknownEnvironment(_) => ErrorMessage::usage(
                self.to_string(),
                format!(
                    "Use one of {}.\nFor another sign-in host add --authority-host to one of them.",
                    cloud::environment_names().join(", ")
                ),
            ),
            CloudError::Authority(problem) => ErrorMessage::usage(
                format!("--authority-host {problem}"),
                "Give the base URL of the sign-in host, such as: https://login.microsoftonline.com/",
            ),
            CloudError::InvalidTenant => ErrorMessage::usage("--tenant-id is not a valid tenant", INVALID_TENANT),
            CloudError::NoStackFile => ErrorMessage::failed(
                format!("{STACK} needs to know where its endpoints are"),
                format!(
                    "Set {AZURE_ENVIRONMENT_FILEPATH} to the JSON file that describes them, or use --authority-host."
                ),
            ),
            CloudError::StackFile { file, problem } => {
                let name = format!("{file} ({AZURE_ENVIRONMENT_FILEPATH})");
                let what = match problem {
                    StackFileProblem::Unreadable(reason) => format!("{name} cannot be read: {reason}"),
                    StackFileProblem::Malformed { line, column } => {
                        format!("{name} is not as expected (line {line}, column {column})")
                    }
                    StackFileProblem::Field(field) => format!("{field} in {name} is not an https URL"),
                    StackFileProblem::Authority(problem) => format!("{} {problem} in {name}", cloud::SIGN_IN_FIELD),
                };
                ErrorMessage::failed(what, STACK_FILE)
            }
        }
    }
}

impl Explain for TenantError {
    fn explain(&self, purpose: &str) -> ErrorMessage {
        match self {
            TenantError::Refused(answer) => answer.explain(purpose),
            TenantError::NotEntra { .. } => ErrorMessage::failed(
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
    fn unknown_environment_lists_the_known_ones() {
        let error = CloudError::UnknownEnvironment("AzureGermanCloud".to_owned()).explain("sign in");
        assert!(error.next.contains("AzureChinaCloud") && error.next.contains("AzureStackCloud"), "{}", error.next);
    }

    #[test]
    fn unknown_tenant_says_which_flag_to_check() {
        let body = br#"{"error":"invalid_tenant","error_codes":[90002]}"#;
        let answer = OAuthErrorResponse::from_json(body, GrantType::default(), 400).expect("an error object");
        let error = TenantError::Refused(Box::new(answer)).explain("find the tenant");
        assert!(error.what.contains("no such tenant") && error.next.contains("--tenant-id"), "{error:?}");
    }
}
