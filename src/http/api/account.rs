use names::OrgId;
use zeroize::Zeroizing;

use super::account_view::{AccountChange, AccountView, SeatView, SelfView, SessionView, Switch};
use super::ask::{Ask, done, shown, tagged};
use super::endpoint::Endpoint;
use super::people_view::Acceptance;
use super::problem::Problem;
use super::public::{chosen, label, session_view};
use super::route::{Audience, PAGED, Route};
use super::service::Api;
use super::view::PageView;
use crate::authz::{InOrganization, ShowSelf, Subject};
use crate::http::pipeline::{Answer, Call};
use crate::tenancy::{Password, SignedIn};

/// What an account does with its session, and what any credential may ask of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    ShowSelf,
    Show,
    Change,
    ListOrganizations,
    Switch,
    LogOut,
    AcceptInvitation,
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/self",
        "GetSelf",
        Audience::Account,
        Endpoint::Account(Account::ShowSelf),
        "Shows who the caller is.",
    )
    .gives::<SelfView>(),
    Route::get(
        "/account",
        "GetAccount",
        Audience::Account,
        Endpoint::Account(Account::Show),
        "Shows the account.",
    )
    .gives::<AccountView>(),
    Route::patch(
        "/account",
        "ChangeAccount",
        Audience::Account,
        Endpoint::Account(Account::Change),
        "Changes the account's name or password; a new password ends its other sessions.",
    )
    .takes::<AccountChange>()
    .gives::<AccountView>(),
    Route::get(
        "/account/organizations",
        "ListAccountOrganizations",
        Audience::Account,
        Endpoint::Account(Account::ListOrganizations),
        "Lists the organizations that the account is a member of.",
    )
    .asks(PAGED)
    .gives::<PageView<SeatView>>(),
    Route::post(
        "/sessions/switch",
        "SwitchOrganization",
        Audience::Account,
        Endpoint::Account(Account::Switch),
        "Begins a session of the account in another of its organizations.",
    )
    .takes::<Switch>()
    .makes::<SessionView<'static>>(),
    Route::delete(
        "/sessions/current",
        "LogOut",
        Audience::Account,
        Endpoint::Account(Account::LogOut),
        "Ends the session.",
    ),
    Route::post(
        "/invitations/accept",
        "AcceptInvitation",
        Audience::Account,
        Endpoint::Account(Account::AcceptInvitation),
        "Accepts an invitation for the account's address.",
    )
    .takes::<Acceptance>(),
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Account,
) -> Result<Answer, Problem> {
    if what == Account::ShowSelf {
        return show_self(call);
    }
    let signed_in = SignedIn::of(call.caller());
    let signed_in =
        signed_in.ok_or_else(|| Problem::not_for_you("this takes an account's session"))?;
    match what {
        Account::ShowSelf | Account::Show => {
            let account = api.tenancy.account(&signed_in).await?;
            tagged(&AccountView::from(&account), account.etag)
        }
        Account::Change => {
            let AccountChange {
                name,
                password,
                current_password,
            } = ask.json()?;
            let current = current_password.map(|text| Password::present(Zeroizing::new(text)));
            if let Some(password) = password {
                let password = chosen(password)?;
                api.tenancy
                    .change_password(&signed_in, current, password)
                    .await?;
            }
            if let Some(name) = name {
                let name = label(&name, "name")?;
                api.tenancy.rename_account(&signed_in, name).await?;
            }
            let account = api.tenancy.account(&signed_in).await?;
            tagged(&AccountView::from(&account), account.etag)
        }
        Account::ListOrganizations => {
            let page = ask.page(|after| after.parse::<OrgId>().ok())?;
            let seats = api
                .tenancy
                .seats(&signed_in, page.after, page.max())
                .await?;
            let (seats, next) = page.cut(seats, |seat| seat.org.to_string());
            shown(&PageView {
                items: seats.iter().map(SeatView::from).collect(),
                next,
            })
        }
        Account::Switch => {
            let Switch { organization } = ask.json()?;
            let org = api.seat_named(&signed_in, &organization).await?;
            let session = api.tenancy.switch(&signed_in, org).await?;
            call.admit_switch::<Problem>(&session.token).await?;
            session_view(&session)
        }
        Account::LogOut => {
            api.tenancy.log_out(&signed_in).await?;
            Ok(done())
        }
        Account::AcceptInvitation => {
            let Acceptance { token } = ask.json()?;
            let token = Zeroizing::new(token);
            api.tenancy.accept_invitation(&signed_in, &token).await?;
            Ok(done())
        }
    }
}

fn show_self(call: &Call) -> Result<Answer, Problem> {
    let caller = call.caller();
    call.permit::<ShowSelf>(InOrganization)?;
    let (kind, role) = match call.rights().subject {
        Subject::Organization => ("organization", None),
        Subject::Member { role, .. } => ("member", Some(role.into())),
        Subject::Agent => ("agent", None),
        Subject::Nobody => ("nobody", None),
    };
    shown(&SelfView {
        organization: caller.org().to_string(),
        principal: caller.principal().to_string(),
        kind: kind.to_owned(),
        role,
        credential: caller.credential().to_string(),
    })
}
