//! The AADSTS numbers that have words here, each with its class.
//!
//! Meanings after <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>; 70020, 530003, 530033 and
//! 530036 are not in that table and come from what Microsoft says of conditional access, 530004 and 500341 from its
//! troubleshooting pages, 5000224 and 500571 from the text that Entra sends with them. A row without words of its own
//! has those of its class. The words do not decide anything: see [`super::class_of`].

use super::{REGISTER_REDIRECT, Refusal, WITHOUT_A_CODE};
use crate::oauth::error_response::GrantType;
use Refusal::{AskAdmin, Consent, Device, FederatedCredential, SetUp, SignInAgain, Transient, WrongAccount};

/// Some numbers that mean the same to whoever reads them.
#[derive(Debug)]
pub struct Row {
    /// The numbers, as they stand behind "AADSTS".
    pub numbers: &'static [u64],
    /// What kind of refusal they are.
    pub class: Refusal,
    happened: Option<&'static str>,
    next: Option<&'static str>,
    /// What happened if a refresh token was refused and the words above are about codes.
    at_refresh: Option<&'static str>,
}

impl Row {
    const fn happened_so(mut self, happened: &'static str) -> Row {
        self.happened = Some(happened);
        self
    }

    const fn do_so(mut self, next: &'static str) -> Row {
        self.next = Some(next);
        self
    }

    /// Has other words for a refresh, where the next step is that of the class.
    const fn at_refresh(mut self, happened: &'static str) -> Row {
        self.at_refresh = Some(happened);
        self
    }

    /// What happened, in plain words that go on after "cannot sign in: ".
    pub fn happened(&self) -> &'static str {
        self.happened.unwrap_or(self.class.happened())
    }

    /// What to do next, one step a line.
    pub fn next(&self) -> &'static str {
        self.next.unwrap_or(self.class.next())
    }

    /// The same where `grant` was refused.
    pub(super) fn happened_to(&self, grant: GrantType) -> &'static str {
        self.at_refresh.filter(|_| grant == GrantType::RefreshToken).unwrap_or(self.happened())
    }

    /// What to do next where `grant` was refused, if these numbers say more than their class.
    pub(super) fn own_next(&self, grant: GrantType) -> Option<&'static str> {
        self.next.filter(|_| grant != GrantType::RefreshToken || self.at_refresh.is_none())
    }
}

const fn of(class: Refusal, numbers: &'static [u64]) -> Row {
    Row { numbers, class, happened: None, next: None, at_refresh: None }
}

/// The words for a number.
pub fn find(number: u64) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.numbers.contains(&number))
}

const SECOND_FACTOR: &str = "Sign in again with the second factor: kubectl login";
const UNUSED: &str = "the session was left unused for too long";
const NEEDED: &str = SignInAgain.happened();
const NEW_CODE: &str = "Sign in again, with a new code: kubectl login";
const BY_TENANT: &str = "Check --tenant-id and --environment: the tenant is named by its id or its domain.";
const ASSIGNED: &str =
    "Ask your administrator to assign you to this application.\nIf a role in PIM gives you access, activate it first.";
const ITS_OWNER: &str = "Ask whoever registered the application to allow this way of signing in for it.";
const CERTIFICATE: &str =
    "Check that this certificate is registered for the application, and this machine's date and time.";

/// Every number that has words, by class.
pub static ROWS: &[Row] = &[
    of(SignInAgain, &[70000])
        .happened_so("the session or the code is not good any more")
        .at_refresh("the session is not valid any more"),
    of(SignInAgain, &[70008])
        .happened_so("the session or the code was left unused for too long")
        .at_refresh(UNUSED),
    of(SignInAgain, &[700_082]).happened_so(UNUSED),
    of(SignInAgain, &[700_084]).happened_so("the session is as old as it may become"),
    of(SignInAgain, &[70043])
        .happened_so("your organisation wants a new sign-in from time to time, and the last one is too long ago"),
    of(SignInAgain, &[50173, 50132, 50133])
        .happened_so("the session was ended, by a change of the password for example"),
    of(SignInAgain, &[50058]),
    of(SignInAgain, &[50089]).happened_so("the sign-in took too long"),
    of(SignInAgain, &[50074, 50076]).happened_so("a second factor is needed").do_so(SECOND_FACTOR),
    of(SignInAgain, &[50078]).happened_so("the second factor was given too long ago").do_so(SECOND_FACTOR),
    of(SignInAgain, &[500_121]).happened_so("the second factor was not confirmed").do_so(SECOND_FACTOR),
    of(SignInAgain, &[50072, 50079, 50203])
        .happened_so("a second factor has to be set up first")
        .do_so("Sign in again, and set it up where the browser offers that: kubectl login"),
    of(SignInAgain, &[50158]).happened_so("another provider has to confirm the sign-in too"),
    of(SignInAgain, &[50085]).happened_so("the provider where your account comes from has to confirm it again"),
    of(SignInAgain, &[50140, 50199, 700_020, 9_002_341])
        .happened_so("the sign-in page has a question that a person has to answer"),
    of(SignInAgain, &[50055, 50125, 50144])
        .happened_so("the password has to be changed")
        .do_so("Sign in again, and change it where the browser asks for that: kubectl login"),
    of(SignInAgain, &[50126]).happened_so("the user name or the password is wrong"),
    of(SignInAgain, &[54005]).happened_so("the code that the browser brought has been used already").at_refresh(NEEDED),
    of(SignInAgain, &[70016]).happened_so("the code has not been used yet").at_refresh(NEEDED),
    of(SignInAgain, &[70018])
        .happened_so("the server does not know the code that it gave out")
        .do_so(NEW_CODE).at_refresh(NEEDED),
    of(SignInAgain, &[70019, 70020]).happened_so("the code ended before it was used").do_so(NEW_CODE).at_refresh(NEEDED),
    of(SignInAgain, &[90119]).happened_so("the code was not entered as it was shown").do_so(NEW_CODE).at_refresh(NEEDED),
    of(SignInAgain, &[90120]).happened_so("the code has been used already").do_so(NEW_CODE).at_refresh(NEEDED),
    of(SignInAgain, &[50134]).happened_so("the code was entered in another region than it was given out in").do_so(NEW_CODE).at_refresh(NEEDED),
    of(SignInAgain, &[530_036])
        .happened_so("the session began with a device code, which a policy forbids")
        .do_so(WITHOUT_A_CODE),

    of(Device, &[53000])
        .happened_so("this device does not comply with the rules of your organisation")
        .do_so("See what the device lacks in the Company Portal app, or ask your administrator."),
    of(Device, &[53001]).happened_so("this device is not joined to the domain of your organisation"),
    of(Device, &[530_003]).happened_so("your organisation has to manage the device"),
    of(Device, &[530_033])
        .happened_so("your organisation has to manage the device, which a code cannot prove")
        .do_so(
            "Sign in by browser on a device that your organisation manages: kubectl login --login interactive\nAsk your administrator which devices those are.",
        ),
    of(Device, &[50097, 50155, 50187]).happened_so("the device did not prove which one it is"),
    of(Device, &[50129]).happened_so("the device is not registered with your organisation"),
    of(Device, &[50131])
        .happened_so("a conditional-access policy objects to the device or to something unusual about the sign-in"),
    of(Device, &[135_011])
        .happened_so("the device is disabled in the tenant")
        .do_so("Ask your administrator to enable the device."),
    of(Device, &[53002])
        .happened_so("a policy lets in approved applications only, and this is none of them")
        .do_so("Ask your administrator to let this application in."),
    of(Device, &[50005])
        .happened_so("a policy does not let in this operating system")
        .do_so("Ask your administrator which systems the policy lets in."),

    of(AskAdmin, &[53003])
        .happened_so("a conditional-access policy blocks this sign-in")
        .do_so(
            "Ask your administrator which conditional-access policy it is; the sign-in log of the tenant shows it.\nIf it is about the place, sign in from your organisation's network or VPN.",
        ),
    of(AskAdmin, &[530_032, 530_034]).happened_so("a security policy of the tenant blocks this sign-in"),
    of(AskAdmin, &[530_035]).happened_so("the security defaults of the tenant block this sign-in"),
    of(AskAdmin, &[53004])
        .happened_so("a second factor has to be set up, and this sign-in looks too unusual for that")
        .do_so("Set it up on a device and in a network that you usually work in, or ask your administrator."),
    of(AskAdmin, &[53010])
        .happened_so("a second factor has to be set up, and not every place or device will do for that")
        .do_so("Set it up in your organisation's network, or on a device that it manages, or ask your administrator."),
    of(AskAdmin, &[53011])
        .happened_so("your account is at risk in its home tenant")
        .do_so("Ask the administrator of your home tenant."),
    of(AskAdmin, &[500_021, 500_022])
        .happened_so("this network lets nobody sign in to that tenant")
        .do_so("Check --tenant-id, or sign in from another network.\nAsk your administrator about tenant restrictions."),
    of(AskAdmin, &[530_004])
        .happened_so("the tenant wants a compliant device, and does not accept those of other tenants")
        .do_so(
            "Ask the administrator of this tenant to trust compliant devices of your home tenant (cross-tenant access settings).\nIf you have an account in this tenant, sign in with that: kubectl login --force --login interactive",
        ),
    of(AskAdmin, &[500_212, 500_213])
        .happened_so("the home tenant of the account and this tenant do not let their users cross over")
        .do_so("Ask the administrator of each tenant about its cross-tenant access policy."),
    of(AskAdmin, &[50105]).happened_so("you are not assigned to this application").do_so(ASSIGNED),
    of(AskAdmin, &[50053])
        .happened_so("the account is locked, or the address of this machine is blocked")
        .do_so("Ask your administrator, or try again in an hour or from another network."),
    of(AskAdmin, &[50057])
        .happened_so("the account is disabled")
        .do_so("Ask your administrator to enable the account."),
    of(AskAdmin, &[500_571])
        .happened_so("the guest account is disabled in this tenant")
        .do_so("Ask the administrator of this tenant to enable the guest account."),
    of(AskAdmin, &[80012])
        .happened_so("the account may not sign in at this time of day")
        .do_so("Sign in within the hours that your organisation allows, or ask your administrator."),
    of(AskAdmin, &[240_001])
        .happened_so("the account may not register devices")
        .do_so("Ask your administrator to let the account register devices, or to register this device."),
    of(AskAdmin, &[5_000_224])
        .happened_so("Microsoft has made the application, the server or the tenant unavailable")
        .do_so("Check --client-id, --server-id and --tenant-id.\nAsk your administrator; Microsoft's support can say why."),

    of(Consent, &[65001])
        .do_so("Check --client-id.\nAsk your administrator to consent to this application; nobody has done so yet."),
    of(Consent, &[90094, 90095])
        .happened_so("only an administrator can consent to what the application asks for"),
    of(Consent, &[65002])
        .happened_so("this application can never have a token for that server, whoever consents")
        .do_so("Check --client-id and --server-id: an application of your own may ask where this one may not."),
    of(Consent, &[65004])
        .happened_so("the application was not given consent")
        .do_so("Run the command again and give your consent, or ask your administrator."),

    of(WrongAccount, &[16000, 50020, 50178, 90072]),
    of(WrongAccount, &[500_341])
        .happened_so("the account was deleted from this tenant")
        .do_so(
            "Sign in with another account: kubectl login --force --login interactive\nIf the account should exist, ask your administrator to restore it.",
        ),
    of(WrongAccount, &[16003, 50034, 51004]).happened_so("this tenant does not know the account"),
    of(WrongAccount, &[50014])
        .happened_so("the invitation of the account to this tenant has not been accepted")
        .do_so("Accept the invitation in a browser, then sign in again: kubectl login"),

    of(SetUp, &[90002])
        .happened_so("there is no such tenant in this cloud")
        .do_so("Check --tenant-id and --environment: the tenant is not known in this cloud."),
    of(SetUp, &[90038])
        .happened_so("the tenant is in another cloud")
        .do_so("Check --environment: it names the cloud of the tenant."),
    of(SetUp, &[50029, 50059, 50128]).happened_so("nothing says which tenant it is").do_so(BY_TENANT),
    of(SetUp, &[50194, 9_001_023]).happened_so("a tenant has to be named for this").do_so(BY_TENANT),
    of(SetUp, &[9_002_332])
        .happened_so("the application is for accounts of organisations, and the tenant is that of personal accounts")
        .do_so("Set --tenant-id to the tenant's id or domain: \"consumers\" is for personal accounts only."),
    of(SetUp, &[90009])
        .happened_so("the application asks for a token for itself, and does not name itself by its id")
        .do_so("Set --server-id to the application's id, a GUID.\nIf server and client are two applications, check --client-id."),
    of(SetUp, &[700_011, 700_016])
        .happened_so("the tenant does not know the application that asks")
        .do_so("Check --client-id and --tenant-id: the tenant does not know this application."),
    of(SetUp, &[70001, 7_000_112])
        .happened_so("the application that asks is disabled or not there in the tenant")
        .do_so("Check --client-id and --tenant-id.\nAsk your administrator whether the application is disabled."),
    of(SetUp, &[50001, 500_011])
        .happened_so("the tenant does not know the server that the token is for")
        .do_so("Check --server-id and --environment: the tenant does not know this server application."),
    of(SetUp, &[500_014])
        .happened_so("the server that the token is for is disabled in the tenant")
        .do_so("Check --server-id.\nAsk your administrator to enable the server application."),
    of(SetUp, &[650_052])
        .happened_so("the tenant lacks a service that the application needs")
        .do_so("Ask your administrator to enable that service, or check --client-id and --server-id."),
    of(SetUp, &[650_056, 650_057])
        .happened_so("the application is not registered to ask for that server")
        .do_so("Check --client-id and --server-id.\nAsk whoever registered the application to add the server to its API permissions."),
    of(SetUp, &[28002, 28003, 70011, 700_022, 700_023])
        .happened_so("what is asked for is not one server's")
        .do_so("Check --server-id: it names one server, by its id or its URI."),
    of(SetUp, &[7_000_218]).happened_so("the application has to be a public client for this").do_so(
        "Ask whoever registered the application to set \"Allow public client flows\" to yes.\nFor a sign-in in the browser, http://localhost has to be registered for mobile and desktop applications, not for web.",
    ),
    of(SetUp, &[50011]).happened_so("the redirect address is not registered for the application").do_so(REGISTER_REDIRECT),
    of(SetUp, &[700_025])
        .happened_so("a public client has no secret, and one was sent")
        .do_so("Leave out the client secret: the application is a public client."),
    of(SetUp, &[7_000_215])
        .happened_so("the client secret is wrong")
        .do_so("Check the client secret: what is meant is its value, not its id."),
    of(SetUp, &[7_000_222])
        .happened_so("the client secret has expired")
        .do_so("Ask whoever registered the application for a new client secret."),
    of(SetUp, &[50012, 50027, 700_027, 700_030])
        .happened_so("the certificate or what it signed is not accepted")
        .do_so(CERTIFICATE),
    of(SetUp, &[700_024])
        .happened_so("the signed assertion is from another time")
        .do_so("Check this machine's date and time."),
    of(SetUp, &[70002]).happened_so("the application did not prove that it is the one"),
    of(SetUp, &[70003, 7_000_113, 7_000_114])
        .happened_so("the application may not sign in in this way")
        .do_so(ITS_OWNER),
    of(SetUp, &[90014, 90023, 900_144, 9_002_313])
        .happened_so("the request lacks something or is not as it should be"),
    of(SetUp, &[900_382])
        .happened_so("an application with a secret cannot cross over to another cloud")
        .do_so("Check --environment and --tenant-id: both name the cloud of the application."),

    of(FederatedCredential, &[70021]),
    of(FederatedCredential, &[700_211])
        .happened_so("no federated credential of the application names the issuer of this token"),
    of(FederatedCredential, &[700_212, 7_002_121])
        .happened_so("no federated credential of the application names the audience of this token"),
    of(FederatedCredential, &[700_213, 7_002_131])
        .happened_so("no federated credential of the application names the subject of this token")
        .do_so("Compare the token's subject with that of the application's federated credential, capitals too."),
    of(FederatedCredential, &[70025])
        .happened_so("the application has no federated credential")
        .do_so("Check --client-id.\nAsk whoever registered the application to add a federated credential."),
    of(FederatedCredential, &[700_222, 700_226])
        .happened_so("a token of Entra ID is not taken in place of a federated credential here"),
    of(FederatedCredential, &[700_223, 700_236, 700_238, 70052])
        .happened_so("the tenant restricts federated credentials")
        .do_so("Ask your administrator which issuers may be used for federated credentials."),

    of(Transient, &[50033, 50087, 90006, 90012, 90024, 90033, 90090]),
    of(Transient, &[90055])
        .happened_so("too many requests come from the tenant")
        .do_so("Wait a few minutes, then try again."),
    of(Transient, &[50196])
        .happened_so("the same was asked for too often in a short time")
        .do_so("Wait five minutes, then try again.\nIf it comes back, find the program that asks over and over, and end it."),
];
