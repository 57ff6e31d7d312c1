//! The marketplace: agents that their owners share with other tenants, which enable them before they use them. The
//! rules here are pure: whom a share names, and how listings are filtered and sorted.

pub mod service;
pub mod store;

use crate::{
    agents::registry::performance::confidence_interval,
    identity::tenants,
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::AgentId,
    },
};

use self::store::Listing;

/// The name that stands for every tenant.
const ALL: &str = "all";

/// The target of a share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ShareTarget {
    All,
    /// A tenant by its slug or id, which need not exist.
    Tenant(String),
}

impl ShareTarget {
    pub fn parse(text: &str) -> Result<Self> {
        if text == ALL {
            return Ok(Self::All);
        }
        if let Ok(id) = uuid::Uuid::try_parse(text) {
            return Ok(Self::Tenant(id.to_string()));
        }
        let slug = tenants::draft::parse_slug(text.to_owned());
        slug.map(Self::Tenant)
            .map_err(|_| Error::invalid_field("tenant", "must be a tenant's slug or id, or the word all"))
    }

    fn name(&self) -> &str {
        match self {
            Self::All => ALL,
            Self::Tenant(named) => named,
        }
    }
}

/// The order of listings, the best first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ListingSort {
    /// By the lower end of the confidence interval of the success rate.
    #[default]
    Success,
    /// By the cost per success.
    Cost,
    /// By the median duration.
    P50,
}

impl ListingSort {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "success" => Some(Self::Success),
            "cost" => Some(Self::Cost),
            "p50" => Some(Self::P50),
            _ => None,
        }
    }

    /// The sort key, the lowest first. Listings without the value come last.
    fn rank(self, listing: &Listing) -> f64 {
        let figures = &listing.agent.figures;
        match self {
            Self::Success => confidence_interval(figures.succeeded, figures.finished).map_or(0.0, |(low, _)| -low),
            Self::Cost => figures.cost_per_success().unwrap_or(f64::INFINITY),
            Self::P50 => listing.p50_ms.unwrap_or(f64::INFINITY),
        }
    }
}

/// A filter of listings. All given conditions must hold; an empty list means no condition.
#[derive(Clone, Debug, Default)]
pub struct ListingFilter {
    pub capability: Vec<String>,
    pub skill: Vec<String>,
    pub enabled: Option<bool>,
    /// A substring of the name, the description or the name of the publisher.
    pub q: Option<String>,
    pub sort: ListingSort,
}

impl ListingFilter {
    fn matches(&self, listing: &Listing) -> bool {
        let agent = &listing.agent;
        let any = |wanted: &[String], had: &[String]| wanted.is_empty() || wanted.iter().any(|one| had.contains(one));
        let said = |q: &str| {
            let texts = [Some(&agent.name), agent.description.as_ref(), Some(&listing.publisher)];
            texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&q.to_lowercase()))
        };
        any(&self.capability, &agent.capabilities)
            && any(&self.skill, &agent.skills)
            && self.enabled.is_none_or(|wanted| wanted == listing.enabled)
            && self.q.as_deref().is_none_or(said)
    }
}

/// A listing with its sort key.
#[derive(Clone, Debug)]
pub struct RankedListing {
    pub listing: Listing,
    pub rank: f64,
    pub now: Time,
}

/// The cursor of a page of listings: the sort key and id of the last one.
pub type ListingCursor = (f64, AgentId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_named_by_slug_or_id_or_as_all_of_them() {
        let tenant = |named: &str| ShareTarget::Tenant(named.to_owned());
        assert_eq!(ShareTarget::parse("all").unwrap(), ShareTarget::All);
        assert_eq!(ShareTarget::parse("acme-2").unwrap(), tenant("acme-2"));
        let id = "01900000-0000-7000-8000-00000000000A";
        assert_eq!(ShareTarget::parse(id).unwrap(), tenant(&id.to_lowercase()), "one id is one name");
        for wrong in ["", "a", "ALL", "Acme", "a b", "a'b", &"x".repeat(51)] {
            assert!(ShareTarget::parse(wrong).is_err(), "{wrong}");
        }
    }
}
