//! One device to be pushed, and the ticket of a push under way. Dropping a ticket without an answer puts
//! the device back, so no device is ever lost between queue and provider. Most devices are part of a
//! campaign's page; some are pushed to alone.

use std::sync::Arc;

use tokio::time::Instant;

use super::desk::Desk;
use crate::{
    domain::{
        campaign::Target,
        device::Unreachable,
        ids::NotificationId,
        outcome::{Answer, Outcome, Reason},
    },
    engine::{
        direct::Single, pace::Pace, page::PageWork, rate_limit::RateLimiter, verdict::Verdict,
    },
    transport::Rendered,
};

/// A push whose task died this often is given up; it is likely to be what kills them.
const MAX_DEATHS: u32 = 3;

/// The lane of pushes that belong to no campaign.
const NO_CAMPAIGN: NotificationId = NotificationId(uuid::Uuid::nil());

/// One device to be pushed.
pub struct Job {
    part_of: PartOf,
    rendered: Arc<Rendered>,
    /// Tries so far.
    pub attempts: u32,
    /// When the first of them began, unless its page was read anew since.
    since: Option<Instant>,
    /// Tries that ended without an answer because their task died.
    deaths: u32,
}

/// Who hears what becomes of it.
enum PartOf {
    Page { page: Arc<PageWork>, index: u32 },
    Nothing(Box<Single>),
}

impl Job {
    /// The next try of the device at `index`.
    pub fn new(page: Arc<PageWork>, rendered: Arc<Rendered>, index: u32) -> Self {
        let attempts = page.tries_before(index as usize);
        Self { part_of: PartOf::Page { page, index }, rendered, attempts, since: None, deaths: 0 }
    }

    /// The first try of a push outside of any campaign.
    pub fn single(single: Single, rendered: Arc<Rendered>) -> Self {
        let part_of = PartOf::Nothing(Box::new(single));
        Self { part_of, rendered, attempts: 0, since: None, deaths: 0 }
    }

    /// Its device.
    pub fn target(&self) -> &Target {
        match &self.part_of {
            PartOf::Page { page, index } => &page.targets()[*index as usize],
            PartOf::Nothing(single) => single.target(),
        }
    }

    /// The message as its provider wants it.
    pub fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// Its campaign, whose lane it waits in.
    pub fn campaign(&self) -> NotificationId {
        match &self.part_of {
            PartOf::Page { page, .. } => page.run.id(),
            PartOf::Nothing(_) => NO_CAMPAIGN,
        }
    }

    /// Its campaign's pace.
    pub fn own_rate(&self) -> Option<&RateLimiter> {
        match &self.part_of {
            PartOf::Page { page, .. } => Some(&page.run.rate),
            PartOf::Nothing(_) => None,
        }
    }

    /// Where its campaign counts the last second's outcomes.
    pub fn campaign_pace(&self) -> Option<&Pace> {
        match &self.part_of {
            PartOf::Page { page, .. } => Some(&page.run.pace),
            PartOf::Nothing(_) => None,
        }
    }

    /// Whether what becomes of it can be recorded now, where it is recorded.
    pub fn is_recorded(&self) -> bool {
        match &self.part_of {
            PartOf::Page { page, .. } => page.run.is_recorded(),
            PartOf::Nothing(_) => true,
        }
    }

    /// Whether its campaign goes on, here, and it is not handed back; or whoever asked for it still waits.
    pub fn is_wanted(&self) -> bool {
        match &self.part_of {
            PartOf::Page { page, .. } => page.is_wanted(self.target().provider),
            PartOf::Nothing(single) => single.is_wanted(),
        }
    }

    /// Whether its campaign's time to live had run out by then. Who asked for a single push waits for it
    /// or does not.
    pub fn is_over(&self, at: Instant) -> bool {
        match &self.part_of {
            PartOf::Page { page, .. } => page.run.over_at <= at,
            PartOf::Nothing(_) => false,
        }
    }

    /// Whether it is pushed to alone, in no campaign.
    pub fn is_direct(&self) -> bool {
        matches!(self.part_of, PartOf::Nothing(_))
    }

    /// A try of it began then.
    pub fn begun(&mut self, begun: Instant) {
        if self.attempts == 0 {
            self.since.get_or_insert(begun);
        }
    }

    /// When its first try began, where that is known.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Keeps what an answer says beyond the outcome, for who waits for this one push.
    pub fn note(&mut self, is_refusal: bool, verdict: &Verdict, tokens_are_kept: bool) {
        if let PartOf::Nothing(single) = &mut self.part_of {
            single.note(is_refusal, verdict, tokens_are_kept);
        }
    }

    /// It has its outcome.
    pub fn settle(self, outcome: Outcome) {
        match self.part_of {
            PartOf::Page { page, index } => page.settle(index as usize, outcome),
            PartOf::Nothing(single) => single.settle(outcome),
        }
    }

    /// It ends without being tried: the provider refuses the app's credentials.
    pub fn refuse(self, reason: Reason) {
        match self.part_of {
            PartOf::Page { page, index } => page.settle(index as usize, Outcome::Failed(reason)),
            PartOf::Nothing(single) => single.refuse(reason),
        }
    }

    /// It is not wanted any more, and was not tried again.
    pub fn leave(self) {
        match self.part_of {
            PartOf::Page { page, index } => page.leave(index as usize, self.attempts),
            // Whoever waits hears that nothing will come.
            PartOf::Nothing(_) => {}
        }
    }

    /// Its desk is taken down: the app has no credentials for this provider any more.
    pub fn forsake(self) {
        match self.part_of {
            PartOf::Page { page, index } => {
                let reason = Reason::new(Unreachable::NoCredentials.name());
                page.settle(index as usize, Outcome::Failed(reason));
            }
            PartOf::Nothing(_) => {}
        }
    }
}

/// A push under way.
pub struct Ticket {
    job: Option<Job>,
    desk: Arc<Desk>,
    begun: Instant,
}

impl Ticket {
    /// A push that begins; the desk counts it as in flight until the ticket is gone.
    pub fn new(job: Job, desk: Arc<Desk>, begun: Instant) -> Self {
        Self { job: Some(job), desk, begun }
    }

    /// What is pushed; none where the campaign was stopped since.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref().filter(|job| job.is_wanted())
    }

    /// The provider has answered. The device stays with the ticket until it is decided what becomes of
    /// it, so that a panic in between puts it back.
    pub fn conclude(mut self, answer: Answer) {
        let Some(job) = &mut self.job else { return };
        let end = self.desk.judge(job, answer, self.begun);
        if let Some(job) = self.job.take() {
            self.desk.end(job, end);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.desk.landed();
        let Some(mut job) = self.job.take() else { return };
        job.deaths += 1;
        if !job.is_wanted() {
            job.leave();
        } else if job.deaths >= MAX_DEATHS {
            let outcome = Outcome::Failed(Reason::new("internal_error"));
            self.desk.count_given_up(&job, &outcome);
            job.settle(outcome);
        } else {
            self.desk.put_back(job);
        }
    }
}
