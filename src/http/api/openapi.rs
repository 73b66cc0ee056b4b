use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::problem::ProblemView;
use super::route::{Audience, Given, Parameter, ParameterKind, ROOT, Route, routes};

/// The OpenAPI document (OpenAPI Specification 3.1.1) of this door, made from its table of routes
/// and the types that it reads and writes.
pub fn document() -> Value {
    // The schemas of OpenAPI 3.1 are those of JSON Schema 2020-12.
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut schemas = settings.into_generator();
    let problem = schemas.subschema_for::<ProblemView>();

    let mut paths = Map::new();
    for route in routes() {
        let path = format!("{ROOT}{}", route.path);
        let operations = paths.entry(path).or_insert_with(|| json!({}));
        operations[route.method.as_str().to_ascii_lowercase()] =
            operation(route, &mut schemas, problem.as_value());
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Bulkhead",
            "summary": "Organizations, their members, agents, grants, credentials, usage and activity",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "operator": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The operator's token.",
                },
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token or a session of one organization.",
                },
                "session": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The session of an account.",
                },
            },
            "schemas": schemas.take_definitions(true),
        },
    })
}

fn operation(route: &Route, schemas: &mut SchemaGenerator, problem: &Value) -> Value {
    let in_path = route.segment_names().map(|name| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": { "type": "string", "minLength": 1 },
        })
    });
    let in_query = route.query.iter().map(parameter);
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "security": security(route.audience),
        "responses": {
            route.gives.status.as_str(): given(route, schemas),
            "default": {
                "description": "What went wrong (RFC 9457).",
                "content": { "application/problem+json": { "schema": problem } },
            },
        },
    });
    if let Some(takes) = route.takes {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": takes(schemas).as_value() } },
        });
    }
    operation
}

fn given(route: &Route, schemas: &mut SchemaGenerator) -> Value {
    let description = "It was done.";
    match route.gives.body {
        Given::Nothing => json!({ "description": description }),
        Given::Json(schema) => json!({
            "description": description,
            "content": { "application/json": { "schema": schema(schemas).as_value() } },
        }),
        Given::Stream(media_type) => json!({
            "description": description,
            "content": { media_type: {} },
        }),
    }
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": "query",
        "description": parameter.about,
        "schema": match parameter.kind {
            ParameterKind::Text => json!({ "type": "string" }),
            ParameterKind::Time => json!({ "type": "string", "format": "date-time" }),
            ParameterKind::Number(least, most) => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            ParameterKind::OneOf(choices) => json!({ "type": "string", "enum": choices }),
        },
    })
}

fn security(audience: Audience) -> Value {
    match audience {
        Audience::Anybody => json!([]),
        Audience::Operator => json!([{ "operator": [] }]),
        Audience::Organization => json!([{ "token": [] }]),
        Audience::OperatorOrOrganization => json!([{ "operator": [] }, { "token": [] }]),
        Audience::Account => json!([{ "session": [] }]),
    }
}
