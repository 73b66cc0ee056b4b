use percent_encoding::percent_decode_str;

use super::error::Problem;

/// Which page of a list is asked for: `?after=<cursor>&limit=<1 to 1000>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page<C> {
    /// Where the page begins: after this one.
    pub(super) after: Option<C>,
    /// How many at most.
    pub(super) limit: u32,
}

impl<C> Page<C> {
    /// Reads a query. What is not known or given twice is refused: a limit that was misspelled
    /// would otherwise be taken for none.
    pub(super) fn of(
        query: Option<&str>,
        cursor: impl Fn(&str) -> Option<C>,
    ) -> Result<Self, Problem> {
        let (mut after, mut limit) = (None, None);
        let parameters = query.unwrap_or_default().split('&');
        for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            let is_repeated = match name {
                "after" => after
                    .replace(
                        cursor(&value)
                            .ok_or_else(|| Problem::invalid("`after` is the `next` of a page"))?,
                    )
                    .is_some(),
                "limit" => limit
                    .replace(
                        value
                            .parse()
                            .ok()
                            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                            .ok_or_else(|| Problem::invalid("`limit` is 1 to 1000"))?,
                    )
                    .is_some(),
                _ => return Err(Problem::invalid("the query takes `after` and `limit`")),
            };
            if is_repeated {
                return Err(Problem::invalid("a parameter of the query is given twice"));
            }
        }
        Ok(Self {
            after,
            limit: limit.unwrap_or(LIMIT_DEFAULT),
        })
    }

    /// How many to read: one more than are shown, which tells whether there is a next page.
    pub(super) fn max(&self) -> u32 {
        self.limit + 1
    }

    /// Keeps what belongs to the page; the name of its last one is the cursor of the next.
    pub(super) fn cut<T>(
        &self,
        mut all: Vec<T>,
        name: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| has_more).map(name);
        (all, next)
    }
}

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1000;
