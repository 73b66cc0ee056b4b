//! How versions come, carry stages and go: pure functions over what a secret's record holds.

use super::error::{Field, VaultError};
use super::model::{StageMove, VersionInfo, VersionState, stages};
use super::record::Held;

/// A version about to be added.
pub(super) struct Addition {
    pub(super) name: String,
    pub(super) value: [u8; 16],
    pub(super) stages: Vec<String>,
    pub(super) versions_max: u32,
    /// After how long it is deleted at the latest, whatever the secret says.
    pub(super) delete_after_ms: Option<u64>,
}

impl Held {
    /// Adds a version with its stages, and returns the values of those that are kept no longer.
    pub(super) fn add(
        &mut self,
        addition: Addition,
        now_ms: u64,
    ) -> Result<Vec<[u8; 16]>, VaultError> {
        let Addition {
            name,
            value,
            stages: taken,
            versions_max,
            delete_after_ms,
        } = addition;
        self.last_number += 1;
        let settings = &self.description.settings;
        let own_ms = settings.delete_versions_after_ms;
        let deletion = own_ms.into_iter().chain(delete_after_ms).min();
        let kept_max = settings.versions_max.unwrap_or(versions_max);
        self.description.versions.push(VersionInfo {
            number: self.last_number,
            name: name.clone(),
            stages: Vec::new(),
            created_ms: now_ms,
            state: match deletion {
                Some(after_ms) => VersionState::Deleted {
                    at_ms: now_ms.saturating_add(after_ms),
                },
                None => VersionState::Live,
            },
        });
        self.values.push(value);
        for stage in taken {
            self.put_stage(&stage, &name)?;
        }
        // A secret that has a value has a current one (API reference, PutSecretValue).
        if self.description.current().is_none() && self.description.versions.len() == 1 {
            self.put_stage(stages::CURRENT, &name)?;
        }
        self.description.changed_ms = now_ms;
        Ok(self.prune(kept_max))
    }

    /// Moves a stage, takes it away, or puts it on a version.
    pub(super) fn move_stage(&mut self, wanted: &StageMove) -> Result<(), VaultError> {
        let StageMove { stage, from, to } = wanted;
        check_stage(stage)?;
        let holder = self
            .description
            .at_stage(stage)
            .map(|held| held.name.clone());
        for named in [from, to].into_iter().flatten() {
            if self.version(named).is_none() {
                return Err(VaultError::NoSuchVersion);
            }
        }
        match (&holder, from, to) {
            // Where it is already.
            (Some(holder), _, Some(to)) if holder == to => return Ok(()),
            (Some(holder), Some(from), _) if holder == from => {}
            (None, None, Some(_)) => {}
            _ => return Err(VaultError::StageElsewhere),
        }
        match to {
            Some(to) => self.put_stage(stage, to),
            None if stage == stages::CURRENT => Err(VaultError::StageNeeded),
            None => {
                self.take_stage(stage);
                Ok(())
            }
        }
    }

    /// The version of a name.
    pub(super) fn version(&self, name: &str) -> Option<&VersionInfo> {
        let mut versions = self.description.versions.iter();
        versions.find(|version| version.name == name)
    }

    /// Puts a stage on a version, and takes it from the one that carries it. Whoever loses
    /// AWSCURRENT becomes AWSPREVIOUS.
    fn put_stage(&mut self, stage: &str, name: &str) -> Result<(), VaultError> {
        check_stage(stage)?;
        let loser = self.take_stage(stage);
        let winner = self.named(name).ok_or(VaultError::NoSuchVersion)?;
        winner.stages.push(stage.to_owned());
        if winner.stages.len() > STAGES_MAX {
            return Err(VaultError::invalid(
                Field::Stages,
                "a version carries at most 20 stages",
            ));
        }
        if stage == stages::CURRENT
            && let Some(loser) = loser.filter(|loser| loser != name)
        {
            self.take_stage(stages::PREVIOUS);
            if let Some(loser) = self.named(&loser) {
                loser.stages.push(stages::PREVIOUS.to_owned());
            }
        }
        Ok(())
    }

    /// Takes a stage from the version that carries it, and returns that one's name.
    fn take_stage(&mut self, stage: &str) -> Option<String> {
        let mut versions = self.description.versions.iter_mut();
        let holder = versions.find(|version| version.has_stage(stage))?;
        holder.stages.retain(|carried| carried != stage);
        Some(holder.name.clone())
    }

    fn named(&mut self, name: &str) -> Option<&mut VersionInfo> {
        let mut versions = self.description.versions.iter_mut();
        versions.find(|version| version.name == name)
    }

    /// Drops the oldest versions beyond `max` that carry no stage, and returns their values.
    fn prune(&mut self, max: u32) -> Vec<[u8; 16]> {
        let max = usize::try_from(max.clamp(1, VERSIONS_MAX)).unwrap_or(usize::MAX);
        let mut dropped = Vec::new();
        let mut at = 0;
        while self.description.versions.len() > max && at < self.description.versions.len() {
            if !self.description.versions[at].stages.is_empty() {
                at += 1;
                continue;
            }
            let version = self.description.versions.remove(at);
            let value = self.values.remove(at);
            // What was destroyed has no value any more.
            if version.state != VersionState::Destroyed {
                dropped.push(value);
            }
        }
        dropped
    }
}

/// A stage has 1 to 256 characters (Secrets Manager API reference, UpdateSecretVersionStage).
pub(super) fn check_stage(stage: &str) -> Result<(), VaultError> {
    if (1..=256).contains(&stage.chars().count()) && !stage.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(VaultError::invalid(
            Field::Stages,
            "a stage has 1 to 256 characters",
        ))
    }
}

/// How many stages a version may carry, as Amazon limits them.
pub(super) const STAGES_MAX: usize = 20;
/// How many versions a secret may keep, as Amazon limits them.
pub(super) const VERSIONS_MAX: u32 = 100;
