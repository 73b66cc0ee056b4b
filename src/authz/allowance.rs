use names::OrgId;

/// Leave to use resources, given by `metering` before the work and committed by the service
/// together with it, so that what is stored is counted exactly once.
#[derive(Debug)]
pub struct Allowance {
    org: OrgId,
    hour_ms: u64,
}

impl Allowance {
    /// Gives leave to `org` in the hour that began at `hour_ms` since the epoch. Only `metering`
    /// gives leave.
    pub fn grant(org: OrgId, hour_ms: u64) -> Self {
        Self { org, hour_ms }
    }

    /// Whose allowance it is.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The beginning of the hour that the use is counted in, milliseconds since the epoch.
    pub fn hour_ms(&self) -> u64 {
        self.hour_ms
    }
}

/// What a service did, for metering and for the activity log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "what was done has to be metered and recorded"]
pub struct Receipt {
    /// Bytes of body that were taken in, as plaintext.
    pub bytes_in: u64,
    /// Bytes of body that will be handed out, as plaintext; a stream counts those it delivered.
    pub bytes_out: u64,
}
