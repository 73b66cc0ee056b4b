use wire::kv::{
    Field, Login, MetadataChange, Milliseconds, Object, Place, Query, Target, ValueWrite,
    format_duration, merged, parse_duration, parse_paths, parse_versions, subkeys,
};
use wire::s3::xml::url_encoded;

/// Lines: path, query. The path of a secret, encoded, is read as the same again, and no slash that
/// was encoded parts it.
pub fn kv_target(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let (path, query) = text.split_once('\n').unwrap_or((text, ""));
    let query = Query::parse(query);
    let Ok(target) = Target::parse(path) else {
        return false;
    };
    match &target {
        Target::Secret(Place::Data, secret) => {
            let again = format!("secret/data/{}", url_encoded(secret.as_str()));
            assert_eq!(
                Target::parse(&again).as_ref(),
                Ok(&target),
                "a path comes back"
            );
            let sent = path.split('/').count();
            let shown = secret.as_str().split('/').count();
            assert_eq!(sent, shown + 2, "each segment is one");
        }
        Target::Folder(prefix) => {
            let prefix = prefix.as_str();
            assert!(prefix.is_empty() || prefix.ends_with('/'), "a folder ends");
            assert_eq!(
                target.clone().listed().as_ref(),
                Ok(&target),
                "and is itself"
            );
        }
        _ => {}
    }
    query.is_ok()
}

/// A body, read as every kind of body there is.
pub fn kv_body(data: &[u8]) -> bool {
    let mut is_accepted = Login::parse(data).is_ok() | parse_versions(data).is_ok();
    if let Ok(paths) = parse_paths(data) {
        assert!(
            paths.iter().all(|path| path.trim() == path),
            "no space is around a path"
        );
        is_accepted = true;
    }
    if let Ok(change) = MetadataChange::parse(data) {
        if let Field::Given(Milliseconds(ms)) = change.delete_version_after {
            let again = parse_duration(&format_duration(ms));
            assert_eq!(again, Some(ms), "a duration comes back");
        }
        is_accepted = true;
    }
    if let Ok(write) = ValueWrite::parse(data) {
        let text = write.data.expose().get();
        let merged = merged(write.data, write.data);
        assert!(merged.len() <= 2 * text.len(), "a merge fits its buffer");
        assert!(Object::parse(&merged).is_some(), "a merge is an object");
        let names = subkeys(write.data, None);
        assert!(Object::parse(names.get()).is_some(), "so are the names");
        is_accepted = true;
    }
    is_accepted
}
