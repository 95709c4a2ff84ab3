//! The words for AADSTS numbers. Meanings without words here have those of their kind of refusal.

use super::Advice;
use crate::messages::step::{REGISTER_REDIRECT, SIGN_IN_BY_BROWSER};
use kubectl_login_core::entra::refusals::Refusal::SignInAgain;
use kubectl_login_core::entra::refusals::catalogue::Meaning;
use kubectl_login_core::oauth::error_response::GrantType;

/// The words for one meaning.
#[derive(Debug)]
pub(super) struct Words {
    /// The number that names the meaning: its first.
    pub(super) number: u64,
    happened: Option<&'static str>,
    next: Option<Advice>,
    /// What happened if a refresh token was refused and the words above are about codes.
    at_refresh: Option<&'static str>,
}

impl Words {
    const fn happened(mut self, happened: &'static str) -> Words {
        self.happened = Some(happened);
        self
    }

    const fn next(mut self, next: Advice) -> Words {
        self.next = Some(next);
        self
    }

    /// Other words for a refresh. Its next step is that of the kind of refusal.
    const fn at_refresh(mut self, happened: &'static str) -> Words {
        self.at_refresh = Some(happened);
        self
    }

    /// What happened when `grant` was refused; continues "cannot sign in: ".
    pub(super) fn happened_to(&self, grant: GrantType) -> Option<&'static str> {
        self.at_refresh.filter(|_| grant == GrantType::RefreshToken).or(self.happened)
    }

    /// What to do next when `grant` was refused.
    pub(super) fn next_for(&self, grant: GrantType) -> Option<Advice> {
        self.next.filter(|_| grant != GrantType::RefreshToken || self.at_refresh.is_none())
    }
}

const fn words(number: u64) -> Words {
    Words { number, happened: None, next: None, at_refresh: None }
}

const fn steps(text: &'static str) -> Advice {
    Advice::new(text)
}

const fn ask_admin(text: &'static str) -> Advice {
    Advice::new(text).asks_admin()
}

/// The words for `meaning`, if it has its own.
pub(super) fn words_for(meaning: &Meaning) -> Option<&'static Words> {
    WORDS.iter().find(|words| meaning.numbers.first() == Some(&words.number))
}

const SECOND_FACTOR: Advice = steps("Sign in again with the second factor: kubectl login");
const UNUSED: &str = "the session was not used for too long";
const NEEDED: &str = super::happened(SignInAgain);
const NEW_CODE: Advice = steps("Sign in again, with a new code: kubectl login");
const WITHOUT_A_CODE: Advice = steps(SIGN_IN_BY_BROWSER).by_browser();
const BY_TENANT: Advice = steps("Check --tenant-id and --environment: name the tenant by its id or its domain.");
const ASSIGNED: Advice = ask_admin(
    "Ask your administrator to assign you to this application.\nIf a role in PIM gives you access, activate it first.",
);
const ITS_OWNER: Advice = steps("Ask the application's owner to allow this sign-in method for it.");
const CERTIFICATE: Advice =
    steps("Check that this certificate is registered for the application, and this machine's date and time.");

/// Every meaning with words of its own, by kind of refusal.
pub(super) static WORDS: &[Words] = &[
    words(70000).happened("the session or the code is no longer valid").at_refresh("the session is no longer valid"),
    words(70008).happened("the session or the code was not used for too long").at_refresh(UNUSED),
    words(700_082).happened(UNUSED),
    words(700_084).happened("the session has reached its maximum age"),
    words(70043).happened("your organisation requires regular sign-ins, and the last one is too long ago"),
    words(50173).happened("the session was revoked, for example by a password change"),
    words(50089).happened("the sign-in took too long"),
    words(50074).happened("a second factor is needed").next(SECOND_FACTOR),
    words(50078).happened("the second factor was used too long ago").next(SECOND_FACTOR),
    words(500_121).happened("the second factor was not confirmed").next(SECOND_FACTOR),
    words(50072).happened("a second factor has to be set up first").next(steps("Sign in again, and set it up when the browser offers that: kubectl login")),
    words(50158).happened("another provider has to confirm the sign-in too"),
    words(50085).happened("your account's own identity provider has to confirm it again"),
    words(50140).happened("the sign-in page has a question for you"),
    words(50055).happened("the password has to be changed").next(steps("Sign in again, and change it when the browser asks for that: kubectl login")),
    words(50126).happened("the user name or the password is wrong"),
    words(54005).happened("the code from the browser has already been used").at_refresh(NEEDED),
    words(70016).happened("the code has not been used yet").at_refresh(NEEDED),
    words(70018).happened("the server does not recognise its own code").next(NEW_CODE).at_refresh(NEEDED),
    words(70019).happened("the code expired before it was used").next(NEW_CODE).at_refresh(NEEDED),
    words(90119).happened("the code was mistyped").next(NEW_CODE).at_refresh(NEEDED),
    words(90120).happened("the code has already been used").next(NEW_CODE).at_refresh(NEEDED),
    words(50134).happened("the code was entered in another region than the one that issued it").next(NEW_CODE).at_refresh(NEEDED),
    words(530_036).happened("the session began with a device code, which a policy forbids").next(WITHOUT_A_CODE),

    words(53000).happened("this device does not comply with your organisation's policy").next(ask_admin("See what the device lacks in the Company Portal app, or ask your administrator.")),
    words(53001).happened("this device is not joined to your organisation's domain"),
    words(530_003).happened("your organisation requires a managed device"),
    words(530_033).happened("your organisation requires a managed device, which a code cannot prove").next(ask_admin("Sign in by browser on a device that your organisation manages: kubectl login --login interactive\nAsk your administrator which devices those are.").by_browser()),
    words(50097).happened("the device did not authenticate"),
    words(50129).happened("the device is not registered with your organisation"),
    words(50131).happened("a conditional-access policy objects to the device or to something unusual about the sign-in"),
    words(135_011).happened("the device is disabled in the tenant").next(ask_admin("Ask your administrator to enable the device.")),
    words(53002).happened("a policy allows approved applications only, and this one is not approved").next(ask_admin("Ask your administrator to approve this application.")),
    words(50005).happened("a policy does not allow this operating system").next(ask_admin("Ask your administrator which systems the policy allows.")),

    words(53003).happened("a conditional-access policy blocks this sign-in").next(ask_admin("Ask your administrator which conditional-access policy it is; the sign-in log of the tenant shows it.\nIf it is about the place, sign in from your organisation's network or VPN.")),
    words(530_032).happened("a security policy of the tenant blocks this sign-in"),
    words(530_035).happened("the security defaults of the tenant block this sign-in"),
    words(53004).happened("a second factor has to be set up, and this sign-in looks too unusual for that").next(ask_admin("Set it up on a device and in a network that you usually work in, or ask your administrator.")),
    words(53010).happened("a second factor has to be set up, and a policy does not allow that from this place or device").next(ask_admin("Set it up in your organisation's network, or on a device that it manages, or ask your administrator.")),
    words(53011).happened("your account is at risk in its home tenant").next(ask_admin("Ask the administrator of your home tenant.")),
    words(500_021).happened("this network does not allow sign-ins to that tenant").next(ask_admin("Check --tenant-id, or sign in from another network.\nAsk your administrator about tenant restrictions.")),
    words(530_004).happened("the tenant requires a compliant device, and does not accept those of other tenants").next(ask_admin("Ask the administrator of this tenant to trust compliant devices of your home tenant (cross-tenant access settings).\nIf you have an account in this tenant, sign in with that: kubectl login --force --login interactive")),
    words(500_212).happened("the account's home tenant or this tenant does not allow access between the two").next(ask_admin("Ask the administrator of each tenant about its cross-tenant access policy.")),
    words(50105).happened("you are not assigned to this application").next(ASSIGNED),
    words(50053).happened("the account is locked, or the address of this machine is blocked").next(ask_admin("Ask your administrator, or try again in an hour or from another network.")),
    words(50057).happened("the account is disabled").next(ask_admin("Ask your administrator to enable the account.")),
    words(500_571).happened("the guest account is disabled in this tenant").next(ask_admin("Ask the administrator of this tenant to enable the guest account.")),
    words(80012).happened("the account may not sign in at this time of day").next(ask_admin("Sign in within the hours that your organisation allows, or ask your administrator.")),
    words(240_001).happened("the account may not register devices").next(ask_admin("Ask your administrator to let the account register devices, or to register this device.")),
    words(5_000_224).happened("Microsoft has made the application, the server or the tenant unavailable").next(ask_admin("Check --client-id, --server-id and --tenant-id.\nAsk your administrator; Microsoft's support can say why.")),

    words(65001).next(ask_admin("Check --client-id.\nAsk your administrator to consent to this application.")),
    words(90094).happened("only an administrator can consent to what the application asks for"),
    words(65002).happened("this application can never have a token for that server, even with consent").next(steps("Check --client-id and --server-id: an application of your own may ask where this one may not.")),
    words(65004).happened("the application was not given consent").next(ask_admin("Run the command again and give your consent, or ask your administrator.")),

    words(500_341).happened("the account was deleted from this tenant").next(ask_admin("Sign in with another account: kubectl login --force --login interactive\nIf the account should exist, ask your administrator to restore it.")),
    words(16003).happened("this tenant does not know the account"),
    words(50014).happened("the invitation of the account to this tenant has not been accepted").next(steps("Accept the invitation in a browser, then sign in again: kubectl login")),

    words(90002).happened("there is no such tenant in this cloud").next(steps("Check --tenant-id and --environment.")),
    words(90038).happened("the tenant is in another cloud").next(steps("Check --environment: it names the cloud of the tenant.")),
    words(50029).happened("the request does not name a tenant").next(BY_TENANT),
    words(50194).happened("the request has to name one tenant").next(BY_TENANT),
    words(9_002_332).happened("the application is for accounts of organisations, and the tenant is that of personal accounts").next(steps("Set --tenant-id to the tenant's id or domain: \"consumers\" is for personal accounts only.")),
    words(90009).happened("the application requests a token for itself, but not by its id").next(steps("Set --server-id to the application's id, a GUID.\nIf server and client are two applications, check --client-id.")),
    words(700_011).happened("the tenant does not know the client application").next(steps("Check --client-id and --tenant-id.")),
    words(70001).happened("the client application is disabled or missing in the tenant").next(ask_admin("Check --client-id and --tenant-id.\nAsk your administrator whether the application is disabled.")),
    words(50001).happened("the tenant does not know the server that the token is for").next(steps("Check --server-id and --environment.")),
    words(500_014).happened("the server that the token is for is disabled in the tenant").next(ask_admin("Check --server-id.\nAsk your administrator to enable the server application.")),
    words(650_052).happened("the tenant lacks a service that the application needs").next(ask_admin("Ask your administrator to enable that service, or check --client-id and --server-id.")),
    words(650_056).happened("the application is not registered to use that server").next(steps("Check --client-id and --server-id.\nAsk the application's owner to add the server to its API permissions.")),
    words(28002).happened("the scopes do not belong to exactly one server").next(steps("Check --server-id: the id or URI of one server.")),
    words(7_000_218).happened("the application has to be a public client for this").next(steps("Ask the application's owner to set \"Allow public client flows\" to yes.\nFor a sign-in in the browser, http://localhost has to be registered for mobile and desktop applications, not for web.")),
    words(50011).happened("the redirect address is not registered for the application").next(steps(REGISTER_REDIRECT)),
    words(700_025).happened("a client secret was sent, but a public client has none").next(steps("Leave out the client secret: the application is a public client.")),
    words(7_000_215).happened("the client secret is wrong").next(steps("Check the client secret: use its value, not its id.")),
    words(7_000_222).happened("the client secret has expired").next(steps("Ask the application's owner for a new client secret.")),
    words(50012).happened("the certificate or its signature is not accepted").next(CERTIFICATE),
    words(700_024).happened("the signed assertion has expired or is not valid yet").next(steps("Check this machine's date and time.")),
    words(70002).happened("the application did not authenticate"),
    words(70003).happened("the application may not use this sign-in method").next(ITS_OWNER),
    words(90014).happened("the request is incomplete or malformed"),
    words(900_382).happened("an application with a secret cannot be used in another cloud").next(steps("Check --environment and --tenant-id: both name the cloud of the application.")),

    words(700_211).happened("no federated credential of the application matches the issuer of this token"),
    words(700_212).happened("no federated credential of the application matches the audience of this token"),
    words(700_213).happened("no federated credential of the application matches the subject of this token").next(steps("Compare the token's subject with that of the application's federated credential; case matters.")),
    words(70025).happened("the application has no federated credential").next(steps("Check --client-id.\nAsk the application's owner to add a federated credential.")),
    words(700_222).happened("a token issued by Entra ID is not accepted as a federated credential here"),
    words(700_223).happened("the tenant restricts federated credentials").next(ask_admin("Ask your administrator which issuers may be used for federated credentials.")),

    words(90055).happened("the tenant sends too many requests").next(steps("Wait a few minutes, then try again.")),
    words(50196).happened("the same request was made too often in a short time").next(steps("Wait five minutes, then try again.\nIf it comes back, find the program that repeats the request, and stop it.")),
];
