use super::reach::Reach;
use super::{ApiPath, RemoteError};

fn reach(url: &str, allow_http: bool) -> Reach {
    Reach {
        url: url.to_owned(),
        ca_file: None,
        allow_http,
        token: None,
        organization: None,
    }
}

#[test]
fn a_segment_is_one_whatever_stands_in_it() {
    let path = ApiPath::of(&["organizations", "a/b?c#d", "é e"]).unwrap();
    assert_eq!(path.as_str(), "/organizations/a%2Fb%3Fc%23d/%C3%A9%20e");
    for lost in ["", ".", ".."] {
        let refused = ApiPath::of(&["organizations", lost, "delete"]);
        assert!(
            matches!(refused, Err(RemoteError::NoName(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn a_token_goes_in_the_clear_only_to_this_machine_or_by_leave() {
    for fine in [
        "https://bulkhead.example.com",
        "http://127.0.0.1:9001",
        "http://localhost:9001/",
        "http://[::1]:9001",
    ] {
        assert!(reach(fine, false).base().is_ok(), "{fine}");
    }
    for clear in [
        "http://bulkhead.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1:9001",
        "http://127.0.0.1.example.com",
    ] {
        let refused = reach(clear, false).base();
        assert!(
            matches!(refused, Err(RemoteError::InTheClear(_))),
            "{clear}"
        );
        assert!(reach(clear, true).base().is_ok(), "{clear}");
    }
}

#[test]
fn what_is_no_address_is_refused_and_shows_no_password() {
    for wrong in [
        "",
        "bulkhead.example.com",
        "ftp://bulkhead.example.com",
        "https://x/?a=b",
        "https://x/#a",
        "https://me:hunter2@bulkhead.example.com",
    ] {
        let error = reach(wrong, true).base().unwrap_err();
        assert!(matches!(error, RemoteError::InvalidUrl { .. }), "{wrong}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
