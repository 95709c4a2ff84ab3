//! The AADSTS numbers whose meaning is known, each with the kind of refusal that it is.
//!
//! Meanings after <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>; 70020, 530003, 530033 and
//! 530036 are not in that table and come from Microsoft's pages about conditional access, 530004 and 500341 from its
//! troubleshooting pages, 5000224 and 500571 from the text that Entra sends with them. Numbers alone decide nothing: see
//! [`super::refusal_of`].

use super::Refusal::{
    self, AskAdmin, Consent, Device, FederatedCredential, SetUp, SignInAgain, Transient, WrongAccount,
};

/// Numbers that mean the same to the user.
#[derive(Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The numbers, as they follow "AADSTS". The first one names the meaning.
    pub numbers: &'static [u64],
    /// The kind of refusal.
    pub refusal: Refusal,
}

/// The meaning of `number`; `None` if it is not known.
pub fn meaning_of(number: u64) -> Option<&'static Meaning> {
    MEANINGS.iter().find(|meaning| meaning.numbers.contains(&number))
}

const fn meaning(refusal: Refusal, numbers: &'static [u64]) -> Meaning {
    Meaning { numbers, refusal }
}

/// Every known number, by kind of refusal.
pub static MEANINGS: &[Meaning] = &[
    meaning(SignInAgain, &[70000]),
    meaning(SignInAgain, &[70008]),
    meaning(SignInAgain, &[700_082]),
    meaning(SignInAgain, &[700_084]),
    meaning(SignInAgain, &[70043]),
    meaning(SignInAgain, &[50173, 50132, 50133]),
    meaning(SignInAgain, &[50058]),
    meaning(SignInAgain, &[50089]),
    meaning(SignInAgain, &[50074, 50076]),
    meaning(SignInAgain, &[50078]),
    meaning(SignInAgain, &[500_121]),
    meaning(SignInAgain, &[50072, 50079, 50203]),
    meaning(SignInAgain, &[50158]),
    meaning(SignInAgain, &[50085]),
    meaning(SignInAgain, &[50140, 50199, 700_020, 9_002_341]),
    meaning(SignInAgain, &[50055, 50125, 50144]),
    meaning(SignInAgain, &[50126]),
    meaning(SignInAgain, &[54005]),
    meaning(SignInAgain, &[70016]),
    meaning(SignInAgain, &[70018]),
    meaning(SignInAgain, &[70019, 70020]),
    meaning(SignInAgain, &[90119]),
    meaning(SignInAgain, &[90120]),
    meaning(SignInAgain, &[50134]),
    meaning(SignInAgain, &[530_036]),
    meaning(Device, &[53000]),
    meaning(Device, &[53001]),
    meaning(Device, &[530_003]),
    meaning(Device, &[530_033]),
    meaning(Device, &[50097, 50155, 50187]),
    meaning(Device, &[50129]),
    meaning(Device, &[50131]),
    meaning(Device, &[135_011]),
    meaning(Device, &[53002]),
    meaning(Device, &[50005]),
    meaning(AskAdmin, &[53003]),
    meaning(AskAdmin, &[530_032, 530_034]),
    meaning(AskAdmin, &[530_035]),
    meaning(AskAdmin, &[53004]),
    meaning(AskAdmin, &[53010]),
    meaning(AskAdmin, &[53011]),
    meaning(AskAdmin, &[500_021, 500_022]),
    meaning(AskAdmin, &[530_004]),
    meaning(AskAdmin, &[500_212, 500_213]),
    meaning(AskAdmin, &[50105]),
    meaning(AskAdmin, &[50053]),
    meaning(AskAdmin, &[50057]),
    meaning(AskAdmin, &[500_571]),
    meaning(AskAdmin, &[80012]),
    meaning(AskAdmin, &[240_001]),
    meaning(AskAdmin, &[5_000_224]),
    meaning(Consent, &[65001]),
    meaning(Consent, &[90094, 90095]),
    meaning(Consent, &[65002]),
    meaning(Consent, &[65004]),
    meaning(WrongAccount, &[16000, 50020, 50178, 90072]),
    meaning(WrongAccount, &[500_341]),
    meaning(WrongAccount, &[16003, 50034, 51004]),
    meaning(WrongAccount, &[50014]),
    meaning(SetUp, &[90002]),
    meaning(SetUp, &[90038]),
    meaning(SetUp, &[50029, 50059, 50128]),
    meaning(SetUp, &[50194, 9_001_023]),
    meaning(SetUp, &[9_002_332]),
    meaning(SetUp, &[90009]),
    meaning(SetUp, &[700_011, 700_016]),
    meaning(SetUp, &[70001, 7_000_112]),
    meaning(SetUp, &[50001, 500_011]),
    meaning(SetUp, &[500_014]),
    meaning(SetUp, &[650_052]),
    meaning(SetUp, &[650_056, 650_057]),
    meaning(SetUp, &[28002, 28003, 70011, 700_022, 700_023]),
    meaning(SetUp, &[7_000_218]),
    meaning(SetUp, &[50011]),
    meaning(SetUp, &[700_025]),
    meaning(SetUp, &[7_000_215]),
    meaning(SetUp, &[7_000_222]),
    meaning(SetUp, &[50012, 50027, 700_027, 700_030]),
    meaning(SetUp, &[700_024]),
    meaning(SetUp, &[70002]),
    meaning(SetUp, &[70003, 7_000_113, 7_000_114]),
    meaning(SetUp, &[90014, 90023, 900_144, 9_002_313]),
    meaning(SetUp, &[900_382]),
    meaning(FederatedCredential, &[70021]),
    meaning(FederatedCredential, &[700_211]),
    meaning(FederatedCredential, &[700_212, 7_002_121]),
    meaning(FederatedCredential, &[700_213, 7_002_131]),
    meaning(FederatedCredential, &[70025]),
    meaning(FederatedCredential, &[700_222, 700_226]),
    meaning(FederatedCredential, &[700_223, 700_236, 700_238, 70052]),
    meaning(Transient, &[50033, 50087, 90006, 90012, 90024, 90033, 90090]),
    meaning(Transient, &[90055]),
    meaning(Transient, &[50196]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_in_the_catalogue_once() {
        let mut numbers: Vec<u64> = MEANINGS.iter().flat_map(|meaning| meaning.numbers).copied().collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
        assert!(count > 120, "{count} numbers");
    }
}
