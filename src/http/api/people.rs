use names::{InvitationId, PrincipalId, TeamId};

use super::ask::{Ask, done, made, shown, tagged};
use super::endpoint::Endpoint;
use super::people_view::{
    InvitationRequest, InvitationView, MemberChange, MemberView, NewInvitationView, TeamRequest,
    TeamSeatView, TeamView,
};
use super::problem::Problem;
use super::public::{email_of, label};
use super::route::{Audience, PAGED, Route};
use super::service::Api;
use super::view::PageView;
use crate::authz::{Action, ManagePeople, OfSubject, ReadPeople, SubjectKind};
use crate::http::pipeline::{Answer, Call};
use crate::tenancy::NewInvitation;

/// What is asked about members, invitations and teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum People {
    ListMembers,
    ShowMember,
    ChangeMember,
    RemoveMember,
    TransferOwnership,
    Invite,
    ListInvitations,
    RevokeInvitation,
    CreateTeam,
    ListTeams,
    ShowTeam,
    RenameTeam,
    DeleteTeam,
    ListTeamMembers,
    AddToTeam,
    RemoveFromTeam,
}

const fn reads(
    path: &'static str,
    id: &'static str,
    subject: SubjectKind,
    what: People,
    summary: &'static str,
) -> Route {
    let endpoint = Endpoint::People(what);
    Route::get(path, id, Audience::Organization, endpoint, summary)
        .does(ReadPeople::NAME, Some(subject))
}

const fn writes(route: Route, subject: SubjectKind) -> Route {
    route.does(ManagePeople::NAME, Some(subject))
}

pub(super) const ROUTES: &[Route] = &[
    reads(
        "/organizations/{org}/members",
        "ListMembers",
        SubjectKind::Member,
        People::ListMembers,
        "Lists members.",
    )
    .asks(PAGED)
    .gives::<PageView<MemberView>>(),
    reads(
        "/organizations/{org}/members/{member}",
        "GetMember",
        SubjectKind::Member,
        People::ShowMember,
        "Shows a member.",
    )
    .gives::<MemberView>(),
    writes(
        Route::patch(
            "/organizations/{org}/members/{member}",
            "ChangeMember",
            Audience::Organization,
            Endpoint::People(People::ChangeMember),
            "Gives a member another role, none above the caller's own.",
        ),
        SubjectKind::Member,
    )
    .takes::<MemberChange>()
    .gives::<MemberView>(),
    writes(
        Route::delete(
            "/organizations/{org}/members/{member}",
            "RemoveMember",
            Audience::Organization,
            Endpoint::People(People::RemoveMember),
            "Ends a membership. The last owner stays.",
        ),
        SubjectKind::Member,
    ),
    writes(
        Route::post(
            "/organizations/{org}/members/{member}/transfer-ownership",
            "TransferOwnership",
            Audience::Organization,
            Endpoint::People(People::TransferOwnership),
            "Makes a member the owner in the caller's place, who becomes an admin.",
        ),
        SubjectKind::Member,
    )
    .gives::<MemberView>(),
    reads(
        "/organizations/{org}/invitations",
        "ListInvitations",
        SubjectKind::Invitation,
        People::ListInvitations,
        "Lists invitations that were not accepted yet.",
    )
    .asks(PAGED)
    .gives::<PageView<InvitationView>>(),
    writes(
        Route::post(
            "/organizations/{org}/invitations",
            "Invite",
            Audience::Organization,
            Endpoint::People(People::Invite),
            "Invites an e-mail address; the token is shown this once.",
        ),
        SubjectKind::Invitation,
    )
    .takes::<InvitationRequest>()
    .makes::<NewInvitationView<'static>>(),
    writes(
        Route::delete(
            "/organizations/{org}/invitations/{invitation}",
            "RevokeInvitation",
            Audience::Organization,
            Endpoint::People(People::RevokeInvitation),
            "Takes an invitation back.",
        ),
        SubjectKind::Invitation,
    ),
    reads(
        "/organizations/{org}/teams",
        "ListTeams",
        SubjectKind::Team,
        People::ListTeams,
        "Lists teams.",
    )
    .asks(PAGED)
    .gives::<PageView<TeamView>>(),
    writes(
        Route::post(
            "/organizations/{org}/teams",
            "CreateTeam",
            Audience::Organization,
            Endpoint::People(People::CreateTeam),
            "Makes a team.",
        ),
        SubjectKind::Team,
    )
    .takes::<TeamRequest>()
    .makes::<TeamView>(),
    reads(
        "/organizations/{org}/teams/{team}",
        "GetTeam",
        SubjectKind::Team,
        People::ShowTeam,
        "Shows a team.",
    )
    .gives::<TeamView>(),
    writes(
        Route::patch(
            "/organizations/{org}/teams/{team}",
            "RenameTeam",
            Audience::Organization,
            Endpoint::People(People::RenameTeam),
            "Calls a team something else.",
        ),
        SubjectKind::Team,
    )
    .takes::<TeamRequest>()
    .gives::<TeamView>(),
    writes(
        Route::delete(
            "/organizations/{org}/teams/{team}",
            "DeleteTeam",
            Audience::Organization,
            Endpoint::People(People::DeleteTeam),
            "Deletes a team with its grants.",
        ),
        SubjectKind::Team,
    ),
    reads(
        "/organizations/{org}/teams/{team}/members",
        "ListTeamMembers",
        SubjectKind::Team,
        People::ListTeamMembers,
        "Lists the members and agents of a team.",
    )
    .gives::<PageView<TeamSeatView>>(),
    writes(
        Route::put(
            "/organizations/{org}/teams/{team}/members/{principal}",
            "AddToTeam",
            Audience::Organization,
            Endpoint::People(People::AddToTeam),
            "Puts a member or an agent into a team.",
        ),
        SubjectKind::Team,
    ),
    writes(
        Route::delete(
            "/organizations/{org}/teams/{team}/members/{principal}",
            "RemoveFromTeam",
            Audience::Organization,
            Endpoint::People(People::RemoveFromTeam),
            "Takes a member or an agent out of a team.",
        ),
        SubjectKind::Team,
    ),
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: People,
) -> Result<Answer, Problem> {
    let tenancy = &api.tenancy;
    let all = OfSubject::all;
    let one = |kind: SubjectKind, name: &str| OfSubject::one(kind, ask.segment(name));
    match what {
        People::ListMembers => {
            let page = ask.page(|after| after.parse::<PrincipalId>().ok())?;
            let permit = call.permit::<ReadPeople>(all(SubjectKind::Member))?;
            let found = tenancy.members(permit, page.after, page.max()).await?;
            let (found, next) = page.cut(found, |member| member.principal.to_string());
            let items = found.iter().map(MemberView::from).collect();
            shown(&PageView { items, next })
        }
        People::ShowMember => {
            let permit = call.permit::<ReadPeople>(one(SubjectKind::Member, "member"))?;
            let member = tenancy.member(permit).await?;
            tagged(&MemberView::from(&member), member.etag)
        }
        People::ChangeMember => {
            let MemberChange { role } = ask.json()?;
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Member, "member"))?;
            let etag = ask.if_match()?;
            let member = tenancy.change_role(permit, role.into(), etag).await?;
            tagged(&MemberView::from(&member), member.etag)
        }
        People::RemoveMember => {
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Member, "member"))?;
            tenancy.remove_member(permit, ask.if_match()?).await?;
            Ok(done())
        }
        People::TransferOwnership => {
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Member, "member"))?;
            let member = tenancy.transfer_ownership(permit).await?;
            tagged(&MemberView::from(&member), member.etag)
        }
        People::Invite => {
            let InvitationRequest { email, role } = ask.json()?;
            let permit = call.permit::<ManagePeople>(all(SubjectKind::Invitation))?;
            let email = email_of(&email)?;
            let invited = tenancy.invite(permit, &email, role.into(), None).await?;
            call.made(
                OfSubject::one(SubjectKind::Invitation, invited.invitation.id.to_string())
                    .to_string(),
            );
            made(&invitation_view(&invited))
        }
        People::ListInvitations => {
            let page = ask.page(|after| after.parse::<InvitationId>().ok())?;
            let permit = call.permit::<ReadPeople>(all(SubjectKind::Invitation))?;
            let found = tenancy.invitations(permit, page.after, page.max()).await?;
            let (found, next) = page.cut(found, |invitation| invitation.id.to_string());
            let items = found.iter().map(InvitationView::from).collect();
            shown(&PageView { items, next })
        }
        People::RevokeInvitation => {
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Invitation, "invitation"))?;
            tenancy.revoke_invitation(permit).await?;
            Ok(done())
        }
        People::CreateTeam => {
            let TeamRequest { name } = ask.json()?;
            let permit = call.permit::<ManagePeople>(all(SubjectKind::Team))?;
            let team = tenancy.create_team(permit, &label(&name, "name")?).await?;
            call.made(OfSubject::one(SubjectKind::Team, team.id.to_string()).to_string());
            made(&TeamView::from(&team))
        }
        People::ListTeams => {
            let page = ask.page(|after| after.parse::<TeamId>().ok())?;
            let permit = call.permit::<ReadPeople>(all(SubjectKind::Team))?;
            let found = tenancy.teams(permit, page.after, page.max()).await?;
            let (found, next) = page.cut(found, |team| team.id.to_string());
            let items = found.iter().map(TeamView::from).collect();
            shown(&PageView { items, next })
        }
        People::ShowTeam => {
            let permit = call.permit::<ReadPeople>(one(SubjectKind::Team, "team"))?;
            let (team, _) = tenancy.team(permit).await?;
            tagged(&TeamView::from(&team), team.etag)
        }
        People::ListTeamMembers => {
            let permit = call.permit::<ReadPeople>(one(SubjectKind::Team, "team"))?;
            let (_, seats) = tenancy.team(permit).await?;
            let items = seats
                .iter()
                .map(|principal| TeamSeatView {
                    principal: principal.to_string(),
                })
                .collect();
            shown(&PageView { items, next: None })
        }
        People::RenameTeam => {
            let TeamRequest { name } = ask.json()?;
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Team, "team"))?;
            let etag = ask.if_match()?;
            let team = tenancy
                .rename_team(permit, &label(&name, "name")?, etag)
                .await?;
            tagged(&TeamView::from(&team), team.etag)
        }
        People::DeleteTeam => {
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Team, "team"))?;
            tenancy.delete_team(permit, ask.if_match()?).await?;
            Ok(done())
        }
        People::AddToTeam => {
            let principal = ask.id::<PrincipalId>("principal", "principal")?;
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Team, "team"))?;
            tenancy.add_to_team(permit, principal).await?;
            Ok(done())
        }
        People::RemoveFromTeam => {
            let principal = ask.id::<PrincipalId>("principal", "principal")?;
            let permit = call.permit::<ManagePeople>(one(SubjectKind::Team, "team"))?;
            tenancy.remove_from_team(permit, principal).await?;
            Ok(done())
        }
    }
}

/// An invitation with its token.
pub(super) fn invitation_view(invited: &NewInvitation) -> NewInvitationView<'_> {
    NewInvitationView {
        invitation: InvitationView::from(&invited.invitation),
        token: &invited.token,
    }
}
