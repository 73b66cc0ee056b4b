use wire::secrets_manager::{
    ErrorCode, ListSecretVersionIds, UpdateSecretVersionStage, VersionAnswer, VersionsAnswer,
    seconds,
};

use super::answer;
use super::asking::Asking;
use super::error::SecretsError;
use crate::authz::Receipt;
use crate::http::pipeline::Answer;
use crate::vault::{StageMove, VersionInfo};

/// ListSecretVersionIds: the oldest first.
pub(super) async fn list(
    asking: Asking<'_>,
    which: ListSecretVersionIds,
) -> Result<Answer, SecretsError> {
    let after: u64 = match &which.next {
        None => 0,
        Some(token) => token.parse().map_err(|_| {
            SecretsError::new(
                ErrorCode::InvalidNextToken,
                "The NextToken is not one of this listing.",
            )
        })?,
    };
    let permit = asking.permit(&which.id).await?;
    let secret = asking.vault().describe(permit).await?;
    let is_listed = |version: &&VersionInfo| {
        version.number > after && (which.with_deprecated || !version.stages.is_empty())
    };
    let mut found = secret.versions.iter().filter(is_listed).peekable();
    let max = which.max.unwrap_or(PAGE_MAX);
    let shown: Vec<_> = found.by_ref().take(max).collect();
    let last = shown.last().filter(|_| found.peek().is_some());
    let document = VersionsAnswer {
        secret: asking.named(&secret),
        next_token: last.map(|last| last.number.to_string()),
        versions: shown
            .into_iter()
            .map(|version| VersionAnswer {
                version_id: version.name.clone(),
                version_stages: version.stages.clone(),
                created_date: seconds(version.created_ms),
            })
            .collect(),
    };
    answer::document(asking.call, &document, Receipt::default())
}

/// UpdateSecretVersionStage.
pub(super) async fn move_stage(
    asking: Asking<'_>,
    wanted: UpdateSecretVersionStage,
) -> Result<Answer, SecretsError> {
    let permit = asking.permit(&wanted.id).await?;
    let wanted = StageMove {
        stage: wanted.stage,
        from: wanted.from,
        to: wanted.to,
    };
    let secret = asking.vault().move_stage(permit, &wanted).await?;
    answer::document(asking.call, &asking.named(&secret), Receipt::default())
}

/// As Amazon bounds a page, also of who asks for none.
const PAGE_MAX: usize = 100;
