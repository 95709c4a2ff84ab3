//! The names of everything that can go wrong. The handlers of the requests implement it; this file knows no protocol.

macro_rules! behaviours {
    ($($variant:ident $name:literal $summary:literal,)*) => {
        /// One way in which the simulated world differs from a well-behaved one.
        ///
        /// Checked when a request arrives, so that a running world changes immediately. "The token endpoint" is that of
        /// both issuers unless one is named.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Behaviour {
            $(#[doc = $summary] $variant,)*
        }

        impl Behaviour {
            /// All behaviours, in the order of the protocol's steps.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in snake case, as the program takes it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it does, in one line.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)* }
            }

            /// The behaviour of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

behaviours! {
    // Discovery and keys.
    StallDiscovery "stall_discovery" "Discovery accepts the request and never responds.",
    OversizedDiscovery "oversized_discovery" "Discovery returns more than 2 MiB of JSON.",
    Discovery404 "discovery_404" "Discovery returns 404.",
    NotJsonDiscovery "not_json_discovery" "Discovery returns 200 with text that is not JSON.",
    DiscoveryHttpEndpoints "discovery_http_endpoints"
        "Discovery has endpoints under `http://example.invalid`.",
    WrongIssuer "wrong_issuer" "Discovery's `issuer` differs from the requested one.",
    NoDeviceEndpoint "no_device_endpoint"
        "Discovery of the OIDC issuer has no device authorization endpoint.",
    ForeignAuthorizationEndpoint "foreign_authorization_endpoint"
        "Discovery of the OIDC issuer has the sign-in page of `other-issuer.example`, and its own token endpoint.",
    DelegatedEndpoints "delegated_endpoints"
        "Discovery of the OIDC issuer has a sign-in page and a token endpoint of `other-issuer.example`.",
    NoRevocationEndpoint "no_revocation_endpoint" "Discovery of the OIDC issuer has no revocation endpoint.",
    NoUserinfoEndpoint "no_userinfo_endpoint" "Discovery of the OIDC issuer has no userinfo endpoint.",
    EndpointsMoved "endpoints_moved"
        "The OIDC issuer's endpoints are under `/oidc/v2`, as discovery says; the old addresses return 404.",
    OldEndpointsShowPages "old_endpoints_show_pages"
        "With `endpoints_moved`, the old addresses return 200 with an HTML page.",
    ListsSecretByHeader "lists_secret_by_header"
        "Discovery of the OIDC issuer lists `client_secret_basic` and not `client_secret_post`.",
    ListsSecretByBody "lists_secret_by_body"
        "Discovery of the OIDC issuer lists `client_secret_post` and not `client_secret_basic`.",
    ListsNoSecrets "lists_no_secrets" "Discovery of the OIDC issuer does not say how clients authenticate.",

    Keys503 "keys_503" "The OIDC issuer's key set endpoint returns 503.",
    StallKeys "stall_keys" "The OIDC issuer's key set endpoint accepts the request and never responds.",

    // Client secrets, compressed responses.
    SecretByHeaderOnly "secret_by_header_only"
        "The OIDC issuer accepts the client secret only in the Authorization header: otherwise `invalid_client`.",
    SecretByBodyOnly "secret_by_body_only"
        "The OIDC issuer accepts the client secret only in the body: otherwise 401 `invalid_client`.",
    DeviceIgnoresSecret "device_ignores_secret" "The OIDC issuer's device endpoint ignores client secrets.",
    GzipAnswers "gzip_answers" "Every response is gzip, although the client has not asked for it.",
    GzipBomb "gzip_bomb" "Every response is gzip: 64 MiB of blanks, in 64 KiB.",

    // The authorization endpoint and its codes.
    AuthorizeErrorPage "authorize_error_page"
        "The authorization endpoint returns 500 with an HTML page, and does not redirect.",
    RedirectNotRegistered "redirect_not_registered"
        "Entra's authorization endpoint shows 50011 for every redirect address, and does not redirect.",
    ConditionalAccessBlocksBrowser "conditional_access_blocks_browser"
        "Entra's authorization endpoint shows 53003 and does not redirect; its codes fail with `invalid_grant`, 53003.",
    AuthorizeDenied "authorize_denied" "Authorization requests fail with `access_denied`, without a page.",
    AuthorizeNoState "authorize_no_state" "The callback has no `state`.",
    AuthorizeWrongState "authorize_wrong_state" "The callback's `state` is another sign-in's.",
    AuthorizeCodeTwice "authorize_code_twice" "The page sends the callback twice, with the same code.",
    FormPostOnly "form_post_only" "The callback is a form post, even if another mode was requested.",
    IssInCallback "iss_in_callback" "The callback has an `iss` (RFC 9207), and discovery says so.",
    WrongIssInCallback "wrong_iss_in_callback" "The callback's `iss` is another issuer, and discovery promises an `iss`.",
    PkceRequired "pkce_required" "Authorization requests without PKCE fail with `invalid_request`.",
    PkceRefused "pkce_refused"
        "Authorization requests with PKCE fail with `invalid_request`; discovery has no PKCE methods.",
    PlainPkceOnly "plain_pkce_only" "Discovery of the OIDC issuer lists `plain` as the only PKCE method.",
    CodeExpired "code_expired" "Authorization codes fail with `invalid_grant`: expired.",
    UnknownCodeInvalidRequest "unknown_code_invalid_request"
        "A code that the OIDC issuer does not know fails with `invalid_request`, as in Dex.",
    ConnectionLostAtExchange "connection_lost_at_exchange"
        "The exchange of an authorization code or a password loses its connection; the code stays valid.",
    PublicClientNotAllowed "public_client_not_allowed"
        "Entra's authorization codes fail with `invalid_client`, 7000218.",
    WrongNonce "wrong_nonce" "The ID token of a sign-in by code has another sign-in's `nonce`.",
    PasswordGrantNotAllowed "password_grant_not_allowed"
        "The OIDC issuer returns `unauthorized_client` for a password: the grant is disabled for the client.",
    WrongPasswordAccessDenied "wrong_password_access_denied"
        "A wrong password fails with 401 and `access_denied`, as in Dex.",
    NoNonce "no_nonce" "The ID token of a sign-in by code has no `nonce`.",

    // The device authorization endpoint.
    StallDevice "stall_device" "The device endpoint accepts the request and never responds.",
    HtmlDevicePage "html_device_page" "The device endpoint returns 403 with an HTML page.",
    NotJsonDevice "not_json_device" "The device endpoint returns 200 with text that is not JSON.",
    DeviceGrantNotAllowed "device_grant_not_allowed"
        "The OIDC issuer's device endpoint returns `unauthorized_client`: the grant is disabled for the client.",
    DeviceClientRefused "device_client_refused"
        "The OIDC issuer's device endpoint returns `invalid_client`, as Google's does for browser clients.",
    RedirectDevice "redirect_device" "The device endpoint returns 307 to a path that would work.",
    NumbersAsStrings "numbers_as_strings" "`expires_in`, `ext_expires_in` and `interval` are JSON strings.",
    IntervalMissing "interval_missing" "The device response has no `interval`.",
    IntervalZero "interval_zero" "The device response's `interval` is 0.",
    VerificationUrl "verification_url" "The device response calls the field `verification_url`.",
    VerificationUriCompleteMissing "verification_uri_complete_missing"
        "The OIDC issuer does not send `verification_uri_complete`.",
    HostileVerificationUri "hostile_verification_uri"
        "`verification_uri` is `javascript:`, `verification_uri_complete` is `file:`.",
    ControlCharacters "control_characters"
        "Terminal escapes in `message`, in `error_description` and in the `name` claim.",

    // Polling.
    SlowDown "slow_down" "The first poll of each sign-in gets `slow_down`.",
    AuthorizationDeclined "authorization_declined" "Polls fail with Entra's `authorization_declined`.",
    AccessDenied "access_denied" "Polls fail with RFC 8628's `access_denied`.",
    ExpiredToken "expired_token" "Polls fail with `expired_token`.",
    BadVerificationCode "bad_verification_code" "Polls fail with Entra's `bad_verification_code`.",
    DeviceBlocked "device_blocked"
        "Polls fail with `invalid_grant`, 53003, `message_only`: blocked by Conditional Access.",
    ConsentRequired "consent_required"
        "Polls and codes fail with `invalid_grant`, 65001, `consent_required`; so does the authorization endpoint.",
    PublicClientDisabled "public_client_disabled" "Polls fail with `invalid_client`, 7000218.",
    ConnectionResetWhilePolling "connection_reset_while_polling"
        "The first two polls of each sign-in lose their connection.",
    OtherUser "other_user" "BOB approves instead of the expected user.",

    // The token endpoint as a whole.
    HtmlErrorPage "html_error_page" "The token endpoint returns 403 with an HTML page.",
    HtmlSuccessPage "html_success_page" "The token endpoint returns 200 with an HTML page.",
    ServerError "server_error"
        "The token endpoint returns 500 once, or as often as `set_server_error_times` says.",
    Always503 "always_503" "The device and token endpoints return 503.",
    Token503WithRetryAfter "token_503_with_retry_after"
        "The token endpoint returns 503 with `Retry-After: 2` until two seconds have passed.",
    Stall "stall" "The token endpoint accepts the request and never responds.",
    DelayToken "delay_token"
        "The token endpoint responds after `set_token_delay` (one second by default), or when this is cleared.",
    OversizedAnswer "oversized_answer" "The token endpoint returns more than 2 MiB of JSON.",
    RedirectToken "redirect_token" "The token endpoint returns 307 to a path that would work.",
    NotJson "not_json" "The token endpoint returns 200 with text that is not JSON.",
    JsonArray "json_array" "The token endpoint returns 200 with a JSON array.",

    // What is issued.
    NoRefreshToken "no_refresh_token" "Responses have no refresh token.",
    RefreshWithoutNewToken "refresh_without_new_token"
        "A refresh returns no new refresh token; the old one stays valid.",
    RotatedRefreshToken "rotated_refresh_token"
        "Entra revokes the old refresh token too, and the family of one that is used twice.",
    TokenWithoutExp "token_without_exp" "JWTs have no `exp`.",
    NoExpiresIn "no_expires_in" "Token responses have no `expires_in`.",
    OpaqueAccessToken "opaque_access_token" "Entra's access token is not a JWT.",
    JwtAccessToken "jwt_access_token" "The OIDC issuer's access token is a JWT.",
    MissingIdToken "missing_id_token" "Token responses have no ID token.",
    MissingAccessToken "missing_access_token" "Token responses have no access token.",
    IdTokenWrongIssuer "id_token_wrong_issuer" "The ID token's `iss` is another issuer.",
    IdTokenWrongAudience "id_token_wrong_audience" "The ID token's `aud` is another client.",
    IdTokenBadSignature "id_token_bad_signature" "The ID token is not signed with the key that its `kid` names.",
    IdTokenUnreadable "id_token_unreadable" "The ID token of a token response is not a JWT.",
    IdTokenAlgNone "id_token_alg_none" "The ID token says `alg: none` and has no signature.",
    IdTokenExpired "id_token_expired" "The ID token expired an hour ago.",
    IdTokenNoSubject "id_token_no_subject" "The ID token has no `sub`.",
    IdTokenLongSubject "id_token_long_subject" "The ID token's `sub` has 256 characters.",
    IdTokenNoIssueTime "id_token_no_issue_time" "The ID token has no `iat`.",
    IdTokenFutureIssueTime "id_token_future_issue_time" "The ID token's `iat` is ten minutes in the future.",
    IdTokenEs512 "id_token_es512" "ID tokens of the OIDC issuer are signed with ES512, as discovery and key set say.",
    IdTokenUnknownKidOnce "id_token_unknown_kid_once"
        "The ID token's key is missing the first time that the key set is fetched.",

    // What the OIDC issuer says about groups.
    GroupsOnlyInUserinfo "groups_only_in_userinfo"
        "The OIDC issuer's tokens have no groups and roles; its userinfo endpoint returns them.",
    NoGroupsAnywhere "no_groups_anywhere" "The OIDC issuer does not return groups and roles at all.",
    UserinfoUnavailable "userinfo_unavailable" "The userinfo endpoint returns 503.",
    UserinfoJwt "userinfo_jwt" "The userinfo endpoint returns a signed JWT.",
    UserinfoForgedJwt "userinfo_forged_jwt" "The userinfo endpoint returns a JWT signed with another key.",
    UserinfoOtherSubject "userinfo_other_subject" "The userinfo endpoint's `sub` is another user's.",

    // Groups in Entra's access tokens, and the format of these tokens.
    Hasgroups "hasgroups" "Above 200 groups, the token has `hasgroups` and no claim source.",
    HostileClaimSource "hostile_claim_source"
        "Above 200 groups, the token's claim source is a port of this world that no client should contact.",
    NoGroupsClaim "no_groups_claim" "Access tokens never have any claim about groups.",
    Version2Tokens "version_2_tokens" "Access tokens have version 2.0.",
    SpnAudience "spn_audience" "Access tokens have the audience `spn:` and the server id.",

    // Refreshing.
    RefreshInvalidGrant "refresh_invalid_grant" "Refreshes fail with a plain `invalid_grant` (70000).",
    RefreshBadToken "refresh_bad_token" "Refreshes fail with `invalid_grant`, 50173, `bad_token`: revoked.",
    RefreshMfa "refresh_mfa"
        "Refreshes fail with `invalid_grant`, 50076, `basic_action` and a claims challenge.",
    RefreshBlocked "refresh_blocked" "Refreshes fail with `invalid_grant`, 53003, `message_only`.",
    RefreshInvalidToken "refresh_invalid_token" "Refreshes fail with 401 `invalid_token`.",
    RefreshOwnJson "refresh_own_json" "Refreshes fail with 400 and JSON that is not an OAuth error.",
    RefreshEmptyAnswer "refresh_empty_answer" "Refreshes fail with 401 without a body.",
    RefreshFirewall "refresh_firewall" "Refreshes fail with 403 and an HTML page, as from a firewall.",
    RefreshOtherSubject "refresh_other_subject" "A refresh at the OIDC issuer returns an ID token for BOB.",
    Refresh5xx "refresh_5xx" "Refreshes fail with 502.",
    RefreshStall "refresh_stall" "Refreshes are accepted and never get a response.",

    // Revoking.
    RevocationRefused "revocation_refused"
        "The revocation endpoint returns 400 `unsupported_token_type`, and repeats the token in the description.",
    RevocationUnavailable "revocation_unavailable" "The revocation endpoint returns 503.",
    RevocationStalls "revocation_stalls" "The revocation endpoint accepts the request and never responds.",

    // Graph.
    GraphNotConsented "graph_not_consented"
        "Consent to Graph is missing for the tenant's own client: token requests fail with 65001.",
    GraphDown "graph_down" "Graph returns 503.",
    GraphStalls "graph_stalls" "Graph accepts the request and never responds.",
    GraphConnectionLost "graph_connection_lost" "The first Graph request of each kind loses its connection.",
    GraphThrottled "graph_throttled"
        "The first two Graph requests of each kind get 429 with `Retry-After: 1`.",
    GraphThrottledAlways "graph_throttled_always" "Every Graph request gets 429 with `Retry-After: 1`.",
    GraphRedirects "graph_redirects" "Graph returns 307 to another host, which would serve the path.",
    GraphNotJson "graph_not_json" "Graph returns 200 with text that is not JSON.",
    GraphForbidden "graph_forbidden" "Graph returns 403 `Authorization_RequestDenied` for everything.",
    GraphMemberGroupsForbidden "graph_member_groups_forbidden"
        "Graph returns 403 `Authorization_RequestDenied` for getMemberGroups.",
    GraphSizeLimit403 "graph_size_limit_403"
        "Above 11,000 groups, getMemberGroups fails with status 403 instead of 400.",
    GraphNextLinkElsewhere "graph_next_link_elsewhere" "A page of groups continues at another host.",
    GraphNextLinkLoops "graph_next_link_loops" "The second page of groups continues with the first.",
    GraphPagesRepeat "graph_pages_repeat" "Every page of groups is the first one, and continues with a new token.",
    GraphEmptyPages "graph_empty_pages" "Every page of groups is empty, and continues with a new token.",
    GraphOversizedPage "graph_oversized_page" "A page of groups has more than 9 MiB.",
    GraphDensePages "graph_dense_pages"
        "Graph returns 7 MiB of tiny groups, and each page of them continues with a new token.",
    GraphControlCharacters "graph_control_characters" "Terminal escapes in the display names of groups.",
    GraphOnePageFails "graph_one_page_fails" "The third page of groups fails with 500.",

    // The clock.
    ClockAhead "clock_ahead" "The world's clock is ten minutes ahead.",
    ClockBehind "clock_behind" "The world's clock is ten minutes behind.",

    // The cluster.
    KubeUnauthorized "kube_unauthorized" "The Kubernetes API returns 401 for every token.",
    KubeNoCertificates "kube_no_certificates"
        "The Kubernetes API returns 401 for client certificates, as AKS does without local accounts.",
    KubeNoImpersonation "kube_no_impersonation" "The Kubernetes API forbids impersonation.",
    KubeForbidden "kube_forbidden" "The Kubernetes API returns 403 for lists of pods.",
    KubeStalls "kube_stalls" "The Kubernetes API accepts requests and never responds.",
    KubeDown "kube_down" "The Kubernetes API returns 503.",
    KubeHtml "kube_html" "The Kubernetes API returns 200 with an HTML page, as a captive portal does.",
    KubeOtherAudience "kube_other_audience" "The Kubernetes API accepts only tokens for OTHER_SERVER: otherwise 401.",
    KubeNoReviews "kube_no_reviews" "The Kubernetes API does not have SelfSubjectReview: 404.",
    KubeIgnoresOverage "kube_ignores_overage"
        "The Kubernetes API knows only the groups in the token, so none above 200.",
    KubeDropsGroups "kube_drops_groups" "The Kubernetes API omits the last group.",
    KubePrefixes "kube_prefixes" "The Kubernetes API puts `oidc:` before the names of users and groups.",
    KubeForbidsRbac "kube_forbids_rbac" "The Kubernetes API returns 403 for roles and bindings.",
    KubeForbidsClusterRbac "kube_forbids_cluster_rbac"
        "The Kubernetes API returns roles and bindings only for one namespace at a time: otherwise 403.",
    KubeDenseLists "kube_dense_lists"
        "Lists of roles and bindings are pages of 15 MiB of empty objects, each with a continue token.",
    KubeDenseReview "kube_dense_review" "A SelfSubjectReview has 15 MiB of groups of one letter.",
    KubeAzureRbac "kube_azure_rbac" "Azure allows all access, regardless of roles and bindings.",
    KubeAzureDenies "kube_azure_denies" "Azure denies all access, regardless of roles and bindings.",
}
