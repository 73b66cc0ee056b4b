use http::Method;

use crate::tenancy::Transition;

/// One thing that can be asked for: the table below is all of it, and dispatch follows it.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// Below [`ROOT`]; `{slug}` and `{id}` stand for one segment each.
    pub path: &'static str,
    pub(super) endpoint: Endpoint,
}

/// What a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    CreateOrganization,
    ListOrganizations,
    ShowOrganization,
    ChangeState(Transition),
    CreateAccessKey,
    ListAccessKeys,
    RevokeAccessKey,
}

/// Where a method and a path lead.
pub(super) enum Found<'a> {
    Endpoint(Endpoint, Segments<'a>),
    /// The path is there, and takes these methods.
    OtherMethods(String),
    Nothing,
}

/// What stood in the place of `{slug}` and `{id}`, as it was sent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Segments<'a> {
    pub(super) slug: &'a str,
    pub(super) id: &'a str,
}

/// Whether a path is one of this door's, whatever it names there.
pub(super) fn is_ours(path: &str) -> bool {
    path.strip_prefix(ROOT)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Looks a request up. HEAD is answered where GET is.
pub(super) fn find<'a>(method: &Method, path: &'a str) -> Found<'a> {
    let below = path.strip_prefix(ROOT).unwrap_or(path);
    let asked = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut allowed = Vec::new();
    for route in &ROUTES {
        let Some(segments) = route.segments(below) else {
            continue;
        };
        if route.method == *asked {
            return Found::Endpoint(route.endpoint, segments);
        }
        allowed.push(route.method.as_str());
        if route.method == Method::GET {
            allowed.push(Method::HEAD.as_str());
        }
    }
    match allowed.is_empty() {
        true => Found::Nothing,
        false => Found::OtherMethods(allowed.join(", ")),
    }
}

impl Route {
    fn segments<'a>(&self, path: &'a str) -> Option<Segments<'a>> {
        let mut segments = Segments::default();
        let mut sent = path.split('/');
        for expected in self.path.split('/') {
            let sent = sent.next()?;
            match expected {
                "{slug}" => segments.slug = sent,
                "{id}" => segments.id = sent,
                _ if expected == sent => {}
                _ => return None,
            }
        }
        sent.next().is_none().then_some(segments)
    }
}

/// What every path of this door begins with.
pub const ROOT: &str = "/api/v1";

/// Every route, from which dispatch is made.
pub const ROUTES: [Route; 10] = [
    Route {
        method: Method::POST,
        path: "/organizations",
        endpoint: Endpoint::CreateOrganization,
    },
    Route {
        method: Method::GET,
        path: "/organizations",
        endpoint: Endpoint::ListOrganizations,
    },
    Route {
        method: Method::GET,
        path: "/organizations/{slug}",
        endpoint: Endpoint::ShowOrganization,
    },
    Route {
        method: Method::POST,
        path: "/organizations/{slug}/suspend",
        endpoint: Endpoint::ChangeState(Transition::Suspend),
    },
    Route {
        method: Method::POST,
        path: "/organizations/{slug}/resume",
        endpoint: Endpoint::ChangeState(Transition::Resume),
    },
    Route {
        method: Method::POST,
        path: "/organizations/{slug}/seal",
        endpoint: Endpoint::ChangeState(Transition::Seal),
    },
    Route {
        method: Method::POST,
        path: "/organizations/{slug}/unseal",
        endpoint: Endpoint::ChangeState(Transition::Unseal),
    },
    Route {
        method: Method::POST,
        path: "/organizations/{slug}/access-keys",
        endpoint: Endpoint::CreateAccessKey,
    },
    Route {
        method: Method::GET,
        path: "/organizations/{slug}/access-keys",
        endpoint: Endpoint::ListAccessKeys,
    },
    Route {
        method: Method::DELETE,
        path: "/organizations/{slug}/access-keys/{id}",
        endpoint: Endpoint::RevokeAccessKey,
    },
];
