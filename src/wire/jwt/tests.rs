use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
    RsaPublicKeyComponents,
};
use ring::{hmac, signature};
use serde_json::{Value, json};

use super::{Claims, IdToken, JwtError, KeySet, SigningAlgorithm};

const ALL: &[SigningAlgorithm] = &SigningAlgorithm::ALL;

/// A provider that signs by every algorithm.
struct Signer {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    random: SystemRandom,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pem = include_str!("../../../tests/vectors/rsa-2048-for-tests.pem");
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        let der = STANDARD.decode(lines.collect::<String>()).unwrap();
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap()
        };
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            rsa: RsaKeyPair::from_pkcs8(&der).unwrap(),
            p256: ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            random,
        }
    }

    fn keys(&self) -> Value {
        let rsa = RsaPublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        let point = |key: &EcdsaKeyPair, id: &str, curve: &str| {
            let (x, y) =
                key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
            json!({"kty": "EC", "kid": id, "crv": curve, "x": base64(x), "y": base64(y)})
        };
        json!({"keys": [
            {
                "kty": "RSA", "kid": "rsa", "use": "sig",
                // With the zero of ASN.1, as some write it.
                "n": base64([&[0], &*rsa.n].concat()),
                "e": base64(&rsa.e),
            },
            point(&self.p256, "p256", "P-256"),
            point(&self.p384, "p384", "P-384"),
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": base64(self.ed.public_key())},
            {"kty": "future", "kid": "what is not known yet"},
        ]})
    }

    fn sign(&self, algorithm: SigningAlgorithm, message: &[u8]) -> (&'static str, Vec<u8>) {
        use SigningAlgorithm as Alg;
        let rsa = |encoding: &'static dyn signature::RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(encoding, &self.random, message, &mut signature)
                .unwrap();
            ("rsa", signature)
        };
        let ecdsa = |key: &EcdsaKeyPair| {
            let signature = key.sign(&self.random, message).unwrap();
            signature.as_ref().to_vec()
        };
        match algorithm {
            Alg::RS256 => rsa(&RSA_PKCS1_SHA256),
            Alg::RS384 => rsa(&RSA_PKCS1_SHA384),
            Alg::RS512 => rsa(&RSA_PKCS1_SHA512),
            Alg::PS256 => rsa(&RSA_PSS_SHA256),
            Alg::PS384 => rsa(&RSA_PSS_SHA384),
            Alg::PS512 => rsa(&RSA_PSS_SHA512),
            Alg::ES256 => ("p256", ecdsa(&self.p256)),
            Alg::ES384 => ("p384", ecdsa(&self.p384)),
            Alg::EdDSA => ("ed", self.ed.sign(message).as_ref().to_vec()),
        }
    }

    /// A token with what `change` makes of its header and claims.
    fn token(
        &self,
        algorithm: SigningAlgorithm,
        change: impl FnOnce(&mut Value, &mut Value),
    ) -> String {
        let (kid, _) = self.sign(algorithm, b"");
        let mut header = json!({"alg": algorithm.as_str(), "typ": "JWT", "kid": kid});
        let mut claims = claims();
        change(&mut header, &mut claims);
        let message = format!(
            "{}.{}",
            base64(header.to_string()),
            base64(claims.to_string())
        );
        let (_, signature) = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", base64(signature))
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://login.example", "sub": "ada", "aud": "bulkhead",
        "exp": 1_000, "iat": 10.9, "nbf": 20, "nonce": "n",
    })
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn verify(token: &str, keys: &Value) -> Result<Claims, JwtError> {
    let keys = KeySet::parse(keys.to_string().as_bytes()).unwrap();
    IdToken::parse(token)?.verify(&keys, ALL)
}

#[test]
fn every_algorithm_is_verified_and_no_byte_of_it_may_differ() {
    let signer = Signer::new();
    let keys = signer.keys();
    for algorithm in SigningAlgorithm::ALL {
        let token = signer.token(algorithm, |_, _| {});
        let expected = Claims {
            issuer: "https://login.example".to_owned(),
            subject: "ada".to_owned(),
            audience: vec!["bulkhead".to_owned()],
            authorized_party: None,
            expires_seconds: 1_000,
            not_before_seconds: Some(20),
            issued_at_seconds: Some(10),
            nonce: Some("n".to_owned()),
        };
        assert_eq!(verify(&token, &keys), Ok(expected), "{algorithm}");
        let (signed, _) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let mut others = claims();
        others["sub"] = json!("eve");
        let forged = token.replacen(
            signed,
            &format!("{header}.{}", base64(others.to_string())),
            1,
        );
        assert_eq!(verify(&forged, &keys), Err(JwtError::Signature));
        let unsigned = format!("{signed}.");
        assert_eq!(verify(&unsigned, &keys), Err(JwtError::Signature));
        // Another provider's key of the same name.
        if algorithm.as_str().starts_with('E') {
            let others = Signer::new().keys();
            assert_eq!(verify(&token, &others), Err(JwtError::Signature));
        }
    }
}

#[test]
fn no_algorithm_is_none_and_no_public_key_is_a_secret() {
    let signer = Signer::new();
    let keys = signer.keys();
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let token = signer.token(SigningAlgorithm::RS256, |header, _| {
            header["alg"] = json!(alg);
        });
        let (signed, _) = token.rsplit_once('.').unwrap();
        for text in [token.clone(), format!("{signed}.")] {
            assert_eq!(verify(&text, &keys), Err(JwtError::Algorithm), "{alg}");
        }
    }
    // An HMAC under each public key, as whoever forges it would write it.
    let rsa = signer.rsa.public().as_ref().to_vec();
    let pem = include_str!("../../../tests/vectors/rsa-2048-for-tests.pem");
    let point = signer.p256.public_key().as_ref().to_vec();
    for (alg, hmac) in [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
    ] {
        for (secret, kid) in [
            (rsa.as_slice(), "rsa"),
            (pem.as_bytes(), "rsa"),
            (point.as_slice(), "p256"),
            (b"", "rsa"),
        ] {
            let header = json!({"alg": alg, "kid": kid});
            let message = format!(
                "{}.{}",
                base64(header.to_string()),
                base64(claims().to_string())
            );
            let tag = hmac::sign(&hmac::Key::new(hmac, secret), message.as_bytes());
            let token = format!("{message}.{}", base64(tag));
            assert_eq!(verify(&token, &keys), Err(JwtError::Algorithm), "{alg}");
        }
    }
    // Nor one that the provider publishes, by whatever mistake.
    let published = json!({"keys": [{"kty": "oct", "kid": "secret", "k": base64("secret")}]});
    let header = json!({"alg": "HS256", "kid": "secret"});
    let message = format!(
        "{}.{}",
        base64(header.to_string()),
        base64(claims().to_string())
    );
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, b"secret"),
        message.as_bytes(),
    );
    let token = format!("{message}.{}", base64(tag));
    assert_eq!(verify(&token, &published), Err(JwtError::Algorithm));
}

#[test]
fn a_key_verifies_only_what_it_is_for() {
    let signer = Signer::new();
    let token = |change: &dyn Fn(&mut Value)| {
        signer.token(SigningAlgorithm::RS256, |header, _| change(header))
    };
    let changed = |name: &str, value: Value| {
        let mut keys = signer.keys();
        keys["keys"][0][name] = value;
        keys
    };
    let plain = token(&|_| {});
    assert!(verify(&plain, &changed("alg", json!("RS256"))).is_ok());
    for keys in [
        changed("use", json!("enc")),
        changed("alg", json!("RS512")),
        changed("alg", json!("PS256")),
        changed("alg", json!("HS256")),
        changed("kty", json!("EC")),
        changed("kid", json!("another")),
        json!({"keys": []}),
    ] {
        assert_eq!(verify(&plain, &keys), Err(JwtError::UnknownKey), "{keys}");
    }
    // The name of a key of another kind.
    for kid in ["p256", "ed", "what is not known yet"] {
        let token = token(&|header| header["kid"] = json!(kid));
        assert_eq!(verify(&token, &signer.keys()), Err(JwtError::UnknownKey));
    }
    // Without a name there has to be one that fits.
    let unnamed = token(&|header| {
        header.as_object_mut().unwrap().remove("kid");
    });
    assert!(verify(&unnamed, &signer.keys()).is_ok());
    let mut two = signer.keys();
    let again = two["keys"][0].clone();
    two["keys"].as_array_mut().unwrap().push(again);
    assert_eq!(verify(&unnamed, &two), Err(JwtError::UnknownKey));
    // A key that comes with the token is nobody's.
    let mine = Signer::new();
    let carried = mine.token(SigningAlgorithm::ES256, |header, _| {
        header["jwk"] = mine.keys()["keys"][1].clone();
        header["jku"] = json!("https://evil.example/keys");
    });
    assert_eq!(verify(&carried, &signer.keys()), Err(JwtError::Signature));
    // What the operator does not allow.
    let keys = KeySet::parse(signer.keys().to_string().as_bytes()).unwrap();
    let parsed = IdToken::parse(&plain).unwrap();
    let refused = parsed.verify(&keys, &[SigningAlgorithm::ES256, SigningAlgorithm::RS384]);
    assert_eq!(refused, Err(JwtError::Algorithm));
}

#[test]
fn what_is_no_id_token_is_refused() {
    let signer = Signer::new();
    let keys = signer.keys();
    let header = |name: &str, value: Value| {
        signer.token(SigningAlgorithm::ES256, |header, _| header[name] = value)
    };
    for token in [
        header("crit", json!(["exp"])),
        header("enc", json!("A128GCM")),
        header("typ", json!("at+jwt")),
        header("typ", json!("dpop+jwt")),
    ] {
        assert!(matches!(verify(&token, &keys), Err(JwtError::Malformed(_))));
    }
    assert!(verify(&header("typ", json!("jwt")), &keys).is_ok());
    let claim = |name: &str, value: Value| {
        signer.token(SigningAlgorithm::ES256, |_, claims| claims[name] = value)
    };
    let several = verify(&claim("aud", json!(["a", "b"])), &keys).unwrap();
    assert_eq!(several.audience, ["a", "b"]);
    for (name, value) in [
        ("iss", json!(1)),
        ("sub", json!(null)),
        ("aud", json!({})),
        ("aud", json!([1])),
        ("exp", json!("1000")),
        ("exp", json!(1e300)),
        ("exp", json!(null)),
        ("nbf", json!("soon")),
        ("nonce", json!([])),
        ("azp", json!(7)),
    ] {
        let token = claim(name, value);
        assert!(
            matches!(verify(&token, &keys), Err(JwtError::Malformed(_))),
            "{name}"
        );
    }
    for missing in ["iss", "sub", "aud", "exp"] {
        let token = signer.token(SigningAlgorithm::ES256, |_, claims| {
            claims.as_object_mut().unwrap().remove(missing);
        });
        assert!(
            matches!(verify(&token, &keys), Err(JwtError::Malformed(_))),
            "{missing}"
        );
    }
    let long = "a".repeat(20_000);
    for text in ["", ".", "..", "a.b", "a.b.c.d", "a.b.c.d.e", "é.é.é", &long] {
        assert!(IdToken::parse(text).is_err(), "{text}");
    }
    // Two claims of one name: whoever checks the first and uses the last is fooled.
    let twice = r#"{"iss":"a","iss":"b","sub":"s","aud":"x","exp":1}"#;
    let head = base64(json!({"alg": "ES256", "kid": "p256"}).to_string());
    let message = format!("{head}.{}", base64(twice));
    let (_, signature) = signer.sign(SigningAlgorithm::ES256, message.as_bytes());
    let token = format!("{message}.{}", base64(signature));
    assert!(matches!(verify(&token, &keys), Err(JwtError::Malformed(_))));
}
