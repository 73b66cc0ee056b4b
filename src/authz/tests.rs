use super::action::TABLE;
use super::permit::decide;
use super::*;

/// The whole policy, as people review it: `tests/permits.txt`.
#[test]
fn the_printed_policy_is_the_policy() {
    let mut printed = String::from(
        "# access key scope × standing of the organization × action → answer\n\
         # Written by the tests when BULKHEAD_PRINT_PERMITS is set; read it in review.\n",
    );
    for scope in [Scope::Full, Scope::ReadOnly] {
        for standing in [
            Standing::Active,
            Standing::Suspended,
            Standing::Sealed,
            Standing::Destroyed,
        ] {
            for (name, access) in TABLE {
                let answer = match decide(*access, scope, standing) {
                    Ok(()) => "yes".to_owned(),
                    Err(refusal) => format!("no: {refusal}"),
                };
                printed.push_str(&format!("{scope:?} × {standing:?} × {name} → {answer}\n"));
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/permits.txt");
    if option_env!("BULKHEAD_PRINT_PERMITS").is_some() {
        std::fs::write(path, &printed).expect("the policy can be written");
    }
    let reviewed = std::fs::read_to_string(path).expect("tests/permits.txt is committed");
    assert_eq!(
        reviewed, printed,
        "the policy changed: print it anew and review it"
    );
}
