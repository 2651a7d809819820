//! The fake platforms that the demo's gateway delivers to: one for each plugin whose folder brings a fake, which is every
//! built-in one. Owns starting them, how they are told to behave, and the destinations that are configured for them.
//! What a page shows of them is in [`page`].

mod page;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_fakes::{Behaviour, Fake, Keep, Kind, Trouble};

/// More than one page shows, so that what came in a burst is there to be looked at.
pub(crate) const REQUESTS_KEPT: usize = 200;
/// The site whose events they get.
const SITE: &str = "shop";

/// The platforms, in the order of their plugins' names.
pub(crate) struct Platforms {
    each: Vec<Platform>,
    /// What each was last told, by its plugin; normal where nothing was.
    moods: Mutex<BTreeMap<&'static str, Mood>>,
}

struct Platform {
    kind: Kind,
    about: page::About,
    fake: Fake,
}

impl Platforms {
    /// Starts these on free ports of the loopback; each keeps so many requests.
    pub(crate) async fn start(kinds: &[Kind], requests_kept: usize) -> anyhow::Result<Platforms> {
        let mut each = Vec::new();
        for kind in kinds {
            let fake = kind.fake().keep(Keep::Last(requests_kept)).start().await?;
            each.push(Platform { kind: *kind, about: page::About::of(kind.plugin), fake });
        }
        Ok(Platforms { each, moods: Mutex::default() })
    }

    pub(crate) fn count(&self) -> usize {
        self.each.len()
    }

    /// The fake of this plugin's platform.
    pub(crate) fn fake(&self, plugin: &str) -> Option<&Fake> {
        Some(&self.find(plugin)?.fake)
    }

    /// The destinations' part of a configuration.
    pub(crate) fn destinations(&self) -> anyhow::Result<String> {
        let one = |Platform { kind, fake, .. }: &Platform| {
            let made = kind.destination(SITE, &fake.url());
            made.with_context(|| format!("read the settings of `{}`", kind.plugin))
        };
        Ok(self.each.iter().map(one).collect::<anyhow::Result<Vec<String>>>()?.join("\n"))
    }

    /// Every platform in a line or two: what it is, how much it got, how it behaves.
    pub(crate) fn overview(&self) -> Value {
        self.each.iter().map(|one| page::line(one.kind.plugin, &one.about, &one.fake, self.mood(one))).collect()
    }

    /// The last requests to this plugin's platform, or to all where none is named, newest first.
    pub(crate) fn requests(&self, plugin: Option<&str>) -> Option<Value> {
        let wanted: Vec<&Platform> = match plugin {
            Some(plugin) => vec![self.find(plugin)?],
            None => self.each.iter().collect(),
        };
        Some(page::requests(wanted.into_iter().map(|one| (one.kind.plugin, &one.fake))))
    }

    /// Makes a platform answer so from now on; nothing where there is no such platform.
    pub(crate) fn behave(&self, plugin: &str, mood: Mood) -> Option<()> {
        let Platform { kind, fake, .. } = self.find(plugin)?;
        fake.always(mood.behaviour());
        self.moods.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.plugin, mood);
        Some(())
    }

    fn mood(&self, platform: &Platform) -> Mood {
        let moods = self.moods.lock().unwrap_or_else(PoisonError::into_inner);
        moods.get(platform.kind.plugin).copied().unwrap_or(Mood::Normal)
    }

    fn find(&self, plugin: &str) -> Option<&Platform> {
        self.each.iter().find(|one| one.kind.plugin == plugin)
    }
}

/// How a platform can be told to answer, from its page.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mood {
    Normal,
    Down,
    Throttled,
    Refusing,
    Partial,
    Unauthorized,
    Silent,
}

impl Mood {
    /// As the platform itself documents its troubles, where it does.
    fn behaviour(self) -> Behaviour {
        match self {
            Mood::Normal => Behaviour::Normal,
            Mood::Down => Behaviour::Trouble(Trouble::Unavailable),
            Mood::Throttled => Behaviour::Trouble(Trouble::Throttled),
            Mood::Refusing => Behaviour::status(400),
            Mood::Partial => Behaviour::Trouble(Trouble::FirstRefused),
            Mood::Unauthorized => Behaviour::Trouble(Trouble::CredentialsRefused),
            Mood::Silent => Behaviour::NeverAnswer,
        }
    }
}
