//! `context`: where and with what the event happened, and what the visitor consented to.
//!
//! Sources: "Spec: Common Fields", section "Context", and "Consent in Segment Connections", section "Consent object".

use tidegate_plugin_sdk::fields::{Field, Fields};
use tidegate_plugin_sdk::{Event, Purposes, url};

use crate::config::ConsentCategories;
use crate::message::Source;
use crate::names::Call;
use crate::{properties, traits};

/// The campaign's fields, and the query parameters they come from.
const CAMPAIGN: &[(&str, &str)] = &[
    ("name", "utm_campaign"),
    ("source", "utm_source"),
    ("medium", "utm_medium"),
    ("term", "utm_term"),
    ("content", "utm_content"),
];

/// The context of one call.
pub(crate) fn collect<'a>(call: Call<'_>, source: Source<'a>) -> Fields<'a> {
    let Source { event, config, test_mode, .. } = source;
    let mut context = Fields::default();
    if let Some(client) = &event.client {
        context.text("ip", client.ip.as_deref());
        context.text("userAgent", client.user_agent.as_deref());
        context.text("locale", client.locale.as_deref());
        context.object("location", location(client.region.as_deref()));
    }
    let mut page = Fields::default();
    properties::page(event, &mut page);
    context.object("page", page);
    if let Some(url) = event.page_url() {
        let mut campaign = Fields::default();
        for (name, parameter) in CAMPAIGN {
            campaign.text(*name, url::parameter(url, parameter));
        }
        context.object("campaign", campaign);
    }
    if !matches!(call, Call::Identify) {
        context.object("traits", traits::collect(event));
    }
    context.object("consent", consent(event, &config.consent_categories));
    let mut library = Fields::default();
    library.text("name", Some("tidegate"));
    library.text("version", Some(env!("CARGO_PKG_VERSION")));
    context.object("library", library);
    if test_mode {
        context.put("test", Field::Flag(true));
    }
    context
}

/// `AT`, or `US-CA`.
fn location(region: Option<&str>) -> Fields<'_> {
    let mut location = Fields::default();
    match region.map(|region| (region, region.split_once('-'))) {
        Some((_, Some((country, subdivision)))) => {
            location.text("country", Some(country));
            location.text("region", Some(subdivision));
        }
        Some((country, None)) => location.text("country", Some(country)),
        None => {}
    }
    location
}

/// A purpose that was never asked has no preference: Segment reads its absence as unknown.
fn consent<'a>(event: &Event, categories: &'a ConsentCategories<'_>) -> Fields<'a> {
    let consent = &event.consent;
    let mut preferences = Fields::default();
    for (category, purpose) in [
        (&categories.analytics, Purposes::ANALYTICS),
        (&categories.ad_storage, Purposes::AD_STORAGE),
        (&categories.ad_user_data, Purposes::AD_USER_DATA),
        (&categories.ad_personalization, Purposes::AD_PERSONALIZATION),
    ] {
        let granted = consent.granted.contains(purpose);
        if !category.is_empty() && (granted || consent.denied.contains(purpose)) {
            preferences.put(&**category, Field::Flag(granted));
        }
    }
    if !categories.sale_or_sharing.is_empty() && (consent.gpc || consent.limited_data_use) {
        preferences.put(&*categories.sale_or_sharing, Field::Flag(false));
    }
    let mut object = Fields::default();
    object.object("categoryPreferences", preferences);
    object
}
