use super::{load, refusal};
use crate::config::AccessKeyReach;

const TEMPLATE: &str = "\
[[template]]
name = \"standard\"
plan = \"team\"
access_key = \"read-only\"
buckets = [\"files\", \"reports\"]

[[template.agents]]
name = \"Researcher\"
department = \"Science\"

[[template.agents]]
name = \"Writer\"

[[template]]
name = \"bare\"
";

#[test]
fn templates_are_a_list_with_a_list_inside() {
    let config = load(TEMPLATE, &[]).expect("accepted");
    let [standard, bare] = &config.templates[..] else {
        panic!("two templates");
    };
    assert_eq!(standard.plan.as_deref(), Some("team"));
    assert_eq!(standard.access_key, Some(AccessKeyReach::ReadOnly));
    assert_eq!(standard.buckets, ["files", "reports"]);
    let agents = standard.agents.iter();
    let agents: Vec<_> = agents
        .map(|agent| (agent.name.as_str(), agent.department.as_deref()))
        .collect();
    assert_eq!(agents, [("Researcher", Some("Science")), ("Writer", None)]);
    assert_eq!(bare.name, "bare");
    assert!(bare.plan.is_none() && bare.access_key.is_none() && bare.agents.is_empty());
}

#[test]
fn what_is_wrong_with_a_template_is_told_with_its_line() {
    let config = load(TEMPLATE, &[]).expect("accepted");
    let [standard, bare] = &config.templates[..] else {
        panic!("two templates");
    };
    for (error, expected) in [
        (
            standard.error("plan", "why"),
            "b.toml:3:1: [[template]] plan: why",
        ),
        // What is not set is missing from its section.
        (
            bare.error("plan", "why"),
            "b.toml:14:1: [[template]] plan: why",
        ),
        (
            standard.agents[0].error("department", "why"),
            "b.toml:9:1: [[template.agents]] department: why",
        ),
        (
            standard.agents[1].error("department", "why"),
            "b.toml:11:1: [[template.agents]] department: why",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
    for (text, expected) in [
        (
            "[[template]]\n",
            "b.toml:1:1: [[template]] name: 1 to 63 of a-z",
        ),
        (
            "[[template]]\nname = \"Big\"\n",
            "b.toml:2:1: [[template]] name: 1 to 63 of a-z",
        ),
        (
            "[[template]]\nname = \"a\"\n[[template]]\nname = \"a\"\n",
            "b.toml:4:1: [[template]] name: 1 to 63 of a-z, 0-9 and -, and no other template's",
        ),
        (
            "[[template]]\nname = \"a\"\nowner = \"b\"\n",
            "b.toml:3:1: unknown setting `owner`",
        ),
        (
            "[[template]]\nname = \"a\"\naccess_key = \"all\"\n",
            "b.toml:3:1: unknown variant `all`",
        ),
        (
            "[[template]]\nname = \"a\"\nagents = [\"b\"]\n",
            "b.toml:3:1: invalid type: string \"b\"",
        ),
        (
            "[[template]]\nname = \"a\"\n[[template.agents]]\nnaem = \"b\"\n",
            "b.toml:4:1: unknown setting `naem`",
        ),
        (
            "[[template]]\nname = \"a\"\n[[template.buckets]]\nname = \"b\"\n",
            "b.toml:3:1: invalid type: map",
        ),
        (
            "[template]\nname = \"a\"\n",
            "b.toml:1:2: invalid type: map",
        ),
    ] {
        let error = refusal(text, &[]);
        assert!(error.starts_with(expected), "{text:?} gave {error:?}");
    }
}
