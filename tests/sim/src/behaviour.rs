//! The names of everything that can go wrong. What each one does is at the place where the request is answered; this
//! file knows no protocol.

macro_rules! behaviours {
    ($($variant:ident $name:literal $summary:literal,)*) => {
        /// One way in which the simulated world differs from a well-behaved one.
        ///
        /// Looked at when a request arrives, so that a running world changes at once. "The token endpoint" is that of
        /// both issuers unless one is named.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Behaviour {
            $(#[doc = $summary] $variant,)*
        }

        impl Behaviour {
            /// Every behaviour, in the order of the protocol's steps.
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
    StallDiscovery "stall_discovery" "Discovery accepts the request and never answers.",
    OversizedDiscovery "oversized_discovery" "Discovery answers with more than 2 MiB of JSON.",
    Discovery404 "discovery_404" "Discovery answers 404.",
    NotJsonDiscovery "not_json_discovery" "Discovery answers 200 with text that is no JSON.",
    DiscoveryHttpEndpoints "discovery_http_endpoints"
        "Discovery names endpoints under `http://example.invalid`.",
    WrongIssuer "wrong_issuer" "Discovery's `issuer` is not the one that was asked.",
    NoDeviceEndpoint "no_device_endpoint"
        "Discovery of the OIDC issuer names no device authorization endpoint.",
    ForeignAuthorizationEndpoint "foreign_authorization_endpoint"
        "Discovery of the OIDC issuer names the sign-in page of `other-issuer.example`, and its own token endpoint.",
    DelegatedEndpoints "delegated_endpoints"
        "Discovery of the OIDC issuer names a sign-in page and a token endpoint of `other-issuer.example`.",
    NoRevocationEndpoint "no_revocation_endpoint" "Discovery of the OIDC issuer names no revocation endpoint.",
    NoUserinfoEndpoint "no_userinfo_endpoint" "Discovery of the OIDC issuer names no userinfo endpoint.",
    EndpointsMoved "endpoints_moved"
        "The OIDC issuer's endpoints are under `/oidc/v2`, as discovery says; the old addresses answer 404.",
    OldEndpointsShowPages "old_endpoints_show_pages"
        "With `endpoints_moved`, the old addresses answer 200 with an HTML page.",
    ListsSecretByHeader "lists_secret_by_header"
        "Discovery of the OIDC issuer lists `client_secret_basic` and not `client_secret_post`.",
    ListsSecretByBody "lists_secret_by_body"
        "Discovery of the OIDC issuer lists `client_secret_post` and not `client_secret_basic`.",
    ListsNoSecrets "lists_no_secrets" "Discovery of the OIDC issuer does not say how clients authenticate.",

    Keys503 "keys_503" "The key set of the OIDC issuer is answered 503.",
    StallKeys "stall_keys" "The key set of the OIDC issuer is asked for and never answered.",

    // Client secrets, answers that are packed.
    SecretByHeaderOnly "secret_by_header_only"
        "The OIDC issuer takes the client secret in the Authorization header only: `invalid_client` else.",
    SecretByBodyOnly "secret_by_body_only"
        "The OIDC issuer takes the client secret in the body only: 401 `invalid_client` else.",
    DeviceIgnoresSecret "device_ignores_secret" "The OIDC issuer's device endpoint does not look at client secrets.",
    GzipAnswers "gzip_answers" "Every answer is gzip, although nothing has asked for that.",
    GzipBomb "gzip_bomb" "Every answer is gzip: 64 MiB of blanks, in 64 KiB.",

    // The authorization endpoint, and what its codes are worth.
    AuthorizeErrorPage "authorize_error_page"
        "The authorization endpoint answers 500 with an HTML page, and redirects nowhere.",
    RedirectNotRegistered "redirect_not_registered"
        "Entra's authorization endpoint shows 50011 for every redirect address, and redirects nowhere.",
    ConditionalAccessBlocksBrowser "conditional_access_blocks_browser"
        "Entra's authorization endpoint shows 53003 and redirects nowhere; its codes end with `invalid_grant`, 53003.",
    AuthorizeDenied "authorize_denied" "Authorization requests are answered `access_denied`, without a page.",
    AuthorizeNoState "authorize_no_state" "The call-back has no `state`.",
    AuthorizeWrongState "authorize_wrong_state" "The call-back's `state` is another sign-in's.",
    AuthorizeCodeTwice "authorize_code_twice" "The page calls back twice, with the same code.",
    FormPostOnly "form_post_only" "The call-back is a form post, whatever was asked.",
    IssInCallback "iss_in_callback" "The call-back has an `iss` (RFC 9207), and discovery says so.",
    WrongIssInCallback "wrong_iss_in_callback" "The call-back's `iss` is another issuer, and discovery promises one.",
    PkceRequired "pkce_required" "Authorization requests without PKCE are answered `invalid_request`.",
    PkceRefused "pkce_refused"
        "Authorization requests with PKCE are answered `invalid_request`; discovery names no method.",
    PlainPkceOnly "plain_pkce_only" "Discovery of the OIDC issuer names `plain` as the only PKCE method.",
    CodeExpired "code_expired" "Authorization codes end with `invalid_grant`: too old.",
    UnknownCodeInvalidRequest "unknown_code_invalid_request"
        "A code that the OIDC issuer does not know ends with `invalid_request`, as Dex has it.",
    ConnectionLostAtExchange "connection_lost_at_exchange"
        "The exchange of an authorization code or a password loses its connection; the code is not used up by it.",
    PublicClientNotAllowed "public_client_not_allowed"
        "Entra's authorization codes end with `invalid_client`, 7000218.",
    WrongNonce "wrong_nonce" "The ID token of a sign-in by code has another sign-in's `nonce`.",
    PasswordGrantNotAllowed "password_grant_not_allowed"
        "The OIDC issuer answers `unauthorized_client` to a password: the grant is switched off for the client.",
    WrongPasswordAccessDenied "wrong_password_access_denied"
        "A wrong password is answered with 401 and `access_denied`, as Dex does.",
    NoNonce "no_nonce" "The ID token of a sign-in by code has no `nonce`.",

    // The device authorization endpoint.
    StallDevice "stall_device" "The device endpoint accepts the request and never answers.",
    HtmlDevicePage "html_device_page" "The device endpoint answers 403 with an HTML page.",
    NotJsonDevice "not_json_device" "The device endpoint answers 200 with text that is no JSON.",
    DeviceGrantNotAllowed "device_grant_not_allowed"
        "The OIDC issuer's device endpoint answers `unauthorized_client`: the grant is switched off for the client.",
    DeviceClientRefused "device_client_refused"
        "The OIDC issuer's device endpoint answers `invalid_client`, as Google does to clients made for browsers.",
    RedirectDevice "redirect_device" "The device endpoint answers 307 to a path that would work.",
    NumbersAsStrings "numbers_as_strings" "`expires_in`, `ext_expires_in` and `interval` are JSON strings.",
    IntervalMissing "interval_missing" "The device answer has no `interval`.",
    IntervalZero "interval_zero" "The device answer's `interval` is 0.",
    VerificationUrl "verification_url" "The device answer spells it `verification_url`.",
    VerificationUriCompleteMissing "verification_uri_complete_missing"
        "The OIDC issuer sends no `verification_uri_complete`.",
    HostileVerificationUri "hostile_verification_uri"
        "`verification_uri` is `javascript:`, `verification_uri_complete` is `file:`.",
    ControlCharacters "control_characters"
        "Terminal escapes in `message`, in `error_description` and in the `name` claim.",

    // Polling.
    SlowDown "slow_down" "The first poll of each sign-in is answered `slow_down`.",
    AuthorizationDeclined "authorization_declined" "Polls end with Entra's `authorization_declined`.",
    AccessDenied "access_denied" "Polls end with RFC 8628's `access_denied`.",
    ExpiredToken "expired_token" "Polls end with `expired_token`.",
    BadVerificationCode "bad_verification_code" "Polls end with Entra's `bad_verification_code`.",
    DeviceBlocked "device_blocked"
        "Polls end with `invalid_grant`, 53003, `message_only`: blocked by Conditional Access.",
    ConsentRequired "consent_required"
        "Polls and codes end with `invalid_grant`, 65001, `consent_required`; the authorization endpoint says it too.",
    PublicClientDisabled "public_client_disabled" "Polls end with `invalid_client`, 7000218.",
    ConnectionResetWhilePolling "connection_reset_while_polling"
        "The first two polls of each sign-in lose their connection.",
    OtherUser "other_user" "BOB approves, whoever was to sign in.",

    // The token endpoint as a whole.
    HtmlErrorPage "html_error_page" "The token endpoint answers 403 with an HTML page.",
    HtmlSuccessPage "html_success_page" "The token endpoint answers 200 with an HTML page.",
    ServerError "server_error"
        "The token endpoint answers 500 once, or as often as `set_server_error_times` says.",
    Always503 "always_503" "The device and token endpoints answer 503.",
    Token503WithRetryAfter "token_503_with_retry_after"
        "The token endpoint answers 503 with `Retry-After: 2` until two seconds have passed.",
    Stall "stall" "The token endpoint accepts the request and never answers.",
    DelayToken "delay_token"
        "The token endpoint answers late, by `set_token_delay` (one second unless told), or when this is cleared.",
    OversizedAnswer "oversized_answer" "The token endpoint answers with more than 2 MiB of JSON.",
    RedirectToken "redirect_token" "The token endpoint answers 307 to a path that would work.",
    NotJson "not_json" "The token endpoint answers 200 with text that is no JSON.",
    JsonArray "json_array" "The token endpoint answers 200 with a JSON array.",

    // What is issued.
    NoRefreshToken "no_refresh_token" "No answer holds a refresh token.",
    RefreshWithoutNewToken "refresh_without_new_token"
        "A refresh is answered without a new refresh token; the old one stays good.",
    RotatedRefreshToken "rotated_refresh_token"
        "Entra kills the old refresh token too, and the family of one that is used twice.",
    TokenWithoutExp "token_without_exp" "JWTs have no `exp`.",
    NoExpiresIn "no_expires_in" "Token answers have no `expires_in`.",
    OpaqueAccessToken "opaque_access_token" "Entra's access token is no JWT.",
    JwtAccessToken "jwt_access_token" "The OIDC issuer's access token is a JWT.",
    MissingIdToken "missing_id_token" "Token answers hold no ID token.",
    MissingAccessToken "missing_access_token" "Token answers hold no access token.",
    IdTokenWrongIssuer "id_token_wrong_issuer" "The ID token's `iss` is another issuer.",
    IdTokenWrongAudience "id_token_wrong_audience" "The ID token's `aud` is another client.",
    IdTokenBadSignature "id_token_bad_signature" "The ID token is signed by a key other than its `kid` says.",
    IdTokenUnreadable "id_token_unreadable" "The ID token of a token answer is no JWT.",
    IdTokenAlgNone "id_token_alg_none" "The ID token says `alg: none` and has no signature.",
    IdTokenExpired "id_token_expired" "The ID token ended an hour ago.",
    IdTokenNoSubject "id_token_no_subject" "The ID token has no `sub`.",
    IdTokenLongSubject "id_token_long_subject" "The ID token's `sub` has 256 characters.",
    IdTokenNoIssueTime "id_token_no_issue_time" "The ID token has no `iat`.",
    IdTokenFutureIssueTime "id_token_future_issue_time" "The ID token's `iat` is in ten minutes.",
    IdTokenEs512 "id_token_es512" "ID tokens of the OIDC issuer are signed with ES512, as discovery and key set say.",
    IdTokenUnknownKidOnce "id_token_unknown_kid_once"
        "The ID token's key is in the key set only from its second fetch on.",

    // What the OIDC issuer says about groups.
    GroupsOnlyInUserinfo "groups_only_in_userinfo"
        "The OIDC issuer's tokens name no groups and roles; its userinfo endpoint does.",
    NoGroupsAnywhere "no_groups_anywhere" "The OIDC issuer names no groups and roles at all.",
    UserinfoUnavailable "userinfo_unavailable" "The userinfo endpoint answers 503.",
    UserinfoJwt "userinfo_jwt" "The userinfo endpoint answers with a signed JWT.",
    UserinfoForgedJwt "userinfo_forged_jwt" "The userinfo endpoint answers with a JWT that another key has signed.",
    UserinfoOtherSubject "userinfo_other_subject" "The userinfo endpoint's `sub` is somebody else's.",

    // What Entra's access tokens say about groups, and which shape they have.
    Hasgroups "hasgroups" "Over 200 groups, the token says `hasgroups` and names no claim source.",
    HostileClaimSource "hostile_claim_source"
        "Over 200 groups, the claim source that the token names is a port of this world that nobody should contact.",
    NoGroupsClaim "no_groups_claim" "Access tokens say nothing of groups, however many there are.",
    Version2Tokens "version_2_tokens" "Access tokens have the shape of version 2.0.",
    SpnAudience "spn_audience" "Access tokens have the audience `spn:` and the server id.",

    // Refreshing.
    RefreshInvalidGrant "refresh_invalid_grant" "Refreshes end with a plain `invalid_grant` (70000).",
    RefreshBadToken "refresh_bad_token" "Refreshes end with `invalid_grant`, 50173, `bad_token`: revoked.",
    RefreshMfa "refresh_mfa"
        "Refreshes end with `invalid_grant`, 50076, `basic_action` and a claims challenge.",
    RefreshBlocked "refresh_blocked" "Refreshes end with `invalid_grant`, 53003, `message_only`.",
    RefreshInvalidToken "refresh_invalid_token" "Refreshes end with 401 `invalid_token`.",
    RefreshOwnJson "refresh_own_json" "Refreshes are answered 400 with JSON that is not an OAuth error.",
    RefreshEmptyAnswer "refresh_empty_answer" "Refreshes are answered 401 without a body.",
    RefreshFirewall "refresh_firewall" "Refreshes are answered 403 with an HTML page, as a firewall does.",
    RefreshOtherSubject "refresh_other_subject" "A refresh of the OIDC issuer's brings an ID token of BOB's.",
    Refresh5xx "refresh_5xx" "Refreshes are answered 502.",
    RefreshStall "refresh_stall" "Refreshes are accepted and never answered.",

    // Revoking.
    RevocationRefused "revocation_refused"
        "The revocation endpoint answers 400 `unsupported_token_type`, and repeats the token in the description.",
    RevocationUnavailable "revocation_unavailable" "The revocation endpoint answers 503.",
    RevocationStalls "revocation_stalls" "The revocation endpoint accepts the request and never answers.",

    // Graph.
    GraphNotConsented "graph_not_consented"
        "Nobody has consented to Graph for the tenant's own client: token requests end with 65001.",
    GraphDown "graph_down" "Graph answers 503.",
    GraphStalls "graph_stalls" "Graph accepts the request and never answers.",
    GraphConnectionLost "graph_connection_lost" "The first Graph request of each kind loses its connection.",
    GraphThrottled "graph_throttled"
        "The first two Graph requests of each kind are answered 429 with `Retry-After: 1`.",
    GraphThrottledAlways "graph_throttled_always" "Every Graph request is answered 429 with `Retry-After: 1`.",
    GraphRedirects "graph_redirects" "Graph answers 307 to another host, where the path would work.",
    GraphNotJson "graph_not_json" "Graph answers 200 with text that is no JSON.",
    GraphForbidden "graph_forbidden" "Graph answers 403 `Authorization_RequestDenied` to everything.",
    GraphMemberGroupsForbidden "graph_member_groups_forbidden"
        "Graph answers 403 `Authorization_RequestDenied` to getMemberGroups.",
    GraphSizeLimit403 "graph_size_limit_403"
        "Over 11,000 groups, getMemberGroups is refused with status 403 instead of 400.",
    GraphNextLinkElsewhere "graph_next_link_elsewhere" "A page of groups goes on at another host.",
    GraphNextLinkLoops "graph_next_link_loops" "The second page of groups goes on with the first.",
    GraphPagesRepeat "graph_pages_repeat" "Every page of groups is the first one, and goes on with a new token.",
    GraphEmptyPages "graph_empty_pages" "Every page of groups is empty, and goes on with a new token.",
    GraphOversizedPage "graph_oversized_page" "A page of groups has more than 9 MiB.",
    GraphDensePages "graph_dense_pages"
        "Graph answers with 7 MiB of tiny groups, and a page of them goes on with a new token.",
    GraphControlCharacters "graph_control_characters" "Terminal escapes in the display names of groups.",
    GraphOnePageFails "graph_one_page_fails" "The third page of groups is answered 500.",

    // The clock.
    ClockAhead "clock_ahead" "The world's clock is ten minutes ahead.",
    ClockBehind "clock_behind" "The world's clock is ten minutes behind.",

    // The cluster.
    KubeUnauthorized "kube_unauthorized" "The Kubernetes API answers 401 to every token.",
    KubeNoCertificates "kube_no_certificates" "The Kubernetes API answers 401 to client certificates, as AKS does without local accounts.",
    KubeNoImpersonation "kube_no_impersonation" "The Kubernetes API lets no user act as another.",
    KubeForbidden "kube_forbidden" "The Kubernetes API answers 403 to whoever lists pods.",
    KubeStalls "kube_stalls" "The Kubernetes API accepts requests and never answers.",
    KubeDown "kube_down" "The Kubernetes API answers 503.",
    KubeHtml "kube_html" "The Kubernetes API answers 200 with an HTML page, as a captive portal does.",
    KubeOtherAudience "kube_other_audience" "The Kubernetes API takes only tokens for OTHER_SERVER, and 401 else.",
    KubeNoReviews "kube_no_reviews" "The Kubernetes API has no SelfSubjectReview: 404.",
    KubeIgnoresOverage "kube_ignores_overage"
        "The Kubernetes API knows only the groups that the token names, and none past 200.",
    KubeDropsGroups "kube_drops_groups" "The Kubernetes API leaves the last group out.",
    KubePrefixes "kube_prefixes" "The Kubernetes API puts `oidc:` before the names of users and groups.",
    KubeForbidsRbac "kube_forbids_rbac" "The Kubernetes API shows nobody its roles and bindings: 403.",
    KubeForbidsClusterRbac "kube_forbids_cluster_rbac"
        "The Kubernetes API shows roles and bindings one namespace at a time only, and 403 else.",
    KubeDenseLists "kube_dense_lists"
        "Lists of roles and bindings are pages of 15 MiB of empty objects, each with a token for the next.",
    KubeDenseReview "kube_dense_review" "A SelfSubjectReview names 15 MiB of groups of one letter.",
    KubeAzureRbac "kube_azure_rbac" "Azure allows every access, whatever the roles and bindings say.",
    KubeAzureDenies "kube_azure_denies" "Azure denies every access, whatever the roles and bindings say.",
}
