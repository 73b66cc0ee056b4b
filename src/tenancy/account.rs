use std::net::IpAddr;

use minicbor::bytes::ByteArray;
use minicbor::{CborLen, Decode, Encode};
use names::{AccountId, OrgId, Slug};

use super::attempts::{Counted, LOCKED_FOR, Source};
use super::email::Email;
use super::error::TenancyError;
use super::member::member_lookup;
use super::organization::Founding;
use super::password::{Hash, Password};
use super::record::{ATTEMPTS_MAX, Body, Held, Refused, draft, write};
use super::service::Tenancy;
use super::session::{NewSession, SignedIn};
use super::text::Label;
use crate::authz::Operator;
use crate::catalog::{Conflict, OrgState, RecordKind, RecordQuery, RecordWrite};
use crate::keyring::RecordDraft;

/// A person's account, as its owner and the operator see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Which.
    pub id: AccountId,
    /// Its e-mail address.
    pub email: Email,
    /// What the person is called.
    pub name: String,
    /// Whether it can log in by a password.
    pub has_password: bool,
    /// Its personal organization.
    pub personal_org: OrgId,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// Its state: changes only what it is compared with.
    pub etag: u64,
}

/// Whether whoever comes may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUps {
    /// Anybody may.
    Open,
    /// The operator makes accounts, and members invite.
    Closed,
}

/// The account that somebody wants.
pub struct NewAccount {
    /// Its e-mail address.
    pub email: Email,
    /// What the person is called.
    pub name: Label,
    /// Its password.
    pub password: Password,
}

/// What the record of an account holds.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct AccountBody {
    #[n(0)]
    email: String,
    #[n(1)]
    name: String,
    #[n(2)]
    password: Option<Hash>,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    personal_org: [u8; 16],
    /// From where its owner has logged in lately, the latest last.
    #[n(4)]
    known: Vec<ByteArray<16>>,
    /// Until when nobody logs in by password from anywhere else.
    #[n(5)]
    locked_until_ms: u64,
}

impl Body for AccountBody {
    const KIND: RecordKind = RecordKind::Account;
}

impl Tenancy {
    /// Takes the wish for an account. The answer is the same whether the address had one or not,
    /// and so is the work: nobody learns who is a customer. Whoever has a new account logs in.
    pub async fn sign_up(
        &self,
        sign_ups: SignUps,
        wish: NewAccount,
        source: Option<IpAddr>,
    ) -> Result<(), TenancyError> {
        if sign_ups == SignUps::Closed {
            return Err(TenancyError::SignUpsClosed);
        }
        self.attempts.from(source.map(Source::of))?;
        let NewAccount {
            email,
            name,
            password,
        } = wish;
        let hash = self.hasher.hash(password).await?;
        match self.account_by_email(&email).await? {
            // Written again as it was, so that either way is one commit.
            Some(held) => match self.replace_account(&held).await {
                Ok(()) | Err(TenancyError::Changed) => Ok(()),
                Err(error) => Err(error),
            },
            None => match self.insert_account(&email, &name, hash).await {
                // Somebody was as quick.
                Ok(_) | Err(TenancyError::Exists(_)) => Ok(()),
                Err(error) => Err(error),
            },
        }
    }

    /// Makes an account, with its personal organization.
    pub async fn create_account(
        &self,
        _: &Operator,
        wish: NewAccount,
    ) -> Result<Account, TenancyError> {
        let hash = self.hasher.hash(wish.password).await?;
        let held = self.insert_account(&wish.email, &wish.name, hash).await?;
        let held = self.with_personal_org(held).await?;
        held.shown()
    }

    /// Up to `max` accounts after one, by age.
    pub async fn accounts(
        &self,
        _: &Operator,
        after: Option<AccountId>,
        max: u32,
    ) -> Result<Vec<Account>, TenancyError> {
        let query = RecordQuery {
            after: after.map(|after| *after.bytes()),
            max,
            ..RecordQuery::default()
        };
        let page = self.records::<AccountBody>(OrgId::PLATFORM, query).await?;
        page.iter().map(Held::shown).collect()
    }

    /// An account by its e-mail address.
    pub async fn account_named(
        &self,
        _: &Operator,
        email: &Email,
    ) -> Result<Account, TenancyError> {
        let held = self.account_by_email(email).await?;
        held.ok_or(NO_SUCH_ACCOUNT)?.shown()
    }

    /// Gives an account another password, and ends its sessions.
    pub async fn reset_password(
        &self,
        _: &Operator,
        account: AccountId,
        password: Password,
    ) -> Result<(), TenancyError> {
        let hash = self.hasher.hash(password).await?;
        self.set_password(account, hash).await?;
        self.end_sessions(account, None).await
    }

    /// The account itself.
    pub async fn account(&self, signed_in: &SignedIn) -> Result<Account, TenancyError> {
        self.account_held(signed_in.account()).await?.shown()
    }

    /// Changes what the person is called.
    pub async fn rename_account(
        &self,
        signed_in: &SignedIn,
        name: Label,
    ) -> Result<Account, TenancyError> {
        self.change_account(signed_in.account(), |body| {
            body.name = name.as_str().to_owned();
        })
        .await?
        .shown()
    }

    /// Logs in. Wrong passwords, addresses without an account and locked ones answer alike, after
    /// the same work.
    pub async fn log_in(
        &self,
        email: &Email,
        password: Password,
        source: Option<IpAddr>,
    ) -> Result<NewSession, TenancyError> {
        let source = source.map(Source::of);
        self.attempts.from(source)?;
        let lookup = self.email_lookup(email).await?;
        let held = self.account_by_email(email).await?;
        let known = source.filter(|source| held.as_ref().is_some_and(|held| held.knows(*source)));
        let counted = self.attempts.on(lookup, known);
        let hash = held.as_ref().and_then(|held| held.body.password.as_ref());
        let is_right = self.hasher.verify(password, hash).await?;
        let Some(held) = held else {
            return Err(TenancyError::LogInRefused);
        };
        let now_ms = self.clock.now_ms();
        let is_locked = match counted {
            Counted::TooMany { left, is_first } => {
                if is_first && known.is_none() {
                    let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                    self.lock(&held, now_ms.saturating_add(left_ms)).await?;
                }
                true
            }
            Counted::One => known.is_none() && held.is_locked(now_ms),
        };
        if is_locked || !is_right {
            return Err(TenancyError::LogInRefused);
        }
        self.attempts.succeeded(lookup, known);
        let proven = held.body.password.clone();
        let held = self.remember_source(held, source).await?;
        self.session_of(held, &proven).await
    }

    /// Changes the password and ends every other session. An account that has one shows it.
    pub async fn change_password(
        &self,
        signed_in: &SignedIn,
        old: Option<Password>,
        new: Password,
    ) -> Result<(), TenancyError> {
        let held = self.account_held(signed_in.account()).await?;
        if let Some(hash) = &held.body.password {
            // Whoever holds a session alone guesses as often as whoever holds none.
            let guessed = member_lookup(signed_in.account());
            let counted = self.attempts.on(guessed, None);
            let old = old.ok_or(TenancyError::LogInRefused)?;
            let is_right = self.hasher.verify(old, Some(hash)).await?;
            if !is_right || counted != Counted::One {
                return Err(TenancyError::LogInRefused);
            }
            self.attempts.succeeded(guessed, None);
        }
        let hash = self.hasher.hash(new).await?;
        self.set_password(signed_in.account(), hash).await?;
        self.end_sessions(signed_in.account(), Some(signed_in.session()))
            .await
    }

    /// Makes a session for whoever has proven to be the account's person while its password was
    /// `proven`.
    pub(super) async fn session_of(
        &self,
        held: Held<AccountBody>,
        proven: &Option<Hash>,
    ) -> Result<NewSession, TenancyError> {
        let held = self.with_personal_org(held).await?;
        let (id, personal) = (held.id(), held.personal_org());
        let session = self.session_at_home(id, personal).await?;
        let session = session.ok_or(TenancyError::State("sealed"))?;
        // A password that was changed meanwhile has ended the sessions that it found.
        let now = self.account_held(id).await?;
        if now.body.password == *proven {
            return Ok(session);
        }
        self.revoke(session.org, &session.id, |_| true).await?;
        Err(TenancyError::LogInRefused)
    }

    pub(super) async fn account_held(
        &self,
        account: AccountId,
    ) -> Result<Held<AccountBody>, TenancyError> {
        let held = self.record(OrgId::PLATFORM, account.bytes()).await?;
        held.ok_or(NO_SUCH_ACCOUNT)
    }

    pub(super) async fn account_by_email(
        &self,
        email: &Email,
    ) -> Result<Option<Held<AccountBody>>, TenancyError> {
        let lookup = self.email_lookup(email).await?;
        self.record_by_lookup(OrgId::PLATFORM, &lookup).await
    }

    /// Makes an account. Its personal organization is made by whoever comes to need it.
    pub(super) async fn insert_account(
        &self,
        email: &Email,
        name: &Label,
        hash: Hash,
    ) -> Result<Held<AccountBody>, TenancyError> {
        let platform = self.keyring.open_platform().await?;
        let body = AccountBody {
            email: email.as_str().to_owned(),
            name: name.as_str().to_owned(),
            password: Some(hash),
            personal_org: self.new_id(),
            known: Vec::new(),
            locked_until_ms: 0,
        };
        let id = AccountId::from_bytes(self.new_id());
        let draft = RecordDraft {
            lookup: Some(self.email_lookup(email).await?),
            ..draft::<AccountBody>(*id.bytes(), self.clock.now_ms())
        };
        let record = write(&platform, draft, &body)?;
        let row = record.row().clone();
        let writes = vec![RecordWrite::Insert(record)];
        match self
            .commit_records(OrgId::PLATFORM, writes, Vec::new())
            .await
        {
            Ok(()) => Ok(Held { row, body }),
            Err(Refused::Conflict(Conflict::Exists)) => {
                Err(TenancyError::Exists("the e-mail address has an account"))
            }
            Err(refused) => Err(refused.into()),
        }
    }

    async fn set_password(&self, account: AccountId, hash: Hash) -> Result<(), TenancyError> {
        self.change_account(account, |body| {
            body.password = Some(hash.clone());
            body.locked_until_ms = 0;
        })
        .await
        .map(drop)
    }

    /// Changes an account, however often others do meanwhile.
    pub(super) async fn change_account(
        &self,
        account: AccountId,
        change: impl Fn(&mut AccountBody),
    ) -> Result<Held<AccountBody>, TenancyError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut held = self.account_held(account).await?;
            change(&mut held.body);
            match self.replace_account(&held).await {
                Ok(()) => return self.account_held(account).await,
                Err(TenancyError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Err(TenancyError::Changed)
    }

    async fn replace_account(&self, held: &Held<AccountBody>) -> Result<(), TenancyError> {
        let platform = self.keyring.open_platform().await?;
        let write = held.replacement(&platform)?;
        self.commit_records(OrgId::PLATFORM, vec![write], Vec::new())
            .await
            .map_err(TenancyError::from)
    }

    /// Writes down that strangers to the account wait, for other nodes and for after a restart.
    async fn lock(&self, held: &Held<AccountBody>, until_ms: u64) -> Result<(), TenancyError> {
        let lock = |body: &mut AccountBody| body.locked_until_ms = until_ms;
        match self.change_account(held.id(), lock).await {
            // It is locked on this node in any case.
            Ok(_) | Err(TenancyError::Changed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Remembers from where its owner logs in, so that strangers cannot lock it out there.
    async fn remember_source(
        &self,
        held: Held<AccountBody>,
        source: Option<Source>,
    ) -> Result<Held<AccountBody>, TenancyError> {
        let Some(source) = source.filter(|source| !held.knows(*source)) else {
            return Ok(held);
        };
        let remember = |body: &mut AccountBody| {
            if body.known.len() >= KNOWN_MAX {
                body.known.remove(0);
            }
            body.known.push(source.bytes().into());
        };
        match self.change_account(held.id(), remember).await {
            Err(TenancyError::Changed) => Ok(held),
            changed => changed,
        }
    }

    /// Makes the personal organization, unless there is one: a crash after the account was made,
    /// or its owner, may have left none.
    async fn with_personal_org(
        &self,
        held: Held<AccountBody>,
    ) -> Result<Held<AccountBody>, TenancyError> {
        let mut held = held;
        match self.organization_row(held.personal_org()).await {
            Err(TenancyError::NoSuchOrganization) => {}
            Err(error) => return Err(error),
            Ok(row) if row.state != OrgState::Destroyed => return Ok(held),
            Ok(_) => {
                let next = self.new_id();
                let renew = |body: &mut AccountBody| body.personal_org = next;
                held = self.change_account(held.id(), renew).await?;
            }
        }
        for _ in 0..ATTEMPTS_MAX {
            let founding = Founding {
                org: held.personal_org(),
                slug: self.personal_slug(&held.body.name)?,
                name: held.body.name.clone(),
                owner: Some(held.id()),
            };
            match self.found(founding).await {
                Ok(_) => return Ok(held),
                // Another log-in was as quick, or chance drew what is taken.
                Err(TenancyError::SlugTaken) => {
                    if self.organization_row(held.personal_org()).await.is_ok() {
                        return Ok(held);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(TenancyError::SlugTaken)
    }

    /// A slug that tells nobody's name to whoever tries slugs: it ends by chance.
    fn personal_slug(&self, name: &str) -> Result<Slug, TenancyError> {
        let mut base: String = name
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(SLUG_BASE_MAX)
            .collect();
        while base.contains("--") {
            base = base.replace("--", "-");
        }
        let suffix = self.random_text("", SLUG_ALPHABET, SLUG_SUFFIX_LEN);
        let base = base.trim_matches('-');
        let base = if base.is_empty() { "home" } else { base };
        Slug::parse(&format!("{base}-{}", suffix.as_str()))
            .map_err(|error| TenancyError::Unavailable(error.to_string()))
    }

    async fn email_lookup(&self, email: &Email) -> Result<[u8; 32], TenancyError> {
        let name = email.as_str().as_bytes();
        Ok(self.keyring.platform_lookup(EMAIL, name).await?)
    }
}

impl Held<AccountBody> {
    pub(super) fn id(&self) -> AccountId {
        AccountId::from_bytes(self.row.id)
    }

    pub(super) fn password(&self) -> Option<Hash> {
        self.body.password.clone()
    }

    pub(super) fn name(&self) -> &str {
        &self.body.name
    }

    pub(super) fn email(&self) -> Result<Email, TenancyError> {
        Email::parse(&self.body.email).map_err(|_| TenancyError::misplaced("an account"))
    }

    fn personal_org(&self) -> OrgId {
        OrgId::from_bytes(self.body.personal_org)
    }

    fn shown(&self) -> Result<Account, TenancyError> {
        Ok(Account {
            id: self.id(),
            email: self.email()?,
            name: self.body.name.clone(),
            has_password: self.body.password.is_some(),
            personal_org: self.personal_org(),
            created_ms: self.row.created_ms,
            etag: self.row.sequence,
        })
    }

    fn knows(&self, source: Source) -> bool {
        let source = source.bytes();
        self.body.known.iter().any(|known| **known == source)
    }

    /// A lock that is longer than locks are was written before the calendar was set back.
    fn is_locked(&self, now_ms: u64) -> bool {
        let left_ms = self.body.locked_until_ms.checked_sub(now_ms);
        left_ms.is_some_and(|left_ms| left_ms > 0 && u128::from(left_ms) <= LOCKED_FOR.as_millis())
    }
}

const NO_SUCH_ACCOUNT: TenancyError = TenancyError::NoSuch("account");
/// The kind of the names that are e-mail addresses.
const EMAIL: &str = "account-email";
const KNOWN_MAX: usize = 8;
const SLUG_BASE_MAX: usize = 40;
const SLUG_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const SLUG_SUFFIX_LEN: usize = 8;
