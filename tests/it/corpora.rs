//! Every input that fuzzing keeps goes through its target again, on the stable toolchain.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod invariants;

#[test]
fn every_kept_input_holds() {
    for (name, target) in invariants::TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let inputs = fs::read_dir(&corpus).unwrap_or_else(|_| panic!("no corpus of {name}"));
        let (mut accepted, mut refused) = (0, 0);
        for input in inputs {
            let bytes = fs::read(input.unwrap().path()).unwrap();
            match target(&bytes) {
                true => accepted += 1,
                false => refused += 1,
            }
        }
        // A corpus of which nothing is accepted, or nothing refused, has come to mean nothing.
        assert!(
            accepted > 0 && refused > 0,
            "{name}: {accepted} accepted, {refused} refused"
        );
    }
}
