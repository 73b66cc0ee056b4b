use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use names::OrgId;
use serde_json::{Value, json};
use sha2::Sha256;
use wire::jwt::JwtError;

use super::fixture::{CLIENT_ID, FAR_SECONDS, Provider};
use super::{OpenId, OpenIdError, OpenIdProvider, Returned};
use crate::ops::fixture::{Place, World};

/// A gateway that believes one provider.
struct House {
    place: Place,
    _world: World,
    provider: Provider,
    open_id: OpenId,
}

impl House {
    async fn new() -> Self {
        Self::believing(|provider| vec![provider.settings()]).await
    }

    async fn believing(settings: impl FnOnce(&Provider) -> Vec<OpenIdProvider>) -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let provider = Provider::start().await;
        let place = Place::new();
        let world = place.start().await;
        let open_id = OpenId::new(
            settings(&provider),
            Arc::clone(&world.keyring),
            world.clock.clone(),
            world.entropy.clone(),
        );
        Self {
            place,
            _world: world,
            provider,
            open_id: open_id.unwrap(),
        }
    }

    /// What an agent's token says.
    fn claims(&self) -> Value {
        json!({
            "iss": self.provider.issuer(), "sub": "runner",
            "aud": format!("urn:bulkhead:organization:{ORG}"), "exp": FAR_SECONDS,
        })
    }

    async fn vouched(&self, token: &str) -> Result<(String, OrgId), OpenIdError> {
        let vouched = self.open_id.vouched(token).await?;
        assert_eq!(vouched.identity().issuer(), self.provider.issuer());
        Ok((vouched.identity().subject().to_owned(), vouched.org()))
    }

    /// What comes of the claims when they are changed.
    async fn with(&self, name: &str, value: Value) -> Result<(String, OrgId), OpenIdError> {
        let mut claims = self.claims();
        claims[name] = value;
        self.vouched(&self.provider.token(&claims)).await
    }

    fn now_seconds(&self) -> u64 {
        self.place.clock.now_seconds()
    }

    fn pass(&self, seconds: u64) {
        self.place.hand.advance(Duration::from_secs(seconds));
    }
}

const ORG: &str = "01234567-89ab-7def-8123-456789abcdef";

#[tokio::test]
async fn a_provider_vouches_for_an_agent_of_one_organization() {
    let house = House::new().await;
    let expected = ("runner".to_owned(), ORG.parse().unwrap());
    for _ in 0..3 {
        let found = house.vouched(&house.provider.token(&house.claims())).await;
        assert_eq!(found.unwrap(), expected);
    }
    assert_eq!(house.provider.asked(), 1, "its keys are kept");
    let listed = json!([format!("urn:bulkhead:organization:{ORG}")]);
    assert_eq!(house.with("aud", listed).await.unwrap(), expected);
    // A minute of clocks that differ is nothing.
    let soon = house.now_seconds() + 59;
    assert!(house.with("nbf", json!(soon)).await.is_ok());
    let over = house.now_seconds() - 59;
    assert!(house.with("exp", json!(over)).await.is_ok());
}

#[tokio::test]
async fn a_token_for_another_or_of_another_time_is_refused() {
    let house = House::new().await;
    let audience = |text: &str| json!(text);
    let upper = ORG.to_ascii_uppercase();
    let platform = "00000000-0000-0000-0000-000000000000";
    for aud in [
        audience("bulkhead"),
        audience(ORG),
        audience("urn:bulkhead:organization:"),
        audience(&format!("urn:bulkhead:organization:{upper}")),
        audience(&format!("urn:bulkhead:organization:{ORG}x")),
        audience(&format!("x-urn:bulkhead:organization:{ORG}")),
        audience(&format!("urn:bulkhead:organization:{platform}")),
        json!([]),
        json!([format!("urn:bulkhead:organization:{ORG}"), "another"]),
    ] {
        let refused = house.with("aud", aud.clone()).await;
        assert!(
            matches!(refused, Err(OpenIdError::Audience)),
            "{aud}: {refused:?}"
        );
    }
    let now = house.now_seconds();
    for exp in [0, now - 60, now - 3_600] {
        let refused = house.with("exp", json!(exp)).await;
        assert!(matches!(refused, Err(OpenIdError::Expired)), "{exp}");
    }
    for name in ["nbf", "iat"] {
        let refused = house.with(name, json!(now + 61)).await;
        assert!(matches!(refused, Err(OpenIdError::NotYetValid)), "{name}");
    }
    for issuer in [
        "https://login.example",
        "",
        &format!("{}/", house.provider.issuer()),
    ] {
        let refused = house.with("iss", json!(issuer)).await;
        assert!(
            matches!(refused, Err(OpenIdError::UnknownProvider)),
            "{issuer}"
        );
    }
    let long = "a".repeat(256);
    for subject in ["", &long] {
        let refused = house.with("sub", json!(subject)).await;
        let malformed = matches!(refused, Err(OpenIdError::Token(JwtError::Malformed(_))));
        assert!(malformed, "{subject}");
    }
}

#[tokio::test]
async fn only_the_providers_own_key_signs() {
    let house = House::new().await;
    let claims = house.claims();
    // Its keys are known.
    assert!(house.vouched(&house.provider.token(&claims)).await.is_ok());
    let refused = async |token: &str| match house.vouched(token).await {
        Err(OpenIdError::Token(error)) => error,
        other => panic!("refused: {other:?}"),
    };
    for alg in ["none", "None", "NONE"] {
        let token = house.provider.token_under(&json!({"alg": alg}), &claims);
        assert_eq!(refused(&token).await, JwtError::Algorithm, "{alg}");
        let (signed, _) = token.rsplit_once('.').unwrap();
        assert_eq!(refused(&format!("{signed}.")).await, JwtError::Algorithm);
    }
    // An HMAC under the public key, in whatever form it is published.
    let raw = house.provider.public_key();
    let encoded = URL_SAFE_NO_PAD.encode(&raw);
    for secret in [raw.as_slice(), encoded.as_bytes()] {
        let header = json!({"alg": "HS256", "kid": "first"});
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
        mac.update(message.as_bytes());
        let tag = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        let token = format!("{message}.{tag}");
        assert_eq!(refused(&token).await, JwtError::Algorithm);
    }
    // Another's key of the same name.
    let other = Provider::start().await;
    assert_eq!(refused(&other.token(&claims)).await, JwtError::Signature);
    // An algorithm that the operator does not allow, though the key could.
    let strict = House::believing(|provider| {
        let mut settings = provider.settings();
        settings.algorithms = vec!["ES256".to_owned()];
        vec![settings]
    })
    .await;
    let token = strict.provider.token(&strict.claims());
    let error = strict.vouched(&token).await;
    assert!(matches!(
        error,
        Err(OpenIdError::Token(JwtError::Algorithm))
    ));
}

#[tokio::test]
async fn keys_are_asked_for_again_when_one_is_new_and_not_more_often() {
    let house = House::new().await;
    let old = house.provider.token(&house.claims());
    assert!(house.vouched(&old).await.is_ok());
    house.provider.rotate("second");
    let new = house.provider.token(&house.claims());
    // It was asked just now.
    let early = house.vouched(&new).await;
    assert!(matches!(
        early,
        Err(OpenIdError::Token(JwtError::UnknownKey))
    ));
    assert!(house.vouched(&old).await.is_ok());
    house.pass(10);
    assert!(house.vouched(&new).await.is_ok());
    assert_eq!(house.provider.asked(), 2);
    // What it does not publish any more, it does not sign any more.
    let gone = house.vouched(&old).await;
    assert!(matches!(
        gone,
        Err(OpenIdError::Token(JwtError::UnknownKey))
    ));
    // A flood of names of keys asks for none of them.
    house.pass(10);
    for number in 0..50 {
        let header = json!({"alg": "EdDSA", "kid": format!("made-up-{number}")});
        let token = house.provider.token_under(&header, &house.claims());
        assert!(house.vouched(&token).await.is_err());
    }
    assert_eq!(house.provider.asked(), 3);
    // A key that was taken back is forgotten in time, whether anybody asks for another or not.
    house.provider.rotate("second");
    house.pass(5 * 60 + 1);
    let gone = house.vouched(&new).await;
    assert!(
        matches!(gone, Err(OpenIdError::Token(JwtError::Signature))),
        "{gone:?}"
    );
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_believed_for_a_while() {
    let house = House::new().await;
    let token = house.provider.token(&house.claims());
    let unreachable = |found: Result<(String, OrgId), OpenIdError>| {
        assert!(
            matches!(found, Err(OpenIdError::Unreachable(_))),
            "{found:?}"
        );
    };
    house
        .provider
        .fail_with(Some(StatusCode::SERVICE_UNAVAILABLE));
    unreachable(house.vouched(&token).await);
    house.provider.fail_with(None);
    // It was asked just now.
    unreachable(house.vouched(&token).await);
    house.pass(10);
    assert!(house.vouched(&token).await.is_ok());

    house.provider.fail_with(Some(StatusCode::NOT_FOUND));
    house.pass(30 * 60);
    assert!(house.vouched(&token).await.is_ok(), "as it was");
    house.pass(31 * 60);
    unreachable(house.vouched(&token).await);
    house.provider.fail_with(None);
    house.pass(10);
    assert!(house.vouched(&token).await.is_ok());
    // Nobody listens at all.
    let nobody = House::believing(|provider| {
        let mut settings = provider.settings();
        settings.issuer = "http://127.0.0.1:1".to_owned();
        vec![settings]
    })
    .await;
    let mut claims = nobody.claims();
    claims["iss"] = json!("http://127.0.0.1:1");
    let found = nobody
        .open_id
        .vouched(&nobody.provider.token(&claims))
        .await;
    assert!(
        matches!(found, Err(OpenIdError::Unreachable(_))),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_provider_answers_as_itself_and_not_endlessly() {
    let house = House::new().await;
    let token = house.provider.token(&house.claims());
    house.provider.pretend("https://login.example");
    let found = house.vouched(&token).await;
    assert!(
        matches!(found, Err(OpenIdError::Unreachable(_))),
        "{found:?}"
    );
    house.provider.pretend(&house.provider.issuer());
    house.provider.pad(300 << 10);
    house.pass(10);
    let found = house.vouched(&token).await;
    assert!(
        matches!(found, Err(OpenIdError::Unreachable(_))),
        "{found:?}"
    );
    house.provider.pad(0);
    house.pass(10);
    assert!(house.vouched(&token).await.is_ok());
}

const HOME: &str = "https://console.example/back?to=a b";

/// A log-in that has come back, and what it came back with.
struct Back {
    ticket: String,
    state: String,
    code: String,
}

impl House {
    async fn back(&self) -> Back {
        let begun = self.open_id.begin("work", HOME).await.unwrap();
        let (code, state) = self.provider.approve(&begun.authorization_url, "ada");
        Back {
            ticket: begun.ticket.to_string(),
            state,
            code,
        }
    }

    async fn finish(&self, redirect_uri: &str, back: &Back) -> Result<String, OpenIdError> {
        let returned = Returned {
            redirect_uri,
            ticket: &back.ticket,
            state: &back.state,
            code: &back.code,
        };
        let identity = self.open_id.finish("work", &returned).await?;
        assert_eq!(identity.issuer(), self.provider.issuer());
        Ok(identity.subject().to_owned())
    }
}

#[tokio::test]
async fn somebody_logs_in() {
    let house = House::new().await;
    let back = house.back().await;
    assert_eq!(house.finish(HOME, &back).await.unwrap(), "ada");
    // A code is good for once, as its provider has it.
    let again = house.finish(HOME, &back).await;
    assert!(matches!(again, Err(OpenIdError::Refused)), "{again:?}");
    // Several audiences, if it says which one asked.
    let back = house.back().await;
    house.provider.change(|claims| {
        claims["aud"] = json!(["other", CLIENT_ID]);
        claims["azp"] = json!(CLIENT_ID);
    });
    assert_eq!(house.finish(HOME, &back).await.unwrap(), "ada");
}

#[tokio::test]
async fn nobody_brings_a_log_in_to_its_end_but_who_began_it() {
    let house = House::new().await;
    let not_begun = |found: Result<String, OpenIdError>| {
        assert!(matches!(found, Err(OpenIdError::NotBegun)), "{found:?}");
    };
    let (mine, theirs) = (house.back().await, house.back().await);
    // Somebody else's way back in my browser: their code and state, my ticket.
    let swapped = |ticket: &Back, state: &Back, code: &Back| Back {
        ticket: ticket.ticket.clone(),
        state: state.state.clone(),
        code: code.code.clone(),
    };
    not_begun(house.finish(HOME, &swapped(&mine, &theirs, &theirs)).await);
    not_begun(house.finish(HOME, &swapped(&theirs, &mine, &mine)).await);
    not_begun(house.finish("https://console.example/", &mine).await);
    for ticket in [
        "",
        "1",
        &format!("{FAR_SECONDS}.aa"),
        &format!("9{}", mine.ticket),
    ] {
        let forged = Back {
            ticket: ticket.to_owned(),
            ..swapped(&mine, &mine, &mine)
        };
        not_begun(house.finish(HOME, &forged).await);
    }
    for state in ["", "0"] {
        let forged = Back {
            state: state.to_owned(),
            ..swapped(&mine, &mine, &mine)
        };
        not_begun(house.finish(HOME, &forged).await);
    }
    // Their code with what I keep: the verifier is another, as the provider sees, …
    let refused = house.finish(HOME, &swapped(&mine, &mine, &theirs)).await;
    assert!(matches!(refused, Err(OpenIdError::Refused)), "{refused:?}");
    // … and nothing was done to mine by all of this.
    house.pass(9 * 60);
    assert_eq!(house.finish(HOME, &mine).await.unwrap(), "ada");
    let late = house.back().await;
    house.pass(10 * 60);
    not_begun(house.finish(HOME, &late).await);
}

#[tokio::test]
async fn the_token_of_a_log_in_is_for_it() {
    let house = House::new().await;
    type Change = fn(&mut Value);
    type IsIt = fn(&OpenIdError) -> bool;
    let cases: [(&str, Change, IsIt); 9] = [
        (
            "another nonce",
            |claims| claims["nonce"] = json!("another"),
            |error| matches!(error, OpenIdError::Nonce),
        ),
        (
            "no nonce",
            |claims| claims["nonce"] = Value::Null,
            |error| matches!(error, OpenIdError::Nonce),
        ),
        (
            "another client",
            |claims| claims["aud"] = json!("other"),
            |error| matches!(error, OpenIdError::Audience),
        ),
        (
            "several clients",
            |claims| claims["aud"] = json!([CLIENT_ID, "other"]),
            |error| matches!(error, OpenIdError::Audience),
        ),
        (
            "another party",
            |claims| claims["azp"] = json!("other"),
            |error| matches!(error, OpenIdError::Audience),
        ),
        (
            "an agent's audience",
            |claims| claims["aud"] = json!(format!("urn:bulkhead:organization:{ORG}")),
            |error| matches!(error, OpenIdError::Audience),
        ),
        (
            "over",
            |claims| claims["exp"] = json!(1_000),
            |error| matches!(error, OpenIdError::Expired),
        ),
        (
            "another issuer",
            |claims| claims["iss"] = json!("https://login.example"),
            |error| matches!(error, OpenIdError::UnknownProvider),
        ),
        (
            "no subject",
            |claims| claims["sub"] = json!(""),
            |error| matches!(error, OpenIdError::Token(_)),
        ),
    ];
    for (what, change, is_expected) in cases {
        let back = house.back().await;
        house.provider.change(change);
        let error = house.finish(HOME, &back).await.expect_err(what);
        assert!(is_expected(&error), "{what}: {error:?}");
    }
    // The token of an agent lets nobody in, and that of a log-in is no agent's.
    let mut claims = house.claims();
    claims["aud"] = json!(CLIENT_ID);
    let found = house.vouched(&house.provider.token(&claims)).await;
    assert!(matches!(found, Err(OpenIdError::Audience)));
}

#[tokio::test]
async fn nobody_logs_in_by_a_provider_that_is_not_for_it() {
    let house = House::believing(|provider| {
        let mut settings = provider.settings();
        settings.client_id = None;
        vec![settings]
    })
    .await;
    for name in ["work", "other", ""] {
        let begun = house.open_id.begin(name, HOME).await;
        assert!(matches!(begun, Err(OpenIdError::UnknownProvider)), "{name}");
    }
    let house = House::new().await;
    for uri in [
        "",
        "console",
        "javascript:alert(1)",
        "https://console.example/#a",
    ] {
        let begun = house.open_id.begin("work", uri).await;
        assert!(matches!(begun, Err(OpenIdError::RedirectUri)), "{uri}");
    }
}
