use std::collections::BTreeMap;

use crate::entropy::Entropy;
use crate::vault::password::draw;
use crate::vault::{CharacterKind, Field, PasswordRules, VaultError};

const KINDS: [CharacterKind; 4] = [
    CharacterKind::Lowercase,
    CharacterKind::Uppercase,
    CharacterKind::Digit,
    CharacterKind::Punctuation,
];

fn rules(length: usize) -> PasswordRules {
    PasswordRules {
        length,
        kinds: KINDS.to_vec(),
        excluded: String::new(),
        each: true,
    }
}

#[test]
fn a_password_has_one_of_each_kind_and_nothing_that_is_excluded() {
    let entropy = Entropy::danger_seeded(7);
    let rules = PasswordRules {
        excluded: "abcdef012345!\"#".to_owned(),
        ..rules(4)
    };
    for _ in 0..200 {
        let drawn = draw(&entropy, &rules).unwrap();
        assert_eq!(drawn.len(), 4);
        for is_of_kind in [
            char::is_ascii_lowercase as fn(&char) -> bool,
            char::is_ascii_uppercase,
            char::is_ascii_digit,
            char::is_ascii_punctuation,
        ] {
            assert!(drawn.chars().any(|drawn| is_of_kind(&drawn)), "{drawn:?}");
        }
        assert!(!drawn.contains(|drawn| rules.excluded.contains(drawn)));
    }
    let spaced = PasswordRules {
        kinds: vec![CharacterKind::Space],
        ..rules
    };
    assert_eq!(*draw(&entropy, &spaced).unwrap(), "    ");
}

/// Wherever a character stands, it is as likely as another there: what has to be of a kind is not
/// always in front.
#[test]
fn every_character_is_as_likely_at_every_place() {
    let entropy = Entropy::danger_seeded(7);
    let rules = PasswordRules {
        length: 2,
        kinds: vec![CharacterKind::Digit, CharacterKind::Space],
        excluded: "23456789".to_owned(),
        each: true,
    };
    let mut seen = BTreeMap::new();
    for _ in 0..4_000 {
        let drawn = draw(&entropy, &rules).unwrap();
        *seen.entry(drawn.to_string()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(
        seen.values().all(|count| (850..1_150).contains(count)),
        "{seen:?}"
    );
}

#[test]
fn what_no_password_can_be_made_of_is_refused() {
    let entropy = Entropy::danger_seeded(7);
    for wrong in [
        rules(0),
        rules(3),
        rules(4_097),
        PasswordRules {
            kinds: Vec::new(),
            ..rules(8)
        },
        PasswordRules {
            kinds: vec![CharacterKind::Digit],
            excluded: "0123456789".to_owned(),
            ..rules(8)
        },
    ] {
        let Err(VaultError::Invalid { field, .. }) = draw(&entropy, &wrong) else {
            panic!("{wrong:?}");
        };
        let is_left = wrong.excluded.is_empty() && !wrong.kinds.is_empty();
        let expected = match is_left {
            true => Field::PasswordLength,
            false => Field::PasswordCharacters,
        };
        assert_eq!(field, expected, "{wrong:?}");
    }
    let any = PasswordRules {
        each: false,
        ..rules(3)
    };
    assert_eq!(draw(&entropy, &any).unwrap().len(), 3);
    assert_eq!(draw(&entropy, &rules(4_096)).unwrap().len(), 4_096);
}
