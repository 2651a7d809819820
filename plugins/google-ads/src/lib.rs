//! Google Ads API: one event to one entry of `conversions` in a POST to `:uploadClickConversions`, of
//! `conversionAdjustments` in a POST to `:uploadConversionAdjustments`, or of both, for each of its conversion actions.
//!
//! Owns the choice of the click, what counts as one conversion, refunds, and what Google's answers mean. Hashes nothing:
//! the gateway has done that, by the normalisers in `plugin.toml`. Sources: `conversion_upload_service.proto`,
//! `conversion_adjustment_upload_service.proto`, `offline_user_data.proto` and `errors/*.proto` in googleapis/googleapis,
//! and the guides "Manage offline conversions", "Enhanced conversions for web", "Import conversion adjustments" and
//! "Partial failures" on developers.google.com/google-ads/api.

mod actions;
mod adjustment;
mod answer;
mod cart;
mod codes;
mod config;
mod conversion;
mod identifiers;
mod moment;
mod properties;
mod upload;

use tidegate_plugin_sdk::{Context, Event, Plugin, Rejection, Request, Response, Verdict, json};

use actions::Targets;
use upload::Source;

/// The destination.
pub struct GoogleAds;
tidegate_plugin_sdk::export!(GoogleAds);

impl Plugin for GoogleAds {
    fn transform(event: Event, ctx: Context) -> Result<Vec<Request>, Rejection> {
        let config: config::Config = json::config(&ctx)?;
        let properties = properties::parse(&event.properties);
        let source = Source { event: &event, properties: &properties, config: &config, ctx: &ctx };
        match actions::of(&event, &config)? {
            Targets::Refund(actions) => actions
                .into_iter()
                .map(|action| upload::adjustment(source, adjustment::refund(source, action)?))
                .collect(),
            Targets::Report { conversions, enhancements } => {
                let conversions = conversions
                    .into_iter()
                    .map(|action| upload::conversion(source, conversion::conversion(source, action)?));
                let enhancements = enhancements
                    .into_iter()
                    .map(|action| upload::adjustment(source, adjustment::enhancement(source, action)?));
                upload::whatever_can_be_sent(conversions.chain(enhancements))
            }
        }
    }

    fn classify(response: Response, count: u32, ctx: Context) -> Verdict {
        answer::verdict(&response, count, &ctx)
    }
}
