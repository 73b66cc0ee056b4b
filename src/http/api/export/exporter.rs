use std::pin::pin;

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt};
use names::{KeyPrefix, ObjectKey, OrgId, SecretPrefix};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::error::{Ended, failed};
use super::pages::{PAGE, Page, pages};
use super::reader::Reader;
use super::writer::Writer;
use crate::audit::{ActivityQuery, Decision, Order};
use crate::authz::{
    Action, ExportOrganization, InOrganization, ListBuckets, ListSecrets, OfObject, OfSecret,
    OfSubject, ReadActivity, ReadAgents, ReadGrants, ReadPeople, ReadUsage, Refusal, RevealSecret,
    SubjectKind, UnderPath, UnderPrefix,
};
use crate::drive::{Bucket, DriveError, ListRequest, ListStart, ListedObject, ReadRequest};
use crate::http::api::agent_view::{AgentRecordView, AgentView, TaskView};
use crate::http::api::grant_view::GrantView;
use crate::http::api::identity_view::IdentityView;
use crate::http::api::organization_view::ProfileView;
use crate::http::api::people_view::{InvitationView, MemberView, TeamView};
use crate::http::api::problem::Problem;
use crate::http::api::secret_view::{RevealedSecretView, SecretDetailView};
use crate::http::api::usage_view::HourUsageView;
use crate::http::api::view::rfc_3339;
use crate::http::pipeline::Fault;
use crate::ops::entry_name;
use crate::tenancy::{Agent, GrantFilter, RecordCursor, RecordPage, TeamSeat, TenancyError};
use crate::vault::{Description, Selector, State, VaultError, VersionState};

/// Reads all that an organization has, in an order that stays, and writes it.
pub(super) struct Exporter {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) values: SecretValues,
}

/// What an archive has of the values of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretValues {
    /// All that can be revealed.
    Revealed,
    /// None.
    Withheld,
}

impl Exporter {
    pub(super) async fn run(mut self, org: OrgId) {
        let written = self.write(org).await;
        self.writer.close(written).await;
    }

    async fn write(&mut self, org: OrgId) -> Result<(), Ended> {
        let about = serde_json::json!({
            "format": FORMAT,
            "organization": org.to_string(),
            "secret_values": self.values == SecretValues::Revealed,
        });
        let name = "organization.json".to_owned();
        self.writer.json(name, &about).await?;
        self.people().await?;
        self.grants().await?;
        self.agents().await?;
        self.usage().await?;
        self.log().await?;
        self.secrets().await?;
        self.buckets().await
    }

    /// The profile, and who is in the organization and in its teams.
    async fn people(&mut self) -> Result<(), Ended> {
        let Self { reader, writer, .. } = self;
        let reader = &*reader;
        let tenancy = &reader.tenancy;
        let may = |kind| reader.permit::<ReadPeople>(OfSubject::all(kind));

        let profile = tenancy
            .profile(reader.permit(InOrganization).await?)
            .await?;
        let name = "records/profile.json".to_owned();
        writer.json(name, &ProfileView::from(&profile)).await?;
        let members = pages(|after| async move {
            let permit = may(SubjectKind::Member).await?;
            let found = tenancy.members(permit, after, PAGE).await?;
            Ok(Page::of(found, |member| member.principal))
        });
        let view = |member: &_| MemberView::from(member);
        writer.list("records/members", members, view).await?;
        let invitations = pages(|after| async move {
            let permit = may(SubjectKind::Invitation).await?;
            let found = tenancy.invitations(permit, after, PAGE).await?;
            Ok(Page::of(found, |invitation| invitation.id))
        });
        let view = |invitation: &_| InvitationView::from(invitation);
        writer
            .list("records/invitations", invitations, view)
            .await?;
        let teams = pages(|after| async move {
            let permit = may(SubjectKind::Team).await?;
            let found = tenancy.teams(permit, after, PAGE).await?;
            Ok(Page::of(found, |team| team.id))
        });
        let view = |team: &_| TeamView::from(team);
        writer.list("records/teams", teams, view).await?;
        let seats = pages(|after| async move {
            let permit = may(SubjectKind::Team).await?;
            Ok(tenancy.team_seats(permit, after, PAGE).await?.into())
        });
        let view = |seat: &TeamSeat| {
            serde_json::json!({
                "team": seat.team.to_string(),
                "principal": seat.principal.to_string(),
            })
        };
        writer.list("records/team-seats", seats, view).await
    }

    async fn grants(&mut self) -> Result<(), Ended> {
        let Self { reader, writer, .. } = self;
        let reader = &*reader;
        let grants = pages(|after| async move {
            let resource = OfSubject::all(SubjectKind::Grant);
            let permit = reader.permit::<ReadGrants>(resource).await?;
            let found = reader.tenancy.grants(permit, GrantFilter::Any, after, PAGE);
            Ok(Page::of(found.await?, |grant| grant.id))
        });
        let view = |grant: &_| GrantView::from(grant);
        writer.list("records/grants", grants, view).await
    }

    /// Agents, what each keeps, and its task history.
    async fn agents(&mut self) -> Result<(), Ended> {
        let Self { reader, writer, .. } = self;
        let reader = &*reader;
        let agents = pages(|after| async move {
            let resource = OfSubject::all(SubjectKind::Agent);
            let permit = reader.permit::<ReadAgents>(resource).await?;
            let found = reader.tenancy.agents(permit, after, PAGE).await?;
            Ok(Page::of(found, |agent| agent.id))
        });
        let mut agents = pin!(agents.enumerate());
        while let Some((number, page)) = agents.next().await {
            let page = page?;
            let views = page.iter().map(AgentView::from);
            writer.page("records/agents", number, views).await?;
            for agent in &page {
                home(reader, writer, agent).await?;
            }
        }
        Ok(())
    }

    async fn usage(&mut self) -> Result<(), Ended> {
        let permit = self.reader.permit::<ReadUsage>(InOrganization).await?;
        let until_ms = i64::MAX.unsigned_abs();
        let hours = self.reader.metering.usage(permit, 0, until_ms).await?;
        let views = hours.iter().map(HourUsageView::from);
        self.writer.page("records/usage", 0, views).await
    }

    /// The activity log, oldest first. A segment that is not what was written ends the export.
    async fn log(&mut self) -> Result<(), Ended> {
        let Self { reader, writer, .. } = self;
        let reader = &*reader;
        let query = &ActivityQuery {
            order: Order::OldestFirst,
            ..ActivityQuery::default()
        };
        let log = pages(|after| async move {
            let permit = reader.permit::<ReadActivity>(InOrganization).await?;
            let max = PAGE as usize;
            let page = reader.activity.page(permit, query, after, max).await?;
            if let Some(illegible) = page.illegible.first() {
                return Err(Ended::Failed(Fault::Damaged(illegible.to_string())));
            }
            let mut lines = Vec::new();
            for logged in page.logged() {
                lines.extend_from_slice(logged.json().as_bytes());
                lines.push(b'\n');
            }
            Ok(Page {
                items: lines,
                next: page.next,
            })
        });
        let mut log = pin!(log.enumerate());
        while let Some((number, lines)) = log.next().await {
            writer.lines("activity", number, lines?).await?;
        }
        Ok(())
    }

    /// What is known of each secret, and its values if they are asked for.
    async fn secrets(&mut self) -> Result<(), Ended> {
        let Self {
            reader,
            writer,
            values,
        } = self;
        let reader = &*reader;
        let secrets = pages(|after| async move {
            let prefix = SecretPrefix::default();
            let permit = reader.permit::<ListSecrets>(UnderPath { prefix }).await?;
            let (after, max) = (Option::as_ref(&after), PAGE as usize);
            let page = reader.vault.list(permit, after, max, |_| true).await?;
            let last = page.secrets.last().filter(|_| page.truncated);
            Ok(Page {
                next: last.map(|last| last.path.clone()),
                items: page.secrets,
            })
        });
        let mut secrets = pin!(secrets);
        while let Some(page) = secrets.try_next().await? {
            for secret in &page {
                let name = entry_name("secrets", secret.path.as_str());
                let view = SecretDetailView::of(secret, reader.vault.now_ms());
                writer.json(format!("{name}.json"), &view).await?;
                if let Some(policy) = &secret.policy {
                    let name = entry_name("policies", secret.path.as_str());
                    let policy: &RawValue =
                        serde_json::from_str(&policy.text).map_err(Problem::internal)?;
                    writer.json(format!("{name}.json"), &policy).await?;
                }
                if *values == SecretValues::Revealed {
                    reveal(reader, writer, secret).await?;
                }
            }
        }
        Ok(())
    }

    async fn buckets(&mut self) -> Result<(), Ended> {
        let Self { reader, writer, .. } = self;
        let reader = &*reader;
        let buckets = pages(|after: Option<String>| async move {
            let permit = reader.permit::<ListBuckets>(InOrganization).await?;
            let listed = reader
                .drive
                .list_buckets(permit, "", after.as_deref(), PAGE);
            let ((items, is_truncated), _) = listed.await.map_err(failed)?;
            let last = items.last().filter(|_| is_truncated);
            Ok(Page {
                next: last.map(|bucket| bucket.name.to_string()),
                items,
            })
        });
        let mut buckets = pin!(buckets);
        while let Some(page) = buckets.try_next().await? {
            for bucket in &page {
                let about = serde_json::json!({
                    "bucket": bucket.name.to_string(),
                    "created_at": rfc_3339(bucket.created_ms),
                });
                let name = format!("buckets/{}.json", bucket.name);
                writer.json(name, &about).await?;
                objects(reader, writer, bucket).await?;
            }
        }
        Ok(())
    }
}

/// What an agent keeps beside its files. Nothing, once it is being deleted.
async fn home(reader: &Reader, writer: &mut Writer, agent: &Agent) -> Result<(), Ended> {
    let (tenancy, id) = (&reader.tenancy, agent.id);
    let folder = |what: &str| format!("records/agents/{id}/{what}");
    let may = async || {
        let export = reader.permit::<ExportOrganization>(InOrganization);
        Ok::<_, Ended>(export.await?.home(id))
    };
    let may = &may;
    let context = pages(|after| async move {
        let permit = may().await?;
        while_there(tenancy.agent_records(permit, None, after, PAGE).await)
    });
    let view = |record: &_| AgentRecordView::from(record);
    writer.list(&folder("context"), context, view).await?;
    let tasks = pages(|after| async move {
        let (permit, until_ms) = (may().await?, i64::MAX.unsigned_abs());
        while_there(tenancy.tasks(permit, 0, until_ms, after, PAGE).await)
    });
    let view = |task: &_| TaskView::from(task);
    writer.list(&folder("tasks"), tasks, view).await?;
    let resource = OfSubject::one(SubjectKind::Agent, id.to_string());
    let permit = reader.permit::<ReadAgents>(resource).await?;
    let identities = match tenancy.agent_identities(permit).await {
        Err(TenancyError::NoSuch(_)) => Vec::new(),
        found => found?,
    };
    let views = identities.iter().map(IdentityView::from);
    writer.page(&folder("identities"), 0, views).await
}

fn while_there<T>(
    found: Result<RecordPage<T>, TenancyError>,
) -> Result<Page<T, RecordCursor>, Ended> {
    match found {
        Err(TenancyError::NoSuch(_)) => Ok(Page::END),
        found => Ok(found?.into()),
    }
}

/// The values of a secret that can be revealed, each as `GET …/value` answers it. All stand in the
/// activity log, durably, before any of them leaves.
async fn reveal(reader: &Reader, writer: &mut Writer, secret: &Description) -> Result<(), Ended> {
    if secret.state != State::Active {
        return Ok(());
    }
    let now_ms = reader.vault.now_ms();
    let versions = secret.versions.iter();
    let live: Vec<u64> = versions
        .filter(|version| version.state_at(now_ms) == VersionState::Live)
        .map(|version| version.number)
        .collect();
    let folder = entry_name("values", secret.path.as_str());
    for numbers in live.chunks(VALUES_AT_ONCE) {
        let mut shown = Vec::with_capacity(numbers.len());
        for number in numbers {
            let path = secret.path.clone();
            let permit = match reader.may_reveal(path).await? {
                Ok(permit) => permit,
                // Its policy stands beside its description: who lifts it exports the value, too.
                Err(refusal @ Refusal::DeniedBySecret { .. }) => {
                    let resource = OfSecret::at(secret.path.clone()).to_string();
                    let rule = refusal.to_string();
                    let refused = Decision::Refused { rule };
                    let record = reader
                        .witness
                        .record(RevealSecret::NAME, resource, None, refused);
                    record.await?;
                    return Ok(());
                }
                Err(refusal) => return Err(refusal.into()),
            };
            let rule = permit.rule();
            let which = Selector::Number(*number);
            match reader.vault.reveal(permit, &which).await {
                // Another secret may have come to its path.
                Ok(revealed) if revealed.secret.id == secret.id => shown.push((revealed, rule)),
                // Deleted since it was listed.
                Ok(_)
                | Err(
                    VaultError::NoSuchSecret
                    | VaultError::NoSuchVersion
                    | VaultError::VersionGone(_)
                    | VaultError::Deleted,
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let records = shown.iter().map(|(revealed, rule)| {
            let path = revealed.secret.path.clone();
            let resource = OfSecret::at(path).to_string();
            let decision = Decision::Allowed { status: 200 };
            let name = RevealSecret::NAME;
            reader.witness.record(name, resource, Some(*rule), decision)
        });
        try_join_all(records).await?;
        for (revealed, _) in &shown {
            let mut encoded = Zeroizing::default();
            let view = RevealedSecretView::of(revealed, &mut encoded, now_ms);
            let name = format!("{folder}/{}.json", revealed.version.number);
            writer.json(name, &view).await?;
        }
    }
    Ok(())
}

async fn objects(reader: &Reader, writer: &mut Writer, bucket: &Bucket) -> Result<(), Ended> {
    let objects = pages(|after: Option<String>| async move {
        let resource = UnderPrefix {
            bucket: bucket.name.clone(),
            prefix: KeyPrefix::default(),
        };
        let export = reader.permit::<ExportOrganization>(InOrganization).await?;
        let request = ListRequest {
            delimiter: None,
            start: after.map_or(ListStart::Beginning, ListStart::Token),
            max: PAGE,
        };
        match reader.drive.list(export.listing(resource), request).await {
            Ok((page, _)) => Ok(Page {
                items: page.entries,
                next: page.next_token.filter(|_| page.is_truncated),
            }),
            // Deleted since it was listed.
            Err(DriveError::NoSuchBucket) => Ok(Page::END),
            Err(error) => Err(failed(error)),
        }
    });
    let mut objects = pin!(objects);
    while let Some(page) = objects.try_next().await? {
        for entry in &page {
            if let ListedObject::Object { key, .. } = entry {
                object(reader, writer, bucket, key).await?;
            }
        }
    }
    Ok(())
}

async fn object(
    reader: &Reader,
    writer: &mut Writer,
    bucket: &Bucket,
    key: &ObjectKey,
) -> Result<(), Ended> {
    let resource = OfObject {
        bucket: bucket.name.clone(),
        key: key.clone(),
    };
    let export = reader.permit::<ExportOrganization>(InOrganization).await?;
    let read = reader
        .drive
        .get(export.object(resource), ReadRequest::default());
    let (selection, mut bytes) = match read.await {
        Ok((read, _)) => read,
        // Deleted since it was listed.
        Err(DriveError::NoSuchBucket | DriveError::NoSuchKey) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let info = &selection.info;
    let name = entry_name(&format!("drive/{}", bucket.name), key.as_str());
    writer.begin(name, info.size).await?;
    while let Some(piece) = bytes.next().await.map_err(failed)? {
        writer.piece(piece).await?;
    }
    writer.end().await?;
    let headers = &info.headers;
    let about = serde_json::json!({
        "bucket": bucket.name.to_string(),
        "key": key.as_str(),
        "size": info.size,
        "modified_at": rfc_3339(info.modified_ms),
        "content_type": headers.content_type,
        "cache_control": headers.cache_control,
        "content_disposition": headers.content_disposition,
        "content_encoding": headers.content_encoding,
        "content_language": headers.content_language,
        "expires": headers.expires,
        "metadata": headers.user,
    });
    let name = entry_name(&format!("metadata/{}", bucket.name), key.as_str());
    writer.json(format!("{name}.json"), &about).await
}

/// What the archive looks like: 2 has secrets, seats in teams and identities.
const FORMAT: u32 = 2;
/// How many values are held at a time: of 64 KiB at most.
const VALUES_AT_ONCE: usize = 16;
