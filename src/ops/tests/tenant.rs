use names::{AccountId, OrgId, PartNumber, Slug, UploadId};

use super::files::{bucket, pattern};
use super::world::{Process, caller, operator};
use crate::authz::{CreateBucket, InBucket, Rights, Scope, Standing, authorize};
use crate::catalog::{Mutation, RecordKind, RecordQuery, RecordWrite};
use crate::keyring::RecordDraft;
use crate::tenancy::{Email, Label, NewAccount, Ownership, Password, SignUps};

/// What an organization's objects must read as.
pub(super) struct Tenant {
    pub(super) org: OrgId,
    pub(super) objects: Vec<(&'static str, Vec<u8>)>,
    pub(super) upload: UploadId,
    parts: Vec<(PartNumber, String, Vec<u8>)>,
}

impl Process {
    /// An organization with one of everything: an owner, access keys, a bucket, objects inline, in
    /// a blob, in parts and copied, an upload with two parts, a secret, a task, an activity log.
    pub(super) async fn tenant(&self, slug: &str) -> Tenant {
        self.tenant_with(slug, [&[5 << 20, 70_000], &[5 << 20, 10]])
            .await
    }

    /// The same, with uploads of one short part each.
    pub(super) async fn light_tenant(&self, slug: &str) -> Tenant {
        self.tenant_with(slug, [&[70_000], &[10_000]]).await
    }

    async fn tenant_with(&self, slug: &str, [joined, later]: [&[usize]; 2]) -> Tenant {
        let operator = operator();
        let owner = self.owner(slug).await;
        let slug = Slug::parse(slug).unwrap();
        let made = self
            .tenancy
            .create_organization(&operator, slug, Ownership::Of(owner))
            .await
            .unwrap();
        let org = made.org;
        let draft = self.tenancy.draft_access_key(&operator, org, Scope::Full);
        self.tenancy
            .create_access_key(&operator, draft)
            .await
            .unwrap();
        let bucket = InBucket { bucket: bucket() };
        let permit = authorize::<CreateBucket>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            bucket,
        )
        .unwrap();
        let _made = self.drive.create_bucket(permit).await.unwrap();

        let (small, large) = (b"a few bytes".to_vec(), pattern(200_000));
        self.put(org, "small", &small).await.unwrap();
        self.put(org, "large", &large).await.unwrap();
        self.copy(org, "large", "copied").await.unwrap();
        self.put(org, "replaced", b"old").await.unwrap();
        self.put(org, "replaced", b"new").await.unwrap();

        let (upload, parts) = self.begin_upload(org, "joined", joined).await;
        let joined: Vec<u8> = parts.iter().flat_map(|(_, _, part)| part.clone()).collect();
        self.complete(org, "joined", upload, &parts).await;
        let (upload, parts) = self.begin_upload(org, "later", later).await;
        self.keep_secret(org).await;
        self.record(org, "bulkhead:Test").await;
        Tenant {
            org,
            objects: vec![
                ("small", small),
                ("large", large.clone()),
                ("copied", large),
                ("replaced", b"new".to_vec()),
                ("joined", joined),
            ],
            upload,
            parts,
        }
    }

    /// Every object reads as it was written, and the upload can be completed.
    pub(super) async fn assert_whole(&self, tenant: &Tenant) {
        for (key, expected) in &tenant.objects {
            let read = self.get(tenant.org, key).await.unwrap();
            assert!(read == *expected, "{key} is not what was written");
        }
        self.complete(tenant.org, "later", tenant.upload, &tenant.parts)
            .await;
        let expected: Vec<u8> = tenant
            .parts
            .iter()
            .flat_map(|(_, _, part)| part.clone())
            .collect();
        let read = self.get(tenant.org, "later").await.unwrap();
        assert!(read == expected, "the upload is not what was written");
        assert_eq!(self.secret(tenant.org).await, SECRET);
    }

    /// All that a client is told of the objects.
    pub(super) async fn seen(&self, tenant: &Tenant) -> Vec<String> {
        let mut seen = Vec::new();
        for (key, _) in &tenant.objects {
            seen.push(self.head(tenant.org, key).await);
        }
        seen
    }

    /// What the secret holds.
    pub(super) async fn secret(&self, org: OrgId) -> Vec<u8> {
        let job = self.job(org);
        let keys = self.keyring.open_for_job(&job).await.unwrap();
        let names = self.keyring.names_for_job(&job).await.unwrap();
        let path = names.lookup("secret", SECRET_PATH);
        let found = job.record_by_lookup(RecordKind::Secret, &path).await;
        let (secret, held) = keys.open_row(found.unwrap().unwrap()).unwrap();
        assert_eq!(*held, SECRET_PATH);
        let query = RecordQuery {
            parent: Some(secret.id),
            max: 10,
            ..RecordQuery::default()
        };
        let versions = job.records(RecordKind::SecretVersion, query).await.unwrap();
        let [version] = <[_; 1]>::try_from(versions).unwrap();
        keys.open_row(version).unwrap().1.to_vec()
    }

    /// An account for whoever owns an organization. It has not logged in, and so has no other.
    async fn owner(&self, name: &str) -> AccountId {
        let wish = NewAccount {
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            name: Label::parse(name).unwrap(),
            password: Password::choose("correct horse battery".to_owned().into()).unwrap(),
        };
        let email = wish.email.clone();
        let signed_up = self.tenancy.sign_up(SignUps::Open, wish, None).await;
        signed_up.unwrap();
        let account = self.tenancy.account_named(&operator(), &email).await;
        account.unwrap().id
    }

    /// A secret with one version, found by its path, and a task.
    async fn keep_secret(&self, org: OrgId) {
        let job = self.job(org);
        let keys = self.keyring.open_for_job(&job).await.unwrap();
        let names = self.keyring.names_for_job(&job).await.unwrap();
        let secret = RecordDraft {
            kind: RecordKind::Secret,
            id: [1; 16],
            parent: None,
            lookup: Some(names.lookup("secret", SECRET_PATH)),
            state: 0,
            created_ms: self.clock.now_ms(),
            expires_ms: None,
            sequence: 1,
        };
        let of_kind = |kind| RecordDraft {
            kind,
            parent: Some([1; 16]),
            lookup: None,
            ..secret
        };
        let records = [
            (secret, SECRET_PATH),
            (of_kind(RecordKind::SecretVersion), SECRET),
            (of_kind(RecordKind::Task), b"a task"),
        ];
        let write =
            |(draft, bytes)| RecordWrite::Insert(keys.seal_row(draft, bytes).expect("sealed"));
        let writes = records.map(write).into();
        let guards = Vec::new();
        job.commit(Mutation::CommitRecords { writes, guards })
            .await
            .unwrap();
    }
}

const SECRET_PATH: &[u8] = b"prod/database";
const SECRET: &[u8] = b"the password of the database";
