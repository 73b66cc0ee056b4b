use http::HeaderValue;
use http::header::CONTENT_TYPE;
use names::OrgId;

use super::ask::{Ask, made, shown, time_ms};
use super::billing_view::{BalanceView, CreditRequest, LineView, StatementView};
use super::endpoint::Endpoint;
use super::once::REPLAYED;
use super::operator::slug;
use super::problem::Problem;
use super::public::label;
use super::route::{Audience, PAGED, Route};
use super::service::Api;
use super::view::{PageView, rfc_3339};
use crate::authz::{Action, InOrganization, Permit, ReadUsage, read_usage_as_operator};
use crate::http::pipeline::{Answer, Call, Content};
use crate::metering::{CreditError, Month, NewGrant, Statement};
use crate::ops::{Act, CreditActError};

/// What is asked about credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Billing {
    Grant,
    Balance,
    Ledger,
    Statement,
    StatementCsv,
}

pub(super) const ROUTES: &[Route] = &[
    Route::post(
        "/organizations/{org}/credits",
        "GrantCredit",
        Audience::Operator,
        Endpoint::Billing(Billing::Grant),
        "Grants credit, and pays with it what is owed; once for each reference.",
    )
    .takes::<CreditRequest>()
    .makes::<LineView>(),
    Route::get(
        "/organizations/{org}/credits",
        "GetCredit",
        Audience::OperatorOrOrganization,
        Endpoint::Billing(Billing::Balance),
        "Shows what is left of credit, and what is owed.",
    )
    .does(ReadUsage::NAME, None)
    .gives::<BalanceView>(),
    Route::get(
        "/organizations/{org}/ledger",
        "ListLedger",
        Audience::OperatorOrOrganization,
        Endpoint::Billing(Billing::Ledger),
        "Lists the lines of the credit ledger, whose sum is the balance.",
    )
    .does(ReadUsage::NAME, None)
    .asks(PAGED)
    .gives::<PageView<LineView>>(),
    Route::get(
        "/organizations/{org}/statements/{month}",
        "GetStatement",
        Audience::OperatorOrOrganization,
        Endpoint::Billing(Billing::Statement),
        "Shows what was granted, charged and ended in a month, which adds up to the ledger.",
    )
    .does(ReadUsage::NAME, None)
    .gives::<StatementView>(),
    Route::get(
        "/organizations/{org}/statements/{month}/csv",
        "ExportStatement",
        Audience::OperatorOrOrganization,
        Endpoint::Billing(Billing::StatementCsv),
        "Exports the lines of a month's statement as CSV (RFC 4180).",
    )
    .does(ReadUsage::NAME, None)
    .streams("text/csv"),
];

/// What a member or agent asks.
pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Billing,
) -> Result<Answer, Problem> {
    let permit = call.permit::<ReadUsage>(InOrganization)?;
    answer_reader(api, &permit, ask, what).await
}

/// What the operator asks.
pub(super) async fn answer_operator(
    api: &Api,
    act: &Act<'_>,
    ask: &Ask,
    what: Billing,
) -> Result<Answer, Problem> {
    if what == Billing::Grant {
        let grant = grant(ask.json()?)?;
        let (line, is_new) = api
            .administration
            .grant_credit(act, &api.credits, &slug(ask)?, grant)
            .await?;
        let view = LineView::from(&line);
        let mut answer = made(&view)?;
        if !is_new {
            let headers = answer.head.headers_mut();
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        return Ok(answer);
    }
    let found = api.administration.organization(act, &slug(ask)?).await?;
    let permit = read_usage_as_operator(act.operator, found.org);
    answer_reader(api, &permit, ask, what).await
}

async fn answer_reader(
    api: &Api,
    permit: &Permit<ReadUsage>,
    ask: &Ask,
    what: Billing,
) -> Result<Answer, Problem> {
    match what {
        Billing::Grant => Err(Problem::not_for_you("this is for the platform's operator")),
        Billing::Balance => {
            let terms = api.tenancy.own_terms(permit).await?;
            let balance = api.credits.balance(permit, &terms).await?;
            shown(&BalanceView::from(&balance))
        }
        Billing::Ledger => {
            let page = ask.page(|after| after.parse::<u64>().ok())?;
            let after = page.after.unwrap_or(0);
            let found = api.credits.lines(permit, after, page.max()).await?;
            let (found, next) = page.cut(found, |line| line.number.to_string());
            shown(&PageView {
                items: found.iter().map(LineView::from).collect(),
                next,
            })
        }
        Billing::Statement => shown(&StatementView::from(&statement(api, permit, ask).await?)),
        Billing::StatementCsv => {
            let statement = statement(api, permit, ask).await?;
            Ok(csv(statement_csv(permit.org(), &statement)))
        }
    }
}

async fn statement(api: &Api, permit: &Permit<ReadUsage>, ask: &Ask) -> Result<Statement, Problem> {
    let month: Month = ask.id("month", "statement")?;
    Ok(api.credits.statement(permit, month).await?)
}

fn grant(request: CreditRequest) -> Result<NewGrant, Problem> {
    let CreditRequest {
        units,
        priority,
        expires_at,
        reason,
        reference,
    } = request;
    let text = |text: String, field| -> Result<String, Problem> {
        Ok(label(&text, field)?.as_str().to_owned())
    };
    let expires_ms = expires_at.map(|text| {
        time_ms(&text)
            .ok_or_else(|| Problem::invalid("a time is written as in RFC 3339").at("expires_at"))
    });
    Ok(NewGrant {
        units,
        priority,
        expires_ms: expires_ms.transpose()?,
        reason: text(reason, "reason")?,
        reference: reference
            .map(|reference| text(reference, "reference"))
            .transpose()?,
    })
}

/// One row for each line of the ledger. Every field is a number, a time or a word of ours: none has
/// to be quoted, and none is taken for a formula.
fn statement_csv(org: OrgId, statement: &Statement) -> String {
    let mut text = String::from(
        "organization,month,number,at,kind,meter,quantity,due_units,amount_units,balance_units,\
         owed_units\r\n",
    );
    for line in &statement.lines {
        let view = LineView::from(line);
        let head = format!(
            "{org},{},{},{},{}",
            statement.month,
            line.number,
            rfc_3339(line.at_ms),
            view.kind.as_str()
        );
        // What was used comes first; the line itself, with what it does to the balance, last.
        for charged in &view.charged {
            let (meter, quantity, units) = (charged.meter, charged.quantity, charged.units);
            text.push_str(&format!("{head},{meter},{quantity},{units},,,\r\n"));
        }
        let (amount, balance, owed) = (line.amount, line.balance, line.owed);
        text.push_str(&format!("{head},,,,{amount},{balance},{owed}\r\n"));
    }
    text
}

/// 200 with CSV.
pub(super) fn csv(text: String) -> Answer {
    let mut answer = Answer::empty(http::StatusCode::OK);
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    answer.head.headers_mut().insert(CONTENT_TYPE, kind);
    answer.content = Content::Whole(text.into());
    answer
}

impl From<CreditError> for Problem {
    fn from(error: CreditError) -> Self {
        use http::StatusCode;
        let text = error.to_string();
        match error {
            CreditError::Invalid(_) => Self::invalid(text),
            CreditError::ReferenceUsed => {
                Self::new(StatusCode::CONFLICT, "reference-used", text).at("reference")
            }
            CreditError::Changed => Self::new(StatusCode::CONFLICT, "changed-meanwhile", text),
            CreditError::Unavailable(cause) => Self::unavailable(cause),
            CreditError::Damaged(what) => Self::damaged(what),
        }
    }
}

impl From<CreditActError> for Problem {
    fn from(error: CreditActError) -> Self {
        match error {
            CreditActError::Administration(error) => error.into(),
            CreditActError::Credit(error) => error.into(),
        }
    }
}
