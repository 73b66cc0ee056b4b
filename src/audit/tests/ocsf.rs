use serde_json::{Map, Value, json};

use super::*;

/// Validates exported events against the statement of the schema beside this file.
struct Schema(Value);

impl Schema {
    fn new() -> Self {
        Self(serde_json::from_str(include_str!("ocsf-1.3.json")).unwrap())
    }

    fn check(&self, event: &Value) {
        let class_uid = event["class_uid"].as_u64().unwrap();
        let class = &self.0["classes"][class_uid.to_string()];
        assert!(class.is_object(), "a class that is not stated: {event}");
        let activity_id = event["activity_id"].as_u64().unwrap();
        assert_eq!(event["category_uid"], class["category"], "{event}");
        assert_eq!(event["class_name"], class["name"], "{event}");
        assert!(
            list(&class["activities"]).contains(&json!(activity_id)),
            "{event}"
        );
        assert_eq!(event["type_uid"], json!(class_uid * 100 + activity_id));
        let base = &self.0["base"];
        let mut attributes = base["attributes"].as_object().unwrap().clone();
        attributes.extend(class["attributes"].as_object().unwrap().clone());
        let mut required = list(&base["required"]).to_vec();
        required.extend(list(&class["required"]).iter().cloned());
        let whole = json!({
            "attributes": attributes, "required": required, "at_least_one": class["at_least_one"],
        });
        self.check_object(event, &whole, "event");
    }

    fn check_object(&self, object: &Value, stated: &Value, at: &str) {
        let object: &Map<String, Value> = object.as_object().unwrap_or_else(|| panic!("{at}"));
        for required in list(&stated["required"]) {
            let name = required.as_str().unwrap();
            assert!(object.contains_key(name), "{at}.{name} is required");
        }
        if let Some(one_of) = stated["at_least_one"].as_array() {
            let is_there = |name: &Value| object.contains_key(name.as_str().unwrap());
            assert!(one_of.iter().any(is_there), "{at} needs one of {one_of:?}");
        }
        for (name, value) in object {
            let kind = &stated["attributes"][name];
            assert!(!kind.is_null(), "{at}.{name} is none of the schema's");
            self.check_value(value, kind, &format!("{at}.{name}"));
        }
    }

    fn check_value(&self, value: &Value, kind: &Value, at: &str) {
        match kind {
            Value::Array(of) if of.iter().all(Value::is_string) => {
                for item in list(value) {
                    self.check_value(item, &of[0], at);
                }
            }
            Value::Array(values) => assert!(values.contains(value), "{at}: {value}"),
            Value::String(kind) => match kind.as_str() {
                "any" => {}
                "string" => assert!(value.as_str().is_some_and(|s| !s.is_empty()), "{at}"),
                "integer" => assert!(value.is_u64(), "{at}: {value}"),
                "boolean" => assert!(value.is_boolean(), "{at}"),
                "ip" => drop(value.as_str().unwrap().parse::<IpAddr>().expect(at)),
                object => {
                    let stated = &self.0["objects"][object];
                    assert!(stated.is_object(), "{object} is not stated");
                    self.check_object(value, stated, at);
                }
            },
            other => panic!("{at}: {other}"),
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn exported(entry: &Entry) -> Value {
    let logged = Logged {
        org: ONE,
        node: NODE,
        segment: 7,
        entry,
    };
    let line = logged.ocsf();
    assert!(!line.contains('\n'));
    serde_json::from_str(&line).unwrap()
}

fn done(action: &'static str, operation: Option<&'static str>, resource: &str) -> Entry {
    Entry::of(Event {
        action,
        operation,
        ..allowed(resource)
    })
}

#[test]
fn every_kind_of_entry_is_as_the_schema_says() {
    let schema = Schema::new();
    let decisions = [
        Decision::Intended,
        Decision::Allowed { status: 200 },
        Decision::Allowed { status: 404 },
        Decision::Refused {
            rule: "no role".to_owned(),
        },
        Decision::Damaged {
            what: "a chunk".to_owned(),
        },
    ];
    let kinds = [
        ActorKind::Operator,
        ActorKind::Organization,
        ActorKind::Agent,
        ActorKind::Nobody,
        ActorKind::Member { role: Role::Owner },
        ActorKind::Member { role: Role::Viewer },
    ];
    let actions = [
        ("s3:GetObject", Some("HeadObject")),
        ("s3:PutObject", Some("CopyObject")),
        ("s3:GetBucketAcl", Some("GetBucketAcl")),
        ("unknown", Some("unknown")),
        ("bulkhead:SignIn", Some("SignInWithOidc")),
        ("bulkhead:ManagePeople", Some("UpdateMember")),
        ("bulkhead:ManageGrants", None),
        ("bulkhead:RotateKey", None),
    ];
    for decision in decisions {
        for kind in kinds {
            for (action, operation) in actions {
                for (resource, source) in [("", None), ("member:1 role:admin", Some([1, 2, 3, 4]))]
                {
                    let actor = match kind {
                        ActorKind::Operator => Actor::operator(),
                        kind => Actor { kind, ..actor() },
                    };
                    let mut entry = Entry::of(Event {
                        actor,
                        action,
                        operation,
                        source: source.map(IpAddr::from),
                        ..event(resource, decision.clone())
                    });
                    schema.check(&exported(&entry));
                    entry.absorb(&entry.clone());
                    schema.check(&exported(&entry));
                }
            }
        }
    }
    let nobody = [
        Entry::of_refused_sign_in(NOW_MS, IpAddr::from([192, 0, 2, 1])),
        Entry::of_platform(PlatformEvent {
            at_ms: NOW_MS,
            source: None,
            what: "started".to_owned(),
        }),
    ];
    for mut entry in nobody {
        schema.check(&exported(&entry));
        entry.org = Some(TWO);
        schema.check(&exported(&entry));
    }
}

#[test]
fn a_call_is_api_activity_with_the_rule_that_decided() {
    let entry = Entry {
        count: 3,
        until_ms: NOW_MS + 5,
        ..Entry::of(refused("docs/a"))
    };
    let event = exported(&entry);
    assert_eq!(
        event,
        json!({
            "metadata": {
                "version": "1.3.0",
                "product": {
                    "name": "Bulkhead", "vendor_name": "Bulkhead",
                    "version": env!("CARGO_PKG_VERSION"),
                },
                "log_name": "activity",
                "tenant_uid": "01010101-0101-0101-0101-010101010101",
                "correlation_uid": "request",
            },
            "category_uid": 6, "class_uid": 6003, "class_name": "API Activity",
            "activity_id": 2, "activity_name": "Read", "type_uid": 600_302,
            "time": NOW_MS, "count": 3, "start_time": NOW_MS, "end_time": NOW_MS + 5,
            "severity_id": 2, "status_id": 2, "status": "Failure", "status_detail": "read-only",
            "message": "refused: HeadObject docs/a",
            "actor": {
                "user": {
                    "name": "BHAK", "uid": "03030303-0303-0303-0303-030303030303",
                    "type": "User", "type_id": 1, "credential_uid": "BHAK",
                    "account": { "uid": "04040404-0404-0404-0404-040404040404" },
                },
                "authorizations": [{ "decision": "denied", "policy": { "name": "read-only" } }],
            },
            "src_endpoint": { "ip": "192.0.2.1" },
            "api": {
                "operation": "HeadObject", "request": { "uid": "request" },
                "response": { "error_message": "read-only" },
            },
            "resources": [{ "name": "docs/a" }],
            "unmapped": {
                "node": "09090909-0909-0909-0909-090909090909", "segment": 7,
                "decision": "refused", "parent_credential": "BHPARENT", "role": "viewer",
                "bytes_in": 1, "bytes_out": 2,
            },
        })
    );
    let allowed = exported(&Entry::of(allowed("docs/a")));
    assert_eq!(
        allowed["actor"]["authorizations"],
        json!([{ "decision": "allowed", "policy": { "name": "role:viewer" } }])
    );
    assert_eq!(allowed["api"]["response"], json!({ "code": 200 }));
}

#[test]
fn sign_ins_and_changes_of_rights_have_classes_of_their_own() {
    let sign_in = done("bulkhead:SignIn", Some("SignInWithOidc"), "session/BHAK");
    let sign_in = exported(&sign_in);
    assert_eq!(sign_in["type_uid"], 300_201);
    assert_eq!(sign_in["auth_protocol_id"], 4);
    assert_eq!(sign_in["user"]["credential_uid"], "BHAK");
    let refused = Entry::of_refused_sign_in(NOW_MS, IpAddr::from([192, 0, 2, 1]));
    let refused = exported(&refused);
    assert_eq!(
        (refused["type_uid"].as_u64(), refused["status_id"].as_u64()),
        (Some(300_201), Some(2))
    );
    assert_eq!(refused["user"]["name"], "unknown");

    let given = done(
        "bulkhead:ManagePeople",
        Some("UpdateMember"),
        "member:77 role:admin",
    );
    let given = exported(&given);
    assert_eq!(given["type_uid"], 300_501);
    assert_eq!(given["user"]["uid"], "77");
    assert_eq!(given["privileges"], json!(["role:admin"]));
    let taken = exported(&done(
        "bulkhead:ManageGrants",
        Some("DeleteGrant"),
        "grant:5",
    ));
    assert_eq!(taken["type_uid"], 300_502);

    for (action, operation, activity) in [
        ("s3:CreateBucket", Some("CreateBucket"), 1),
        ("s3:GetObject", Some("GetObject"), 2),
        ("vault:reveal", None, 2),
        ("s3:PutObject", Some("PutObject"), 3),
        ("s3:DeleteObject", Some("DeleteObjects"), 4),
        ("s3:AbortMultipartUpload", Some("AbortMultipartUpload"), 4),
        ("bulkhead:RevokeAccessKey", None, 4),
        ("s3:GetBucketAcl", Some("GetBucketAcl"), 2),
        ("unknown", Some("unknown"), 99),
    ] {
        let event = exported(&done(action, operation, "docs"));
        assert_eq!(event["activity_id"], activity, "{action}");
    }
}
