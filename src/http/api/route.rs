use std::fmt;

use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::endpoint::{Endpoint, TABLES};
use crate::authz::SubjectKind;

/// One thing that can be asked for. Dispatch, the OpenAPI document and the tests that go over
/// every route are made from the same table.
#[derive(Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// Below [`ROOT`]; a segment in braces stands for whatever is sent there.
    pub path: &'static str,
    /// The operation's name, for logs, metrics and generated clients.
    pub id: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Whom it is for.
    pub audience: Audience,
    /// What its query may hold.
    pub query: &'static [Parameter],
    /// The JSON that its body has to be; none, if it takes none.
    pub takes: Option<SchemaOf>,
    /// What it answers when it did what was asked.
    pub gives: Gives,
    /// The action's name in policies and in the activity log.
    pub action: &'static str,
    /// What the last segment in braces names, if it names somebody or something in an organization.
    pub subject: Option<SubjectKind>,
    pub(super) endpoint: Endpoint,
}

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whoever asks, without a credential.
    Anybody,
    /// The platform's operator.
    Operator,
    /// A principal of the organization that the path names.
    Organization,
    /// Either of them.
    OperatorOrOrganization,
    /// The session of an account.
    Account,
}

/// A parameter of a query.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    /// What it looks like.
    pub kind: ParameterKind,
}

/// What a parameter of a query looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text.
    Text,
    /// A whole number between two others, both included.
    Number(u32, u32),
    /// A time (RFC 3339).
    Time,
    /// One of these.
    OneOf(&'static [&'static str]),
}

impl ParameterKind {
    /// Whether it looks like a text.
    pub(super) fn admits(self, text: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Number(least, most) => text
                .parse()
                .is_ok_and(|number: u32| (least..=most).contains(&number)),
            Self::Time => super::ask::time_ms(text).is_some(),
            Self::OneOf(choices) => choices.contains(&text),
        }
    }
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a text"),
            Self::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Time => f.write_str("a time as in RFC 3339"),
            Self::OneOf(choices) => write!(f, "one of {}", choices.join(", ")),
        }
    }
}

/// What a route answers when it did what was asked.
#[derive(Debug, Clone, Copy)]
pub struct Gives {
    /// The status.
    pub status: StatusCode,
    /// What the body is.
    pub body: Given,
}

/// What the body of an answer is.
#[derive(Debug, Clone, Copy)]
pub enum Given {
    /// None.
    Nothing,
    /// JSON of a form.
    Json(SchemaOf),
    /// A stream of a media type.
    Stream(&'static str),
}

/// Makes the schema of a type.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Where a method and a path lead.
pub(super) enum Found<'a> {
    Route(&'static Route, Segments<'a>),
    /// The path is there, and takes these methods.
    OtherMethods(String),
    Nothing,
}

/// What stood in the places of the segments in braces, as it was sent.
#[derive(Debug, Default, Clone)]
pub(super) struct Segments<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Segments<'a> {
    /// What was sent for a segment; nothing matches an empty one.
    pub(super) fn named(&self, name: &str) -> &'a str {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, sent)| sent)
    }
}

/// Every route.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().flat_map(|table| table.iter())
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
    for route in routes() {
        let Some(segments) = route.segments(below) else {
            continue;
        };
        if route.method == *asked {
            return Found::Route(route, segments);
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
    /// The names of the segments in braces, in the order of the path.
    pub fn segment_names(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(in_braces)
    }

    fn segments<'a>(&self, path: &'a str) -> Option<Segments<'a>> {
        let mut segments = Segments::default();
        let mut sent = path.split('/');
        for expected in self.path.split('/') {
            let sent = sent.next()?;
            match in_braces(expected) {
                Some(name) => segments.0.push((name, sent)),
                None if expected == sent => {}
                None => return None,
            }
        }
        sent.next().is_none().then_some(segments)
    }

    const fn new(
        method: Method,
        path: &'static str,
        id: &'static str,
        audience: Audience,
        endpoint: Endpoint,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            audience,
            query: &[],
            takes: None,
            gives: Gives {
                status: StatusCode::NO_CONTENT,
                body: Given::Nothing,
            },
            action: id,
            subject: None,
            endpoint,
        }
    }

    /// What it does is this action, and is done to something of this kind.
    pub(super) const fn does(mut self, action: &'static str, subject: Option<SubjectKind>) -> Self {
        self.action = action;
        self.subject = subject;
        self
    }

    pub(super) const fn get(
        path: &'static str,
        id: &'static str,
        audience: Audience,
        endpoint: Endpoint,
        summary: &'static str,
    ) -> Self {
        Self::new(Method::GET, path, id, audience, endpoint, summary)
    }

    pub(super) const fn post(
        path: &'static str,
        id: &'static str,
        audience: Audience,
        endpoint: Endpoint,
        summary: &'static str,
    ) -> Self {
        Self::new(Method::POST, path, id, audience, endpoint, summary)
    }

    pub(super) const fn put(
        path: &'static str,
        id: &'static str,
        audience: Audience,
        endpoint: Endpoint,
        summary: &'static str,
    ) -> Self {
        Self::new(Method::PUT, path, id, audience, endpoint, summary)
    }

    pub(super) const fn patch(
        path: &'static str,
        id: &'static str,
        audience: Audience,
        endpoint: Endpoint,
        summary: &'static str,
    ) -> Self {
        Self::new(Method::PATCH, path, id, audience, endpoint, summary)
    }

    pub(super) const fn delete(
        path: &'static str,
        id: &'static str,
        audience: Audience,
        endpoint: Endpoint,
        summary: &'static str,
    ) -> Self {
        Self::new(Method::DELETE, path, id, audience, endpoint, summary)
    }

    /// Reads its body as JSON of this form.
    pub(super) const fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(schema_of::<T>);
        self
    }

    /// Answers 200 with JSON of this form.
    pub(super) const fn gives<T: JsonSchema>(mut self) -> Self {
        self.gives = Gives {
            status: StatusCode::OK,
            body: Given::Json(schema_of::<T>),
        };
        self
    }

    /// Answers 201 with JSON of this form.
    pub(super) const fn makes<T: JsonSchema>(mut self) -> Self {
        self.gives = Gives {
            status: StatusCode::CREATED,
            body: Given::Json(schema_of::<T>),
        };
        self
    }

    /// Answers 202 with nothing.
    pub(super) const fn accepts(mut self) -> Self {
        self.gives = Gives {
            status: StatusCode::ACCEPTED,
            body: Given::Nothing,
        };
        self
    }

    /// Answers 200 with a document of a media type.
    pub(super) const fn streams(mut self, media_type: &'static str) -> Self {
        self.gives = Gives {
            status: StatusCode::OK,
            body: Given::Stream(media_type),
        };
        self
    }

    /// Takes these parameters in its query.
    pub(super) const fn asks(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }
}

fn in_braces(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The parameters of a list.
pub(super) const PAGED: &[Parameter] = &[
    Parameter {
        name: "after",
        about: "The `next` of the page before.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "limit",
        about: "How many at most.",
        kind: ParameterKind::Number(1, super::ask::LIMIT_MAX),
    },
];

/// What every path of this door begins with.
pub const ROOT: &str = "/api/v1";
