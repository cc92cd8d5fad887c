//! The devices that wait on a desk: those to be pushed, in a lane for each campaign so that campaigns
//! take turns, and those that wait for another try.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
};

use tokio::time::Instant;

use super::job::Job;
use crate::domain::ids::NotificationId;

/// The devices of one campaign.
struct Lane {
    campaign: NotificationId,
    jobs: VecDeque<Job>,
}

/// A device that waits for another try.
struct Later {
    due: Instant,
    job: Job,
}

/// The ends of a lane.
#[derive(Clone, Copy, Debug)]
pub enum LaneEnd {
    /// Who stands here is next.
    Head,
    /// Who stands here lets all others go before.
    Tail,
}

/// Devices in waiting.
#[derive(Default)]
pub struct Queue {
    lanes: VecDeque<Lane>,
    later: BinaryHeap<Reverse<Later>>,
}

impl Queue {
    /// Puts devices at the end of their campaign's lane.
    pub fn extend(&mut self, campaign: NotificationId, jobs: impl Iterator<Item = Job>) {
        self.lane(campaign).extend(jobs);
    }

    /// Puts a device at the head of its campaign's lane.
    pub fn put_first(&mut self, job: Job) {
        self.lane(job.campaign()).push_front(job);
    }

    /// Keeps a device for another try.
    pub fn put_later(&mut self, due: Instant, job: Job) {
        self.later.push(Reverse(Later { due, job }));
    }

    /// Moves what is due for another try to the head of its lane, or to its end.
    pub fn wake_due(&mut self, now: Instant, to: LaneEnd) {
        while self.next_due().is_some_and(|due| due <= now) {
            let Some(Reverse(next)) = self.later.pop() else { return };
            match to {
                LaneEnd::Head => self.put_first(next.job),
                LaneEnd::Tail => self.lane(next.job.campaign()).push_back(next.job),
            }
        }
    }

    /// When the next device is due for another try.
    pub fn next_due(&self) -> Option<Instant> {
        self.later.peek().map(|Reverse(next)| next.due)
    }

    /// Whether no device waits to be pushed now.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// How many campaigns have devices waiting to be pushed now.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Asks `how_many` of the next campaign's devices may go, given one of them and their number, and
    /// takes so many out. The campaign then waits until the others have had their turn.
    pub fn take_turn(&mut self, how_many: impl FnOnce(&Job, usize) -> usize) -> Vec<Job> {
        let Some(mut lane) = self.lanes.pop_front() else { return Vec::new() };
        let Some(first) = lane.jobs.front() else { return Vec::new() };
        let taken = how_many(first, lane.jobs.len()).min(lane.jobs.len());
        let jobs = lane.jobs.drain(..taken).collect();
        if !lane.jobs.is_empty() {
            self.lanes.push_back(lane);
        }
        jobs
    }

    /// Takes out every device whose campaign was stopped, whose shard went to another node, or whose page
    /// was set aside.
    pub fn take_unwanted(&mut self) -> Vec<Job> {
        self.take_if(|job| !job.is_wanted())
    }

    /// Takes out every device whose campaign goes on though its time to live had run out by then.
    pub fn take_over(&mut self, at: Instant) -> Vec<Job> {
        self.take_if(|job| job.is_over(at) && job.is_wanted())
    }

    /// Takes out every device.
    pub fn take_all(&mut self) -> Vec<Job> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, is_taken: impl Fn(&Job) -> bool) -> Vec<Job> {
        let mut taken = Vec::new();
        for lane in &mut self.lanes {
            for job in std::mem::take(&mut lane.jobs) {
                if is_taken(&job) {
                    taken.push(job);
                } else {
                    lane.jobs.push_back(job);
                }
            }
        }
        self.lanes.retain(|lane| !lane.jobs.is_empty());
        for Reverse(later) in std::mem::take(&mut self.later) {
            if is_taken(&later.job) {
                taken.push(later.job);
            } else {
                self.later.push(Reverse(later));
            }
        }
        taken
    }

    /// How many wait to be pushed, and how many for another try.
    pub fn lengths(&self) -> (usize, usize) {
        (self.lanes.iter().map(|lane| lane.jobs.len()).sum(), self.later.len())
    }

    /// The campaign's lane, made where there is none.
    fn lane(&mut self, campaign: NotificationId) -> &mut VecDeque<Job> {
        let at = self.lanes.iter().position(|lane| lane.campaign == campaign);
        let at = at.unwrap_or_else(|| {
            self.lanes.push_back(Lane { campaign, jobs: VecDeque::new() });
            self.lanes.len() - 1
        });
        &mut self.lanes[at].jobs
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Later {}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}
