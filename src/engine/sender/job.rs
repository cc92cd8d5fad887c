//! One device to be pushed, and the ticket of a push under way. Dropping a ticket without an answer puts
//! the device back, so no device is ever lost between queue and provider.

use std::sync::Arc;

use super::desk::Desk;
use crate::{
    domain::{
        campaign::Target,
        ids::NotificationId,
        outcome::{Answer, Outcome, Reason},
    },
    engine::page::PageWork,
    transport::Rendered,
};

/// A push whose task died this often is given up; it is likely to be what kills them.
const MAX_DEATHS: u32 = 3;

/// One device to be pushed.
pub struct Job {
    page: Arc<PageWork>,
    rendered: Arc<Rendered>,
    index: u32,
    /// Tries so far.
    pub attempts: u32,
    /// Tries that ended without an answer because their task died.
    deaths: u32,
}

impl Job {
    /// The first try of the device at `index`.
    pub fn new(page: Arc<PageWork>, rendered: Arc<Rendered>, index: u32) -> Self {
        Self { page, rendered, index, attempts: 0, deaths: 0 }
    }

    /// Its device.
    pub fn target(&self) -> &Target {
        &self.page.targets()[self.index as usize]
    }

    /// The message as its provider wants it.
    pub fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// Its page.
    pub fn page(&self) -> &Arc<PageWork> {
        &self.page
    }

    /// Its campaign.
    pub fn campaign(&self) -> NotificationId {
        self.page.run.id()
    }

    /// Whether its campaign goes on.
    pub fn is_wanted(&self) -> bool {
        self.page.run.is_open()
    }

    /// Whether it goes through everything but the provider.
    pub fn is_dry_run(&self) -> bool {
        self.page.run.notification.message.options.dry_run
    }

    /// It has its outcome.
    pub fn settle(self, outcome: Outcome) {
        self.page.settle(self.index as usize, outcome);
    }

    /// Its campaign was stopped before it was tried again.
    pub fn leave(self) {
        self.page.leave();
    }
}

/// A push under way.
pub struct Ticket {
    job: Option<Job>,
    desk: Arc<Desk>,
}

impl Ticket {
    /// A push that begins; the desk counts it as in flight until the ticket is gone.
    pub fn new(job: Job, desk: Arc<Desk>) -> Self {
        Self { job: Some(job), desk }
    }

    /// What is pushed; none where the campaign was stopped since.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref().filter(|job| job.is_wanted())
    }

    /// The provider has answered.
    pub fn conclude(mut self, answer: Answer) {
        if let Some(job) = self.job.take() {
            self.desk.conclude(job, answer);
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
            job.settle(Outcome::Failed(Reason::new("internal_error")));
        } else {
            self.desk.put_back(job);
        }
    }
}
