//! The export of an organization: a tar archive of all that it has, decrypted.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use names::{KeyPrefix, ObjectKey};
use serde::Serialize;
use tokio::sync::mpsc;

use super::problem::Problem;
use super::service::Api;
use super::view::{
    AgentRecordView, AgentView, GrantView, HourUsageView, InvitationView, MemberView, ProfileView,
    TaskView, TeamView, rfc_3339,
};
use crate::audit::{ActivityQuery, ActivityReader, Order};
use crate::authz::{
    Action, Caller, ExportOrganization, InOrganization, ListBuckets, OfObject, OfSubject, Permit,
    ReadActivity, ReadAgents, ReadGrants, ReadPeople, ReadUsage, SubjectKind, UnderPrefix,
    authorize,
};
use crate::drive::{Bucket, Drive, DriveError, ListRequest, ListStart, ListedObject, ReadRequest};
use crate::http::pipeline::{Answer, Call, Content, DoorError, Fault};
use crate::metering::Metering;
use crate::ops::{Archive, WrongSize, entry_name};
use crate::tenancy::{Agent, GrantFilter, Tenancy};

/// Streams the archive. What is not what was written breaks the answer off: an archive is whole or
/// shows that it is not.
pub(super) fn export(
    api: &Api,
    call: &Call,
    permit: Permit<ExportOrganization>,
) -> Result<Answer, Problem> {
    let (pieces, taken) = mpsc::channel(PIECES_AHEAD);
    let exporter = Exporter {
        tenancy: Arc::clone(&api.tenancy),
        drive: Arc::clone(&api.drive),
        metering: Arc::clone(&api.metering),
        activity: Arc::clone(&api.activity),
        caller: call.caller().clone(),
        archive: Archive::new(call.now_ms()),
        pieces,
    };
    tokio::spawn(exporter.run(permit));
    let mut answer = Answer::empty(StatusCode::OK);
    let headers = answer.head.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    let attachment = HeaderValue::from_static("attachment; filename=\"organization.tar\"");
    headers.insert(CONTENT_DISPOSITION, attachment);
    let pieces = stream::unfold(taken, |mut taken| async move {
        let piece = match taken.recv().await {
            Some(Ok(Some(bytes))) => Ok(bytes),
            Some(Ok(None)) => return None,
            Some(Err(fault)) => Err(fault),
            None => Err(Fault::Operator("an export ended before its end".to_owned())),
        };
        Some((piece, taken))
    });
    answer.content = Content::Open {
        pieces: Box::pin(pieces),
    };
    Ok(answer)
}

/// Writes an archive for a caller, whose rights are looked at again with every page: who loses
/// them in the middle gets no whole archive.
struct Exporter {
    tenancy: Arc<Tenancy>,
    drive: Arc<Drive>,
    metering: Arc<Metering>,
    activity: Arc<ActivityReader>,
    caller: Caller,
    archive: Archive,
    pieces: mpsc::Sender<Result<Option<Bytes>, Fault>>,
}

/// Why an export ended before its end.
enum Ended {
    /// Nobody takes it any more.
    Unheard,
    Failed(Fault),
}

impl<E: Into<Problem>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into().fault().clone())
    }
}

impl Exporter {
    async fn run(mut self, permit: Permit<ExportOrganization>) {
        let ended = match self.write(&permit).await {
            Ok(()) => {
                let archive = std::mem::replace(&mut self.archive, Archive::new(0));
                match self.send(archive.close()).await {
                    // Whoever takes it waits for this: without it, it was cut.
                    Ok(()) => self.pieces.send(Ok(None)).await.map_err(|_| Ended::Unheard),
                    ended => ended,
                }
            }
            Err(ended) => Err(ended),
        };
        if let Err(Ended::Failed(fault)) = ended {
            // Nobody is left to be told.
            let _unheard = self.pieces.send(Err(fault)).await;
        }
    }

    async fn write(&mut self, permit: &Permit<ExportOrganization>) -> Result<(), Ended> {
        let org = permit.org();
        let about = serde_json::json!({ "format": 1, "organization": org.to_string() });
        self.whole("organization.json".to_owned(), &about).await?;
        self.records().await?;
        self.log().await?;
        self.files().await
    }

    async fn records(&mut self) -> Result<(), Ended> {
        let tenancy = Arc::clone(&self.tenancy);
        let profile = tenancy.profile(self.permit(InOrganization).await?).await?;
        self.whole(
            "records/profile.json".to_owned(),
            &ProfileView::from(&profile),
        )
        .await?;
        let subjects = OfSubject::all;
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self
                .permit::<ReadPeople>(subjects(SubjectKind::Member))
                .await?;
            let page = tenancy.members(permit, after, PAGE).await?;
            self.page("members", page_number, page.iter().map(MemberView::from))
                .await?;
            after = page.last().map(|member| member.principal);
            page_number += 1;
            if page.len() < PAGE as usize {
                break;
            }
        }
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self
                .permit::<ReadPeople>(subjects(SubjectKind::Invitation))
                .await?;
            let page = tenancy.invitations(permit, after, PAGE).await?;
            self.page(
                "invitations",
                page_number,
                page.iter().map(InvitationView::from),
            )
            .await?;
            after = page.last().map(|invitation| invitation.id);
            page_number += 1;
            if page.len() < PAGE as usize {
                break;
            }
        }
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self
                .permit::<ReadPeople>(subjects(SubjectKind::Team))
                .await?;
            let page = tenancy.teams(permit, after, PAGE).await?;
            self.page("teams", page_number, page.iter().map(TeamView::from))
                .await?;
            after = page.last().map(|team| team.id);
            page_number += 1;
            if page.len() < PAGE as usize {
                break;
            }
        }
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self
                .permit::<ReadGrants>(subjects(SubjectKind::Grant))
                .await?;
            let page = tenancy
                .grants(permit, GrantFilter::Any, after, PAGE)
                .await?;
            self.page("grants", page_number, page.iter().map(GrantView::from))
                .await?;
            after = page.last().map(|grant| grant.id);
            page_number += 1;
            if page.len() < PAGE as usize {
                break;
            }
        }
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self
                .permit::<ReadAgents>(subjects(SubjectKind::Agent))
                .await?;
            let page = tenancy.agents(permit, after, PAGE).await?;
            self.page("agents", page_number, page.iter().map(AgentView::from))
                .await?;
            for agent in &page {
                self.agent(agent).await?;
            }
            after = page.last().map(|agent| agent.id);
            page_number += 1;
            if page.len() < PAGE as usize {
                break;
            }
        }
        let permit = self.permit::<ReadUsage>(InOrganization).await?;
        let hours = self
            .metering
            .usage(permit, 0, i64::MAX.unsigned_abs())
            .await?;
        self.page("usage", 0, hours.iter().map(HourUsageView::from))
            .await
    }

    /// What an agent keeps, and its task history.
    async fn agent(&mut self, agent: &Agent) -> Result<(), Ended> {
        let tenancy = Arc::clone(&self.tenancy);
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self
                .permit::<ExportOrganization>(InOrganization)
                .await?
                .home(agent.id);
            let page = tenancy.agent_records(permit, None, after, PAGE).await?;
            let folder = format!("agents/{}/context", agent.id);
            self.page(
                &folder,
                page_number,
                page.items.iter().map(AgentRecordView::from),
            )
            .await?;
            page_number += 1;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self
                .permit::<ExportOrganization>(InOrganization)
                .await?
                .home(agent.id);
            let until = i64::MAX.unsigned_abs();
            let page = tenancy.tasks(permit, 0, until, after, PAGE).await?;
            let folder = format!("agents/{}/tasks", agent.id);
            self.page(&folder, page_number, page.items.iter().map(TaskView::from))
                .await?;
            page_number += 1;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// The activity log, oldest first. A segment that is not what was written ends the export.
    async fn log(&mut self) -> Result<(), Ended> {
        let query = ActivityQuery {
            order: Order::OldestFirst,
            ..ActivityQuery::default()
        };
        let (mut after, mut page_number) = (None, 0);
        loop {
            let permit = self.permit::<ReadActivity>(InOrganization).await?;
            let activity = Arc::clone(&self.activity);
            let page = activity.page(permit, &query, after, PAGE as usize).await?;
            if let Some(illegible) = page.illegible.first() {
                return Err(Ended::Failed(Fault::Damaged(illegible.to_string())));
            }
            let mut lines = Vec::new();
            for logged in page.logged() {
                lines.extend_from_slice(logged.json().as_bytes());
                lines.push(b'\n');
            }
            self.lines("activity", page_number, &lines).await?;
            page_number += 1;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn files(&mut self) -> Result<(), Ended> {
        let drive = Arc::clone(&self.drive);
        let mut after: Option<String> = None;
        loop {
            let permit = self.permit::<ListBuckets>(InOrganization).await?;
            let listed = drive.list_buckets(permit, "", after.as_deref(), PAGE).await;
            let ((buckets, is_truncated), _) = listed.map_err(failed)?;
            for bucket in &buckets {
                self.bucket(bucket).await?;
            }
            after = buckets.last().map(|bucket| bucket.name.to_string());
            if !is_truncated {
                return Ok(());
            }
        }
    }

    async fn bucket(&mut self, bucket: &Bucket) -> Result<(), Ended> {
        let about = serde_json::json!({
            "bucket": bucket.name.to_string(),
            "created_at": rfc_3339(bucket.created_ms),
        });
        self.whole(format!("buckets/{}.json", bucket.name), &about)
            .await?;
        let drive = Arc::clone(&self.drive);
        let mut start = ListStart::Beginning;
        loop {
            let resource = UnderPrefix {
                bucket: bucket.name.clone(),
                prefix: KeyPrefix::default(),
            };
            let export = self.permit::<ExportOrganization>(InOrganization).await?;
            let permit = export.listing(resource);
            let request = ListRequest {
                delimiter: None,
                start,
                max: PAGE,
            };
            let (page, _) = drive.list(permit, request).await.map_err(failed)?;
            for entry in &page.entries {
                if let ListedObject::Object { key, .. } = entry {
                    self.object(bucket, key).await?;
                }
            }
            match page.next_token {
                Some(token) if page.is_truncated => start = ListStart::Token(token),
                _ => return Ok(()),
            }
        }
    }

    async fn object(&mut self, bucket: &Bucket, key: &ObjectKey) -> Result<(), Ended> {
        let resource = OfObject {
            bucket: bucket.name.clone(),
            key: key.clone(),
        };
        let export = self.permit::<ExportOrganization>(InOrganization).await?;
        let permit = export.object(resource);
        let drive = Arc::clone(&self.drive);
        let (selection, mut reader) = match drive.get(permit, ReadRequest::default()).await {
            Ok((read, _)) => read,
            // Deleted since it was listed.
            Err(DriveError::NoSuchKey) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let info = &selection.info;
        let name = entry_name(&format!("drive/{}", bucket.name), key.as_str());
        let head = self.archive.begin(name, info.size);
        self.send(head).await?;
        while let Some(piece) = reader.next().await.map_err(failed)? {
            self.archive.count(&piece);
            self.send(piece).await?;
        }
        let end = self.archive.end().map_err(wrong)?;
        self.send(end).await?;
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
        self.whole(format!("{name}.json"), &about).await
    }

    /// Leave to read something, by the rights that the caller has now.
    async fn permit<A: Action>(&self, resource: A::Resource) -> Result<Permit<A>, Ended> {
        let standing = self.tenancy.standing(&self.caller).await?;
        let rights = self.tenancy.rights(&self.caller).await?;
        Ok(authorize(&self.caller, &rights, standing, resource)?)
    }

    async fn page<V: Serialize>(
        &mut self,
        folder: &str,
        number: u32,
        views: impl Iterator<Item = V>,
    ) -> Result<(), Ended> {
        let mut lines = Vec::new();
        for view in views {
            serde_json::to_writer(&mut lines, &view).map_err(Problem::internal)?;
            lines.push(b'\n');
        }
        self.lines(&format!("records/{folder}"), number, &lines)
            .await
    }

    /// A file of JSON lines; none, if there are none.
    async fn lines(&mut self, folder: &str, number: u32, lines: &[u8]) -> Result<(), Ended> {
        if lines.is_empty() {
            return Ok(());
        }
        let name = format!("{folder}/{:08}.jsonl", number + 1);
        let bytes = self.archive.whole(name, lines).map_err(wrong)?;
        self.send(bytes).await
    }

    async fn whole(&mut self, name: String, value: &impl Serialize) -> Result<(), Ended> {
        let bytes = serde_json::to_vec(value).map_err(Problem::internal)?;
        let bytes = self.archive.whole(name, &bytes).map_err(wrong)?;
        self.send(bytes).await
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Ended> {
        match bytes.is_empty() {
            true => Ok(()),
            false => self
                .pieces
                .send(Ok(Some(bytes)))
                .await
                .map_err(|_| Ended::Unheard),
        }
    }
}

fn wrong(error: WrongSize) -> Ended {
    Ended::Failed(Fault::Damaged(error.to_string()))
}

fn failed(error: DriveError) -> Ended {
    Ended::Failed(match error {
        DriveError::Damaged(what) => Fault::Damaged(what),
        other => Fault::Operator(other.to_string()),
    })
}

/// How many rows a page has.
const PAGE: u32 = 500;
/// How many pieces are made before they are taken.
const PIECES_AHEAD: usize = 2;
