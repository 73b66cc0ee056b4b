use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use super::reach::Reach;
use super::{ApiPath, Client, RemoteError};
use crate::config::{Net, Secret};
use crate::http::net::{Certificates, Listener, Stop};

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

#[tokio::test]
async fn certificates_of_ones_own_vouch_for_a_server_and_without_them_nothing_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path("localhost.crt"), made.cert.pem()).unwrap();
    std::fs::write(path("localhost.key"), made.signing_key.serialize_pem()).unwrap();
    // reqwest takes the provider of the process; another test may have set it.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let certificates = Certificates::open(directory.path()).unwrap();
    let listener = Listener::bind("test", ([127, 0, 0, 1], 0).into(), Some(&certificates))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, asked) = (Stop::new(), Arc::new(AtomicUsize::new(0)));
    let serving = tokio::spawn({
        let (stop, asked) = (stop.clone(), Arc::clone(&asked));
        async move {
            let handler = move |_, _| {
                asked.fetch_add(1, Ordering::Relaxed);
                async { Response::new(Full::<Bytes>::from(r#"{"organization": "acme"}"#)) }
            };
            listener.serve(&Net::default(), stop, handler).await;
        }
    });

    let client = |ca_file| {
        let reach = Reach {
            ca_file,
            token: Some(Secret::new("bkt_abc_def".into())),
            ..reach(&format!("https://localhost:{port}"), false)
        };
        Client::new(reach).unwrap()
    };
    let strange = client(None).organization().await.map(str::to_owned);
    assert!(
        matches!(strange, Err(RemoteError::NotReached { .. })),
        "{strange:?}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let known = client(Some(path("localhost.crt")));
    assert_eq!(known.organization().await.unwrap(), "acme");
    stop.request();
    serving.await.unwrap();
}
