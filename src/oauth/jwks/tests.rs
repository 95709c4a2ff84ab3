//! Tests with keys made on the spot; for RSA, which ring cannot make keys for, with one public key and signatures that
//! OpenSSL made with a private key since thrown away.

#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;

use super::*;

const RSA_N: &str = concat!(
    "4x5NhMPrYOU83YoIE6iQK9vc1PUKAcPqWIZR4hlP5wyETgzvjk532eV1zlMUwA5yLhJj2oSBLi1ADUYj0-K4F2CHgby9mk1YUF3S",
    "4aI5w_AOy6l1oT6nXaOJIJ20hjPBUs-pbMM-22-hVceXJcaV6SNK8jAwVUmm6q13WW8bgNkww-fvW50_xsbU_55EPs77SsByus3n",
    "DSq7x8blVBGSZk55mP2A4HJmWLBpWENkMvGnQpFPGFa3coWYB6w_fsoOA-A1jlmHj917LUU01cyO6KDQRzthONQI7ZLs3JKgMVSC",
    "K-EdEAvbimIh3wQ28o3y4HC38fnGZdjPJ69WQcZ1hQ",
);
const RSA_CLAIMS: &str = concat!(
    "eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkIjoia3ViZXJuZXRlcyIsInN1YiI6ImFsaWNlIiwibm9uY2UiOiJuLTEi",
    "LCJleHAiOjQxMDI0NDQ4MDB9",
);
const RSA_SIGNATURES: [(&str, &str); 6] = [
    (
        "RS256",
        concat!(
            "UfvrKJD2GN74mdQCymrh_cJd-8eO2a4Y8yyhtc9Cr5jfJzSZw9iRsNWgQrxn7R7qBAJ57wJI0UZgzOZfpd4NuFuTL1tWLk0SYB7F",
            "2S-aQ8yTitq-1kJSWs2RJ3hXdzOgh2fs8aj_5hJwrKeSeenob7RmQPadN2unF1YGzgfsxJ3dr2nYmBhtS_3Wwz7p6qY9AkPpu3Kz",
            "mMf1Am9gwzU2mSCqdk-lDWka24gsZiU1d9tJJvAvS8ASXz47sIvi-f1RyN4EIHNdpLPzopXHLQk-z-pm2k11lWNrPmvs2EmffAdU",
            "rahPUeTPS32nAE8bsoCtEb7845SIwYrRDyZLUVKamg",
        ),
    ),
    (
        "RS384",
        concat!(
            "eT1iiZunilatnbhT1OfxO2O5lFhO2ve6sHK1mVDI-t1G_abABYDSJ1IDBkLbSo524ErHbgij6gNyBpdiD3DQnfk9X7FVoMvq4pjm",
            "5RD5EJXF9Z05skLfT37tACQ12cGWSbxnpR6rQqBjTYyYO2d7FLP3LP-RgQkpgpPPn1ToOI64tDU2thSRG4SRFG_ell6XX9PEPbqr",
            "rYzHOuks0TeHipM5UKGhIBQaI9t3U64u6Oj10Rez85D_wWFFxTMuPNImmlLZjVb29qRokW6qXTgu78TYqm4MBnjAkGLedx4bHh0e",
            "Wldvc2swqS2bOY5YKoqmd1i7ONp1R7woB8fushJD5A",
        ),
    ),
    (
        "RS512",
        concat!(
            "PCUnR8WuoALkN5ykvvHmRxDtOjI9LXssZ5ufqzxSxx6Qkvjl99BBwvJKN7jC6U5SPTS8JrLpCM4aHz1oKqwKvF_8q1esTsA_45P_",
            "B_q6SW6_yEpj8dIaDWZpWH-RWfI6Ee431v8r5jlNJDFjE-Qt3a3oulNT9kJchy7ECd9tS-Bcz3egpVmy9Io9eKz_-fhg1tR1xstB",
            "ayLv66ryrBignuz6e8THzlWsfHclONPtp6gshHis144c7w4H6OwSvQZ9iXmNxyBAq5PPudkz4TjFd_e-dYWyO_Gkv-nvH-_2Zf79",
            "4IFk8Ydd_QZ4LAx334yFzf3GMYo-iS8Ow8ecpuVd0g",
        ),
    ),
    (
        "PS256",
        concat!(
            "ZcPac8k4ZIbK2jRwSjfT16xcnasdnJM9xvQU1ij6OIEy2tS_iEu8S6SCYDMHKZSx3yHnpNX7Qg-QTCYL_e6O5z2lQKxZMjAydToc",
            "O1qAOiA4mEimZUySRkcJTiSwqjmLZkrfe8vIkck3EJE5zIPIGFyMhy0YlL9mwR2HKXdSDGsmWBNnbC52zKpVN2QZ2hwCMdvg6SI_",
            "YaaVKsiibWDRRDrxpHlF0j6mtnDKrdeEqAzSZzDnbocy92XjPdhfluND1Zk9DUmmpaapuOyQh3BEUYCrQ3hmEX4JfhAwTuWBUyFW",
            "ouSysDkRzdgR4unfr2eItqiAontSmfc07kqj3xT3YQ",
        ),
    ),
    (
        "PS384",
        concat!(
            "haIY4pOPQ9AYVOp-voeh0h_EN_W-m8-j3KRXtZU8J0cOOACoe5CWk8_AzCOsgbWw42oZf7uV4p9X5znJr-L3AS1YMZcI8JGMp6o7",
            "hoigkXC7sZO7AlGVyWfR05CVOr69orYEtHebqhlJgMZN2VjtGUdGtUMZCPskpw1k2kRxLsTqaUCk55TlGURz7urkY5rOtUoB0Fr9",
            "XjwnL_FgvxTx090cxi5xSCmU4sxPkJU260VCGnV-l27Ii65zIQasmVr8u4b9pUDxSi02E7Fa2MinodTdl80U0agIGMwTLhM-2uj0",
            "wf1Gezgu0o1buBLsOJZynKuxMEX-oj0PiHg5F8_sTA",
        ),
    ),
    (
        "PS512",
        concat!(
            "AUpqcd4EDa2oyDY4ZxYNNt03XVopH9LIx5biyduDMuNXvGaZmfFjf9JPSkmO_exwU43J8m8cDitc7-xmizpmkb3iOWk5qK7Ho5RE",
            "PflfA8Hq4chJIYMm0wVEDDjor9IO2pobqSSCnCfMZqPZOmf6MJSUYyVyLv44hLb4psOxEKsWqag2uMhNiSGEWbcUbTVy2P4rxhTu",
            "rmN-tzZlnWG65npLJaSvibQavadkBmuZupzBpkFGC_FgR4YRcJyOR6uMm8Bm9LJLXIeIsCL44uaIzJvbFezp0bQ-6uPwcrY3cwSY",
            "WlYTUiypoW3LP7euWuUg8SeG-7pZ3gOxLov54hWJkA",
        ),
    ),
];

enum Signer {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
}

impl Signer {
    fn ed() -> (Self, Value) {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let x = BASE64.encode(pair.public_key());
        (Self::Ed(pair), json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k"}))
    }

    fn ec(kind: &'static EcdsaSigningAlgorithm, curve: &str) -> (Self, Value) {
        let document = EcdsaKeyPair::generate_pkcs8(kind, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &SystemRandom::new()).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
        let key = json!({"kty": "EC", "crv": curve, "x": BASE64.encode(x), "y": BASE64.encode(y), "kid": "k"});
        (Self::Ec(pair), key)
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = match self {
            Self::Ed(pair) => BASE64.encode(pair.sign(signed.as_bytes())),
            Self::Ec(pair) => BASE64.encode(pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()),
        };
        format!("{signed}.{signature}")
    }
}

fn jwks(keys: &[Value]) -> Jwks {
    serde_json::from_value(json!({ "keys": keys })).unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn all() -> Vec<String> {
    let names = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "none", "HS256"];
    names.map(str::to_owned).into()
}

fn expected(algorithms: &[String]) -> Expected<'_> {
    Expected {
        issuer: "https://issuer.test",
        client_id: Some("kubernetes"),
        nonce: Some("n-1"),
        now: now(),
        leeway: TimeDelta::seconds(60),
        algorithms,
    }
}

fn good() -> Value {
    let exp = now().timestamp() + 1;
    json!({"iss": "https://issuer.test", "aud": "kubernetes", "sub": "alice", "nonce": "n-1", "exp": exp})
}

/// The outcome for the good claims with these members set (or, if null, removed).
fn with(changes: &Value) -> Result<Claims, VerifyError> {
    let (signer, key) = Signer::ed();
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    verify(&signer.token(&json!({"alg": "EdDSA", "kid": "k"}), &claims), &jwks(&[key]), &expected(&all()))
}

#[test]
fn every_algorithm_verifies() {
    for (alg, (signer, key)) in [
        ("EdDSA", Signer::ed()),
        ("ES256", Signer::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")),
        ("ES384", Signer::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")),
    ] {
        let token = signer.token(&json!({"alg": alg, "kid": "k"}), &good());
        assert_eq!(verify(&token, &jwks(&[key]), &expected(&all())).unwrap().string("sub"), Some("alice"), "{alg}");
    }
    let sign_byte = BASE64.encode([&[0], BASE64.decode(RSA_N).unwrap().as_slice()].concat());
    for n in [RSA_N, &sign_byte] {
        let keys = jwks(&[json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": "rsa-1", "use": "sig"})]);
        for (alg, signature) in RSA_SIGNATURES {
            let header = BASE64.encode(format!(r#"{{"alg":"{alg}","kid":"rsa-1"}}"#));
            let token = |claims: &str| format!("{header}.{claims}.{signature}");
            verify(&token(RSA_CLAIMS), &keys, &expected(&all())).expect(alg);
            let forged = token(&BASE64.encode(good().to_string()));
            assert_eq!(verify(&forged, &keys, &expected(&all())), Err(VerifyError::BadSignature), "{alg}");
            assert_eq!(verify(&token(RSA_CLAIMS), &keys, &expected(&[])).is_ok(), alg == "RS256", "{alg}");
        }
    }
}

#[test]
fn the_claims_are_checked() {
    let t = now().timestamp();
    for changes in [
        json!({}),
        json!({"exp": t - 59}),
        json!({"nbf": t + 60}),
        json!({"aud": ["kubernetes"], "azp": "other"}),
        json!({"aud": ["a", "kubernetes"], "azp": "kubernetes"}),
        json!({"aud": ["a", "kubernetes"]}),
    ] {
        assert!(with(&changes).is_ok(), "{changes}");
    }
    for (changes, error) in [
        (json!({"exp": t - 60}), VerifyError::Expired),
        (json!({"exp": null}), VerifyError::NoExpiry),
        (json!({"exp": "soon"}), VerifyError::NoExpiry),
        (json!({"nbf": t + 61}), VerifyError::NotYetValid),
        (json!({"nbf": 8_000_000_000_000_i64}), VerifyError::NotYetValid),
        (json!({"exp": -8_000_000_000_000_i64}), VerifyError::Expired),
        (json!({"nonce": null}), VerifyError::Nonce),
        (json!({"nonce": "n-2"}), VerifyError::Nonce),
        (json!({"aud": null}), VerifyError::Audience),
        (json!({"aud": "other"}), VerifyError::Audience),
        (json!({"aud": ["a", "kubernetes"], "azp": "a"}), VerifyError::Audience),
        (json!({"aud": ["a", "kubernetes"], "azp": 1}), VerifyError::Audience),
    ] {
        assert_eq!(with(&changes), Err(error), "{changes}");
    }
    for issuer in ["https://issuer.test/", "https://other.test", "issuer.test"] {
        assert!(matches!(with(&json!({"iss": issuer})), Err(VerifyError::Issuer { .. })), "{issuer}");
    }
    assert!(matches!(with(&json!({"iss": null})), Err(VerifyError::Issuer { .. })));
}

#[test]
fn access_tokens_go_without_audience_and_nonce() {
    let (signer, key) = Signer::ed();
    let claims = json!({"iss": "accounts.google.com", "aud": ["x", "y"], "azp": "z", "exp": now().timestamp() + 9});
    let token = signer.token(&json!({"alg": "EdDSA"}), &claims);
    let algorithms = all();
    let lenient =
        Expected { issuer: "https://accounts.google.com", client_id: None, nonce: None, ..expected(&algorithms) };
    assert!(verify(&token, &jwks(&[key]), &lenient).is_ok());
}

#[test]
fn keys_are_found_by_their_id() {
    let (signer, key) = Signer::ed();
    let (_, other) = Signer::ed();
    let (_, curve) = Signer::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256");
    let renamed = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let named = signer.token(&json!({"alg": "EdDSA", "kid": "k"}), &good());
    let nameless = signer.token(&json!({"alg": "EdDSA"}), &good());
    let outcome = |token: &str, keys: &[Value]| verify(token, &jwks(keys), &expected(&all())).map(|_| ());
    let unknown = |kid: Option<&str>| Err(VerifyError::UnknownKey { kid: kid.map(str::to_owned) });

    assert_eq!(outcome(&named, &[]), unknown(Some("k")));
    assert_eq!(outcome(&named, &[renamed(&key, "kid", json!("z"))]), unknown(Some("k")));
    assert_eq!(outcome(&named, &[renamed(&key, "kid", json!(7))]), Ok(()), "a key without an id may be the one");
    assert_eq!(outcome(&named, &[renamed(&other, "kid", json!(null))]), unknown(Some("k")));
    assert_eq!(outcome(&named, std::slice::from_ref(&other)), Err(VerifyError::BadSignature));
    assert_eq!(outcome(&named, &[curve.clone(), other.clone(), key.clone()]), Ok(()));
    assert_eq!(outcome(&named, &[curve]), Err(VerifyError::KeyMismatch("EdDSA")));
    assert_eq!(outcome(&named, &[renamed(&key, "alg", json!("Ed25519"))]), Ok(()));
    assert_eq!(outcome(&named, &[renamed(&key, "alg", json!("RS256"))]), Err(VerifyError::KeyMismatch("EdDSA")));
    assert_eq!(outcome(&named, &[renamed(&key, "use", json!("enc"))]), unknown(Some("k")));
    assert_eq!(outcome(&named, &[renamed(&key, "x", json!("AA"))]), Err(VerifyError::BadSignature));
    assert_eq!(outcome(&nameless, &[renamed(&other, "kid", json!("z")), key]), Ok(()));
    assert_eq!(outcome(&nameless, &[other]), unknown(None));
}

#[test]
fn dangerous_headers_are_refused() {
    let (signer, key) = Signer::ed();
    for alg in ["none", "None", "HS256", "HS512", "ES512", "", "RS256\u{1b}[2J"] {
        let token = signer.token(&json!({"alg": alg, "kid": "k"}), &good());
        let error = verify(&token, &jwks(std::slice::from_ref(&key)), &expected(&all())).unwrap_err();
        assert!(matches!(error, VerifyError::Algorithm(_)), "{alg}: {error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    let unannounced = signer.token(&json!({"alg": "EdDSA", "kid": "k"}), &good());
    for announced in [vec![], vec!["ES256".to_owned()], vec!["HS256".to_owned()]] {
        let outcome = verify(&unannounced, &jwks(std::slice::from_ref(&key)), &expected(&announced));
        assert_eq!(outcome, Err(VerifyError::Algorithm("EdDSA".to_owned())), "{announced:?}");
    }
    let critical = signer.token(&json!({"alg": "EdDSA", "kid": "k", "crit": ["b64"], "b64": true}), &good());
    assert_eq!(verify(&critical, &jwks(&[key]), &expected(&all())), Err(VerifyError::Critical));
}

#[test]
fn key_sets_are_read_leniently_and_written_back() {
    let (_, key) = Signer::ed();
    let (_, curve) = Signer::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384");
    let keys = jwks(&[
        json!({"kty": "oct", "k": "AA"}),
        json!({"kty": "EC", "crv": "P-521", "x": "", "y": ""}),
        json!({"kty": "RSA", "n": 5, "e": "AQAB"}),
        json!("odd"),
        json!({"kty": "RSA", "n": RSA_N, "e": "AQAB", "use": "sig", "x5c": ["AA"], "x5t": 1}),
        key,
        curve,
    ]);
    assert_eq!((keys.len(), keys.is_empty()), (3, false));
    let written = serde_json::to_value(&keys).unwrap();
    assert_eq!(written["keys"][0], json!({"kty": "RSA", "n": RSA_N, "e": "AQAB", "use": "sig"}));
    let again: Jwks = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(serde_json::to_value(&again).unwrap(), written);
    assert!(serde_json::from_str::<Jwks>("{}").is_err() && serde_json::from_str::<Jwks>("[]").is_err());
    assert!(serde_json::from_str::<Jwks>(r#"{"keys":[],"more":1}"#).unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_text_panics(token in "\\PC*", header in "\\PC*", text in "\\PC*") {
        let keys = [
            json!({"kty": "RSA", "n": text, "e": text}),
            json!({"kty": "EC", "crv": "P-256", "x": text, "y": BASE64.encode(&text)}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(&text)}),
            json!({"kty": "RSA", "n": BASE64.encode(&text), "e": "AQAB"}),
        ];
        let (keys, algorithms) = (jwks(&keys), all());
        let _ = verify(&token, &keys, &expected(&algorithms));
        let _ = serde_json::from_str::<Jwks>(&text);
        let claims = BASE64.encode(good().to_string());
        let odd = format!("{}.{claims}.{}", BASE64.encode(&header), BASE64.encode(&text));
        let _ = verify(&odd, &keys, &expected(&algorithms));
        for alg in &algorithms {
            let header = BASE64.encode(json!({"alg": alg, "kid": header}).to_string());
            let outcome = verify(&format!("{header}.{claims}.{}", BASE64.encode(&text)), &keys, &expected(&algorithms));
            prop_assert!(outcome.is_err());
        }
    }
}
