use super::{load, refusal};

#[test]
fn providers_are_a_list_whose_errors_name_their_place() {
    let provider = |more: &str| {
        format!("[[oidc]]\nname = \"work\"\nissuer = \"https://login.example.com/a\"\n{more}")
    };
    let config = load(&provider(""), &[]).expect("accepted");
    let [work] = &config.oidc[..] else {
        panic!("one provider");
    };
    assert_eq!(
        (work.name.as_str(), work.issuer.as_str()),
        ("work", "https://login.example.com/a")
    );
    assert!(work.client_id.is_none() && work.client_secret.is_none());
    assert_eq!(work.audiences, ["urn:bulkhead:organization:{organization}"]);
    assert_eq!(work.id_token_signing_alg_values.len(), 9);

    let secret = ("BULKHEAD_OIDC_MY_WORK_CLIENT_SECRET", "s3cret");
    let text = "[[oidc]]\nname = \"my-work\"\nissuer = \"http://localhost:1\"\nclient_id = \"c\"\n";
    let config = load(text, &[secret]).expect("accepted");
    let given = config.oidc[0].client_secret.as_ref();
    assert_eq!(given.map(|secret| secret.expose()), Some("s3cret"));

    for (text, expected) in [
        (
            provider("clientid = \"c\"\n"),
            "b.toml:4:1: unknown setting `clientid`",
        ),
        (
            provider("audiences = [\"fixed\"]\n"),
            "b.toml:4:1: [[oidc]] audiences: each holds",
        ),
        (
            provider("audiences = [\"{organization}{organization}\"]\n"),
            "b.toml:4:1: [[oidc]] audiences: each holds",
        ),
        (
            provider("audiences = [1]\n"),
            "b.toml:4:1: invalid type: array of other than strings",
        ),
        (
            provider("id_token_signing_alg_values = [\"none\"]\n"),
            "b.toml:4:1: [[oidc]] id_token_signing_alg_values: of RS256",
        ),
        (
            provider("id_token_signing_alg_values = [\"HS256\"]\n"),
            "b.toml:4:1: [[oidc]] id_token_signing_alg_values: of RS256",
        ),
        (
            provider("id_token_signing_alg_values = []\n"),
            "b.toml:4:1: [[oidc]] id_token_signing_alg_values: of RS256",
        ),
        (
            provider("client_id = \"\"\n"),
            "b.toml:4:1: [[oidc]] client_id: not empty",
        ),
        (
            format!("{0}{0}", provider("")),
            "b.toml:5:1: [[oidc]] name: 1 to 63",
        ),
        (
            "[[oidc]]\n".to_owned(),
            "b.toml:1:1: [[oidc]] name: 1 to 63",
        ),
        (
            "[oidc]\nname = \"a\"\n".to_owned(),
            "b.toml:1:2: invalid type: map",
        ),
        (
            "oidc = [1]\n".to_owned(),
            "b.toml:1:1: `oidc` stands outside a [section]",
        ),
    ] {
        let error = refusal(&text, &[]);
        assert!(error.starts_with(expected), "{error}");
    }
    for issuer in [
        "http://login.example.com",
        "http://127.0.0.1.example.com",
        "https://login.example.com?x=1",
        "https://login.example.com/#a",
        "https://user@login.example.com",
        "ftp://login.example.com",
        "login.example.com",
        "",
    ] {
        let text = format!("[[oidc]]\nname = \"a\"\nissuer = {issuer:?}\n");
        let error = refusal(&text, &[]);
        assert!(
            error.starts_with("b.toml:3:1: [[oidc]] issuer: an https"),
            "{error}"
        );
    }
    let stray = refusal(&provider(""), &[secret]);
    assert!(
        stray.contains("MY_WORK_CLIENT_SECRET: no [[oidc]] has this name"),
        "{stray}"
    );
    let lonely = ("BULKHEAD_OIDC_WORK_CLIENT_SECRET", "s3cret");
    let lonely = refusal(&provider(""), &[lonely]);
    assert!(
        lonely.contains("client_id: the secret is of no use"),
        "{lonely}"
    );
    let variable = refusal(&provider(""), &[("BULKHEAD_OIDC_ISSUER", "https://a.b")]);
    assert!(
        variable.contains("[[oidc]] is set in the file alone"),
        "{variable}"
    );
}
