//! Tests with keys made on the spot; for RSA, which ring cannot make keys for, with one public key and signatures that
//! OpenSSL made with a private key since thrown away.

#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use p521::ecdsa::signature::Signer as _;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;

use super::*;

const RSA_N: &str = concat!(
    "7RlteQzYI181P1T80zflkBsm5oNgcgtqFkqn5zxbzBaq8Fs9ki14Ig7WlnOk414ShNxuZmCN0vi4PETWH9fyB2T6IkI1MJrBOkqX",
    "5cBG9qu9O95NCRV8gi0VPAaIUyyL8NxzAL-wrW4qYLEZ4WGGhwZTFE3v0grDr6s6YrzxRsaxh_lcUDZxoV1LIxBM_TXjRKJw4twI",
    "-VkaZj5qeO0ArhS4viZwOEqvJLwW7AojcOylHbkaobPkAXL_-OjpokkyxcsCGWSB3BP_qdhNjP6fYvw5WfRd9ciVpWsJ3gwyriRI",
    "Nxtj2kT0NgiIN5QFift7eHBIeV8AIGQ2AmLTgEAPxw",
);
const RSA_CLAIMS: &str = concat!(
    "eyJpc3MiOiJodHRwczovL2lzc3Vlci50ZXN0IiwiYXVkIjoia3ViZXJuZXRlcyIsInN1YiI6ImFsaWNlIiwibm9uY2UiOiJuLTEi",
    "LCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6NDEwMjQ0NDgwMH0",
);
const RSA_SIGNATURES: [(&str, &str); 6] = [
    (
        "RS256",
        concat!(
            "NF0g0UrpneldXp0mwjJ6pq1tgK8y63GEMepZRsgPU7z2Ulrh31IuyB8Vs4Cdj8mt2dabRo21a-jhzExjgUrBbXCjKywUB9XDESyO",
            "EcjLY3mT3KtjPKD6TxmWH5UfRS-sPWnmbkWIkEi5bZYzOy0uAKONY5eQbAXEYG56pZwIHyEzYzK4bfH7xkcA7VgB5fAKFbBgrRh6",
            "aKZTzIoN-vGkXqgSyEURkVrFhZG6eFznQjX19XDd2KhAInEhS2kOPx4wWUSK86RpQb0Siw8I1SPG5oBH51-U6LC-F56ZxtAqBCre",
            "kgA1hxPkRzEaLCUBBela3A6lqu-DlrjXh9jTEd46gw",
        ),
    ),
    (
        "RS384",
        concat!(
            "GYcOm9X2Qdi0bPI1MQDeO6cMf6Xl8QUZ0xJNhavGjGaNkkyYyZ_xOupHFyZDTGwz6r_XZWZMrzZMdxIXQNtaXHUywUIhNiD_Tmkk",
            "uEP4uGoNBRgN_YLtQ6pJYXPKVwDSCtt1y33-NKc0gp7GHKdqqQI1ehZbKqJ3CVYpJn2tsNOk7WwaSZ1pkfbxOtjpqLT2CrlU8OsU",
            "uf9m6qPT-lVb7TJ_ZxxylzNt7uSuVeqlIRjWCDpquZvUVPUidLV1QB-EnzJMTETEp6ueVxKyavSSLlTFHZDU7zno5B5V2B1Adss9",
            "NElllQbRZIyAEIwD2rFxzlbNI2cTjySmlbrQsWN2Cw",
        ),
    ),
    (
        "RS512",
        concat!(
            "DR618krc7fuFF-Ny6Y-XwlnGNW1v2zZY1b4T4uH6evYnFIcm7oG6CnzlowWbd3sAQ6SeTfEuuvJyiaywxcbDaJUt3Y2Wu50mNSHw",
            "1ggqtpcdWV60sMVngQ-kK6Msbc6UF3QdUhe4x9UNaOxF6ETn5lbnOWOQPBXGPFIRwTdmo1PSorcNCoLMJzthT_HUx60rNzfmdGBL",
            "ehkJChhzB-QwckSVC6OtfBjXdtgWpodoMg24CkbBgsOtEoEYehe5WUAHucuOvRyJohJ82iQY0zvqxdTWyfv2lXsCB9SeO8Dsij8q",
            "0GKZHARl0cejNlNrJOrz64APWd1wlKZOQAGsLRsLXQ",
        ),
    ),
    (
        "PS256",
        concat!(
            "xAzFJ_zJwNxevSE54_WtpNJlXoieQyHtAH1lUFvXtFjPdnlYsXm63_McUPAKZ_-EPvDnVAVOCLxInPvFzqXd5Jd_A3gHlxctKcOW",
            "U3o7zGhxtLnarVzGIbMNnNh1zlHZBloq0Fi9a55RxopGip8lBn_FWnsFtpidGtl_KLo6ZJhkFA6O00naUGBtx2B2wPr_7bIMR8LJ",
            "sQnzuD0sbO7_dhH45eP_5n6GGeLypdpcE0SuJP_6vrPBackrFzMDNhAOBv8gFQT4pSjXCOFrOF4k_eHtb6SvKO6rspQDpuHcitip",
            "iUth0k5LNHs6Pn6DU5N7qgmJEN7jzlw0uJ7Z-3CYKQ",
        ),
    ),
    (
        "PS384",
        concat!(
            "dSs5hLU27Y7wjjpkaGKcLtJ3RX3kWem7warR5lCIGkEjT7XXnhemNMFqaIn8ITG6XZxCkgQznAg7Dge6M2O406_itIos7Maei8ek",
            "S3MchV5mIVrXp12voBKqdfeHKNKEMtRfhiBFLErt1gYl-zLcsZKlLtLDrs3k1Lqt9x06OkVicl0DRdxlHYMH7b21axVOyvz5uPub",
            "mqn0mrjsSU91jv_OP80SORKzmb7IgoG_Ns2KdaO606ooPW1EWAQVoOeoWqJSaMiD4QPbHtMdqBXOqMuQ4zifWGgqERCsYYi2Yt1L",
            "nSWz5O6zce1E0jbPVZLbFGK_NbcPQAF8Gwd_WEyJuA",
        ),
    ),
    (
        "PS512",
        concat!(
            "koT1HBwSbqv-q1AeGEi-ykOoZSRhk1iiaohAM0bDXQj4-tbCPjTbBgmk__dpG0Sy-zD-D3JmHOnsuzJ3mViYrh66R2RZmM-kUFlh",
            "y8FGVo6UrMdw79cKdHNzlZAxME7301XfJP42n2rWlUlzq-i6EH6huE7HXlgUbiRZ8ojBUQ_72Sruwru85obE5iKlOA5hasrX4ftk",
            "ti9RXQ2aLVqma1UKrkuMigp6VNkMj9uHxo4_qO8lv80HL6u_7zc7rpE7yEOzk_vC3aKJXI6NxZqvPlCMq5hCjhQDG9z5zZEs_lrb",
            "mR0n63dKg6t4T6B0lSzEE8bCE6ajH1DfS84OYyK78A",
        ),
    ),
];

enum Signer {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    P521(p521::ecdsa::SigningKey),
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

    fn p521() -> (Self, Value) {
        let mut scalar = [7; 66];
        scalar[0] = 0;
        let pair = p521::ecdsa::SigningKey::from_slice(&scalar).unwrap();
        let point = pair.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(66);
        let key = json!({"kty": "EC", "crv": "P-521", "x": BASE64.encode(x), "y": BASE64.encode(y), "kid": "k"});
        (Self::P521(pair), key)
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = match self {
            Self::Ed(pair) => BASE64.encode(pair.sign(signed.as_bytes())),
            Self::Ec(pair) => BASE64.encode(pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap()),
            Self::P521(pair) => {
                let signature: p521::ecdsa::Signature = pair.sign(signed.as_bytes());
                BASE64.encode(signature.to_bytes())
            }
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
    let names =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "none", "HS256"];
    names.map(str::to_owned).into()
}

fn expected(algorithms: &[String]) -> TokenExpectations<'_> {
    TokenExpectations {
        issuer: "https://issuer.test",
        issuer_aliases: &[],
        client_id: Some("kubernetes"),
        nonce: Some("n-1"),
        now: now(),
        leeway: TimeDelta::seconds(60),
        algorithms,
    }
}

fn good() -> Value {
    let t = now().timestamp();
    json!({
        "iss": "https://issuer.test", "aud": "kubernetes", "sub": "alice", "nonce": "n-1", "iat": t - 1, "exp": t + 1,
    })
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
        ("ES512", Signer::p521()),
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
        json!({"iat": t + 60}),
        json!({"sub": "a".repeat(255)}),
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
        (json!({"iat": null}), VerifyError::IssuedAt),
        (json!({"iat": "now"}), VerifyError::IssuedAt),
        (json!({"iat": t + 61}), VerifyError::IssuedAt),
        (json!({"sub": null}), VerifyError::Subject),
        (json!({"sub": ""}), VerifyError::Subject),
        (json!({"sub": 7}), VerifyError::Subject),
        (json!({"sub": "älice"}), VerifyError::Subject),
        (json!({"sub": "a".repeat(256)}), VerifyError::Subject),
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
    let t = now().timestamp();
    let claims = json!({
        "iss": "https://issuer.test", "sub": "s", "aud": ["x", "y"], "azp": "z", "iat": t, "exp": t + 9,
    });
    let token = signer.token(&json!({"alg": "EdDSA"}), &claims);
    let algorithms = all();
    let lenient = TokenExpectations { client_id: None, nonce: None, ..expected(&algorithms) };
    assert!(verify(&token, &jwks(&[key]), &lenient).is_ok());
}

#[test]
fn issuer_may_have_only_the_other_names_that_are_expected() {
    let (signer, key) = Signer::ed();
    let (keys, algorithms) = (jwks(&[key]), all());
    let outcome = |named: &str| {
        let mut claims = good();
        claims["iss"] = named.into();
        let expected = TokenExpectations { issuer_aliases: &["issuer.test"], ..expected(&algorithms) };
        verify(&signer.token(&json!({"alg": "EdDSA", "kid": "k"}), &claims), &keys, &expected).map(|_| ())
    };
    assert_eq!((outcome("issuer.test"), outcome("https://issuer.test")), (Ok(()), Ok(())));
    assert!(matches!(outcome("other.test"), Err(VerifyError::Issuer { .. })));
}

#[test]
fn userinfo_needs_a_signature_and_what_else_it_names_has_to_fit() {
    let (signer, key) = Signer::ed();
    let keys = jwks(&[key]);
    let outcome = |claims: &Value| {
        verify_userinfo(&signer.token(&json!({"alg": "EdDSA", "kid": "k"}), claims), &keys, &expected(&all()))
    };
    let t = now().timestamp();
    assert!(outcome(&json!({"sub": "alice"})).is_ok());
    assert!(
        outcome(&json!({"sub": "alice", "iss": "https://issuer.test", "aud": ["kubernetes"], "exp": t + 1})).is_ok()
    );
    assert!(matches!(outcome(&json!({"iss": "https://other.test"})), Err(VerifyError::Issuer { .. })));
    assert_eq!(outcome(&json!({"aud": "other"})), Err(VerifyError::Audience));
    assert_eq!(outcome(&json!({"exp": t - 60})), Err(VerifyError::Expired));
    let (stranger, _) = Signer::ed();
    let forged = stranger.token(&json!({"alg": "EdDSA", "kid": "k"}), &json!({"sub": "alice"}));
    assert_eq!(verify_userinfo(&forged, &keys, &expected(&all())), Err(VerifyError::BadSignature));
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
    assert_eq!(outcome(&named, &[curve]), Err(VerifyError::KeyMismatch("EdDSA".to_owned())));
    assert_eq!(outcome(&named, &[renamed(&key, "alg", json!("Ed25519"))]), Ok(()));
    assert_eq!(
        outcome(&named, &[renamed(&key, "alg", json!("RS256"))]),
        Err(VerifyError::KeyMismatch("EdDSA".to_owned()))
    );
    assert_eq!(outcome(&named, &[renamed(&key, "use", json!("enc"))]), unknown(Some("k")));
    assert_eq!(outcome(&named, &[renamed(&key, "x", json!("AA"))]), Err(VerifyError::BadSignature));
    assert_eq!(outcome(&nameless, &[renamed(&other, "kid", json!("z")), key]), Ok(()));
    assert_eq!(outcome(&nameless, &[other]), unknown(None));
}

#[test]
fn dangerous_headers_are_refused() {
    let (signer, key) = Signer::ed();
    for alg in ["none", "None", "HS256", "HS512", "ES256K", "", "RS256\u{1b}[2J"] {
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
        json!({"kty": "EC", "crv": "secp256k1", "x": "", "y": ""}),
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
            json!({"kty": "EC", "crv": "P-521", "x": text, "y": BASE64.encode(&text)}),
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
