use wire::policy;
use wire::sts::{Action, Form, Request};

/// A form that asks STS for something: what its policy says, it says again when it is written.
pub fn sts_form(data: &[u8]) -> bool {
    let Ok(form) = Form::parse("", data) else {
        return false;
    };
    let Ok(action) = Action::of(&form) else {
        return false;
    };
    let session = match Request::parse(action, &form) {
        Ok(Request::AssumeRole(asked)) => asked,
        Ok(Request::AssumeRoleWithWebIdentity(asked)) => asked.session,
        Ok(Request::GetCallerIdentity | Request::GetSessionToken { .. }) => return true,
        Err(_) => return false,
    };
    if let Some(limited) = session.policy {
        let written = policy::to_json(&limited.policy);
        let read = policy::parse(&written, written.len());
        assert_eq!(read, Ok(limited.policy));
        assert!((1..=100).contains(&limited.packed_size_percent));
    }
    true
}
