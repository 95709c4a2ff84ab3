//! Signing keys, the key set (RFC 7517) and JSON Web Tokens (RFC 7519) in RS256.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p521::ecdsa::signature::Signer as _;
use ring::rand::{SecureRandom, SystemRandom};
use ring::rsa::PublicKeyComponents;
use ring::signature::{self, RsaKeyPair, RsaPublicKeyComponents};
use serde_json::{Value, json};

const PEMS: [&str; 2] = [include_str!("../keys/first.pem"), include_str!("../keys/second.pem")];

/// The `kid` of the P-521 key.
const P521: &str = "sim-p521";

/// The keys of the world. A generation is a key with its own `kid`. There can be any number of them, made from two RSA
/// keys in turn, so that consecutive generations never share one.
pub(crate) struct Keys {
    pairs: [RsaKeyPair; 2],
    p521: p521::ecdsa::SigningKey,
    /// The generation that is used to sign.
    pub(crate) current: u32,
}

/// How to sign a token.
#[derive(Clone, Copy)]
pub(crate) enum Signing {
    /// With the current key.
    Right,
    /// With the next generation's key, which is not in the key set yet.
    Next,
    /// With the current `kid`, but another key.
    Wrong,
    /// With a P-521 key and ES512.
    Es512,
    /// Not at all: `alg: none`.
    None,
}

impl Keys {
    pub(crate) fn new() -> Self {
        // Any number below the order of the curve will do.
        let scalar: Vec<u8> = [0, 0].into_iter().chain(random::<64>()).collect();
        let p521 = p521::ecdsa::SigningKey::from_slice(&scalar).expect("a P-521 key");
        Self { pairs: PEMS.map(parse), p521, current: 1 }
    }

    fn pair(&self, generation: u32) -> &RsaKeyPair {
        &self.pairs[generation as usize % 2]
    }

    fn components(&self, generation: u32) -> PublicKeyComponents<Vec<u8>> {
        PublicKeyComponents::from(self.pair(generation).public())
    }

    /// The key set up to a generation: that one and the previous one.
    pub(crate) fn set(&self, newest: u32) -> Value {
        let key = |generation: u32| {
            let parts = self.components(generation);
            json!({
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid(generation),
                "n": URL_SAFE_NO_PAD.encode(parts.n), "e": URL_SAFE_NO_PAD.encode(parts.e),
            })
        };
        json!({ "keys": (newest.saturating_sub(1).max(1)..=newest).map(key).collect::<Vec<_>>() })
    }

    /// The P-521 key, as in a key set.
    pub(crate) fn es512(&self) -> Value {
        let point = self.p521.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(66);
        json!({
            "kty": "EC", "crv": "P-521", "use": "sig", "alg": "ES512", "kid": P521,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    /// A token with those claims.
    pub(crate) fn sign(&self, claims: &Value, signing: Signing) -> String {
        let (named, used) = match signing {
            Signing::Right | Signing::Es512 | Signing::None => (self.current, self.current),
            Signing::Next => (self.current + 1, self.current + 1),
            Signing::Wrong => (self.current, self.current + 1),
        };
        let header = match signing {
            Signing::None => json!({ "typ": "JWT", "alg": "none" }),
            Signing::Es512 => json!({ "typ": "JWT", "alg": "ES512", "kid": P521 }),
            _ => json!({ "typ": "JWT", "alg": "RS256", "kid": kid(named) }),
        };
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        if matches!(signing, Signing::None) {
            return format!("{signed}.");
        }
        if matches!(signing, Signing::Es512) {
            let signature: p521::ecdsa::Signature = self.p521.sign(signed.as_bytes());
            return format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
        }
        let pair = self.pair(used);
        let mut bytes = vec![0; pair.public().modulus_len()];
        pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut bytes)
            .expect("a 2048 bit key signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The claims of a token that was signed with one of the keys, current or past.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let (signed, mac) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let header = decode(header)?;
        let generation = (1..=self.current + 1).find(|&generation| header["kid"] == kid(generation))?;
        let parts = self.components(generation);
        let key = RsaPublicKeyComponents { n: parts.n, e: parts.e };
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &mac).ok()?;
        decode(claims)
    }
}

fn kid(generation: u32) -> String {
    format!("sim-{generation}")
}

fn parse(pem: &str) -> RsaKeyPair {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(text).expect("the test key is PEM");
    RsaKeyPair::from_pkcs8(&der).expect("the test key is PKCS#8")
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    bytes
}

/// A random opaque value with a prefix that tells readers what it is.
pub(crate) fn opaque(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random::<48>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_verified_by_its_own_key_only() {
        let mut keys = Keys::new();
        let claims = json!({ "sub": "someone" });
        let token = keys.sign(&claims, Signing::Right);
        keys.current += 1;
        assert_eq!(keys.verify(&token), Some(claims.clone()));
        assert_eq!(keys.verify(&keys.sign(&claims, Signing::Next)), Some(claims.clone()));
        assert_eq!(keys.verify(&keys.sign(&claims, Signing::Wrong)), None);
        assert_eq!(keys.verify(&keys.sign(&claims, Signing::None)), None);
    }
}
