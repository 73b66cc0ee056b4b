//! What clients ask about the server before they work.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer;
use super::error::KvError;
use crate::authz::{InOrganization, ShowSelf};
use crate::http::pipeline::{Answer, Call};

pub(super) fn health(now_ms: u64) -> Result<Answer, KvError> {
    answer::json(
        StatusCode::OK,
        &json!({
            "initialized": true,
            "sealed": false,
            "standby": false,
            "performance_standby": false,
            "replication_performance_mode": "disabled",
            "replication_dr_mode": "disabled",
            "server_time_utc": now_ms / 1_000,
            "version": VERSION,
            "enterprise": false,
            "cluster_name": CLUSTER,
            // Typed clients, such as @litehex/node-vault, read no answer without every member.
            "cluster_id": "",
        }),
    )
}

/// An organization may be sealed, which its own tokens are told; the server never is.
pub(super) fn seal_status() -> Result<Answer, KvError> {
    answer::json(
        StatusCode::OK,
        &json!({
            "type": CLUSTER,
            "initialized": true,
            "sealed": false,
            "t": 1,
            "n": 1,
            "progress": 0,
            "nonce": "",
            "version": VERSION,
            "migration": false,
            "recovery_seal": false,
            "build_date": "",
            "storage_type": CLUSTER,
            "cluster_name": CLUSTER,
            "cluster_id": "",
        }),
    )
}

pub(super) fn init() -> Result<Answer, KvError> {
    answer::json(StatusCode::OK, &json!({ "initialized": true }))
}

/// Servers that share a catalog are alike: none leads.
pub(super) fn leader() -> Result<Answer, KvError> {
    answer::json(StatusCode::OK, &json!({ "ha_enabled": false }))
}

pub(super) fn mounts(call: &Call) -> Result<Answer, KvError> {
    call.permit::<ShowSelf>(InOrganization)?;
    shown(call, &json!({ "secret/": mount(call) }))
}

pub(super) fn ui_mounts(call: &Call) -> Result<Answer, KvError> {
    call.permit::<ShowSelf>(InOrganization)?;
    let auth = json!({
        "token/": { "type": "token", "description": "API tokens and sessions" },
        "approle/": { "type": "approle", "description": "agents, by an API token" },
    });
    let secret = json!({ "secret/": mount(call) });
    shown(call, &json!({ "auth": auth, "secret": secret }))
}

pub(super) fn mount_of(call: &Call, is_ours: bool) -> Result<Answer, KvError> {
    call.permit::<ShowSelf>(InOrganization)?;
    if !is_ours {
        let text = "preflight capability check returned 403, please ensure client's policies \
                    grant access to path";
        return Err(KvError::new(StatusCode::FORBIDDEN, text));
    }
    let mut mount = mount(call);
    if let Value::Object(members) = &mut mount {
        members.insert("path".to_owned(), "secret/".into());
    }
    shown(call, &mount)
}

/// The one mount that every organization has.
fn mount(call: &Call) -> Value {
    json!({
        "uuid": call.caller().org().to_string(),
        "type": "kv",
        "description": "secrets of the organization",
        "accessor": "kv_secret",
        "config": { "default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": false },
        "options": { "version": "2" },
        "local": false,
        "seal_wrap": false,
        "external_entropy_access": false,
        "plugin_version": "",
        "running_plugin_version": VERSION,
        "running_sha256": "",
        "deprecation_status": "supported",
    })
}

fn shown(call: &Call, data: &Value) -> Result<Answer, KvError> {
    answer::data(StatusCode::OK, call.id(), MOUNT_TYPE, data)
}

pub(super) const MOUNT_TYPE: &str = "system";
/// The version of HashiCorp's API that is spoken here: clients look for what it knows.
const VERSION: &str = "1.20.0+bulkhead";
const CLUSTER: &str = "bulkhead";
