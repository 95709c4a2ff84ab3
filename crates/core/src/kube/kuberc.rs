//! kubectl's preferences (kuberc): which credential plugins kubectl may run.
//!
//! Must not know where the file is, or where programs are.
//!
//! Source: <https://kubernetes.io/docs/reference/kubectl/kuberc/>; the policy is kubectl's from 1.35 on (KEP-3104).

use serde::Deserialize;

/// Which credential plugins kubectl may run. Without one it may run all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginPolicy {
    /// None.
    DenyAll,
    /// Those that these commands name: names to look up in `PATH`, or paths.
    Allowlist(Vec<String>),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Preferences {
    credential_plugin_policy: Option<String>,
    credential_plugin_allowlist: Option<Vec<Allowed>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Allowed {
    command: Option<String>,
    /// As kubectl 1.35 calls it.
    name: Option<String>,
}

/// The policy in the text of a kuberc file; `None` if it restricts nothing, or cannot be understood. The file may hold one
/// document for each version of the format.
pub fn plugin_policy(text: &str) -> Option<PluginPolicy> {
    let mut bytes = text.as_bytes();
    let documents = serde_saphyr::read::<_, Preferences>(&mut bytes).map_while(Result::ok);
    let found = documents
        .into_iter()
        .find_map(|document| Some((document.credential_plugin_policy?, document.credential_plugin_allowlist)));
    match found {
        Some((policy, _)) if policy == "DenyAll" => Some(PluginPolicy::DenyAll),
        Some((policy, list)) if policy == "Allowlist" => {
            let commands = list.unwrap_or_default().into_iter().filter_map(|allowed| allowed.command.or(allowed.name));
            Some(PluginPolicy::Allowlist(commands.collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_is_read_from_the_document_that_has_one() {
        let old = "apiVersion: kubectl.config.k8s.io/v1alpha1\nkind: Preference\n---\n";
        let list = "kind: Preference\ncredentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: a\n- name: /b\n";
        let expected = PluginPolicy::Allowlist(vec!["a".to_owned(), "/b".to_owned()]);
        assert_eq!(plugin_policy(&format!("{old}{list}")), Some(expected));
        assert_eq!(plugin_policy("credentialPluginPolicy: DenyAll"), Some(PluginPolicy::DenyAll));
        for text in ["", "credentialPluginPolicy: AllowAll", "credentialPluginPolicy: ''", "[", "a"] {
            assert_eq!(plugin_policy(text), None, "{text}");
        }
    }
}
