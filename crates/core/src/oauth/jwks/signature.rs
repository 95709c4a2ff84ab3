//! One published key, and the signatures it can check.
//!
//! Must not know tokens: bytes and a signature go in, yes or no comes out.

use p521::ecdsa::signature::Verifier as _;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::oauth::jwt;

/// The signature algorithms that are accepted (RFC 7518 section 3.1, RFC 8037 section 3.1). There is deliberately no
/// `none` and nothing with a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    Ed25519,
}

impl Algorithm {
    /// By the name in `alg`. RFC 9864 calls `EdDSA` on this curve `Ed25519`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" | "Ed25519" => Self::Ed25519,
            _ => return None,
        })
    }

    /// The name to show.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ed25519 => "EdDSA",
        }
    }

    /// ring's parameters. All of them refuse RSA keys under 2048 bits.
    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
            Self::Es256 | Self::Es384 | Self::Es512 | Self::Ed25519 => None,
        }
    }
}

/// A public key (RFC 7517 section 4), its numbers still in base64url.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Jwk {
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    #[serde(flatten)]
    material: Material,
}

/// The kinds of keys that are supported (RFC 7518 section 6, RFC 8037 section 2).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: EcCurve, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: OkpCurve, x: String },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum EcCurve {
    #[serde(rename = "P-256")]
    P256,
    #[serde(rename = "P-384")]
    P384,
    #[serde(rename = "P-521")]
    P521,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum OkpCurve {
    Ed25519,
}

/// A text, or nothing for everything else.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        _ => None,
    })
}

impl Jwk {
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether the issuer keeps it for something else, such as encryption.
    pub(super) fn is_for_signatures(&self) -> bool {
        self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
    }

    /// Whether this key can make such signatures, and is not reserved for others (RFC 8725 section 3.1).
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match self.material {
            Material::Rsa { .. } => algorithm.rsa().is_some(),
            Material::Ec { crv: EcCurve::P256, .. } => algorithm == Algorithm::Es256,
            Material::Ec { crv: EcCurve::P384, .. } => algorithm == Algorithm::Es384,
            Material::Ec { crv: EcCurve::P521, .. } => algorithm == Algorithm::Es512,
            Material::Okp { crv: OkpCurve::Ed25519, .. } => algorithm == Algorithm::Ed25519,
        };
        kind && self.alg.as_deref().is_none_or(|name| Algorithm::named(name) == Some(algorithm))
    }

    /// Whether this key signed that. `false` also for a key whose numbers make no sense.
    pub(super) fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.check(algorithm, signed, signature).is_some()
    }

    fn check(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Option<()> {
        let number = |text: &str| jwt::bytes(text).ok();
        match &self.material {
            Material::Rsa { n, e } => {
                let (n, e) = (number(n)?, number(e)?);
                let key = RsaPublicKeyComponents { n: significant(&n), e: significant(&e) };
                key.verify(algorithm.rsa()?, signed, signature).ok()
            }
            Material::Ec { crv, x, y } => {
                let length = match crv {
                    EcCurve::P256 => 32,
                    EcCurve::P384 => 48,
                    EcCurve::P521 => 66,
                };
                // An uncompressed point (SEC 1 section 2.3.3).
                let mut point = vec![4];
                for coordinate in [number(x)?, number(y)?] {
                    let coordinate = significant(&coordinate);
                    let padding = usize::checked_sub(length, coordinate.len())?;
                    point.resize(point.len() + padding, 0);
                    point.extend_from_slice(coordinate);
                }
                let check: &'static dyn VerificationAlgorithm = match crv {
                    EcCurve::P256 => &ECDSA_P256_SHA256_FIXED,
                    EcCurve::P384 => &ECDSA_P384_SHA384_FIXED,
                    EcCurve::P521 => return verify_p521(&point, signed, signature),
                };
                UnparsedPublicKey::new(check, point).verify(signed, signature).ok()
            }
            Material::Okp { crv: OkpCurve::Ed25519, x } => {
                UnparsedPublicKey::new(&ED25519, number(x)?).verify(signed, signature).ok()
            }
        }
    }
}

/// ES512 (RFC 7518 section 3.4), which ring does not have.
fn verify_p521(point: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
    key.verify(signed, &p521::ecdsa::Signature::from_slice(signature).ok()?).ok()
}

/// A big-endian number without leading zeros. Some issuers add them (a sign byte) or leave out necessary ones.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
