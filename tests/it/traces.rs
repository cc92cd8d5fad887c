//! Traces of real campaigns, as a collector gets them.

use serde_json::json;

use crate::support::{
    collector::{Collector, Span},
    house::{House, total},
};

const DEVICES: usize = 6_000;
const FAULTS: [&str; 2] = ["--fail", "apns:400:BadTopic:0.05"];

fn settings(collector: &str) -> String {
    format!(
        "[limits]\nfcm_per_second = 0\npage_size = 100\n\n[telemetry]\notlp_endpoint = \"{collector}\"\n"
    )
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn sum(spans: &[&Span], attribute: &str) -> u64 {
    spans.iter().map(|span| span.number(attribute)).sum()
}

#[test]
fn a_campaigns_pages_are_told_with_their_counts() {
    let collector = Collector::start();
    let mut house = House::start(&FAULTS, &settings(&collector.url()));
    house.register(DEVICES);
    let uuid = house.create(&json!({"title": "nobody's business"}));
    house.launch(&uuid);
    let ended = house.wait_sent(&uuid);
    house.server.take().expect("a running server").terminate().expect("ended");

    let spans = collector.spans();
    let (sent, failed) = (total(&ended["sent"]), total(&ended["failed"]));
    let [campaign] = named(&spans, "campaign")[..] else { panic!("one campaign: {spans:?}") };
    assert_eq!(campaign.parent, "");
    assert_eq!(campaign.attributes["fanfare.notification"]["stringValue"], json!(uuid));
    assert_eq!(campaign.attributes["fanfare.stopped"]["boolValue"], json!(false));
    assert!(failed > 0);
    let counts = ["fanfare.accepted", "fanfare.failed"].map(|name| campaign.number(name));
    assert_eq!(counts, [sent, failed]);

    let pages = named(&spans, "page");
    assert!(pages.len() > 16, "{} pages", pages.len());
    assert_eq!(campaign.number("fanfare.pages"), pages.len() as u64);
    // A page that was set aside for a while is read again, and told again.
    assert!(sum(&pages, "fanfare.devices") >= sent + failed);
    assert_eq!(sum(&pages, "fanfare.accepted"), sent);
    assert_eq!(sum(&named(&spans, "push"), "fanfare.failed"), failed);
    assert_eq!(sum(&named(&spans, "record"), "fanfare.outcomes"), sent + failed);
    for page in pages {
        assert_eq!((&page.parent, &page.trace), (&campaign.id, &campaign.trace));
        within(page, campaign);
        let outcomes = page.number("fanfare.accepted") + page.number("fanfare.failed");
        assert!(outcomes <= page.number("fanfare.devices"), "{page:?}");
        for part in ["read", "push", "record"] {
            let of_page: Vec<_> =
                named(&spans, part).into_iter().filter(|span| span.parent == page.id).collect();
            let [span] = of_page[..] else { panic!("{} of {part}", of_page.len()) };
            within(span, page);
        }
    }
    let told = format!("{:?}", collector.requests());
    assert!(told.contains("service.name") && told.contains("service.instance.id"));
    assert!(!told.contains("nobody's business"), "a title was told");
}

fn within(inner: &Span, outer: &Span) {
    let fits =
        outer.began <= inner.began && inner.began <= inner.ended && inner.ended <= outer.ended;
    assert!(fits, "{inner:?} is not within {outer:?}");
}

#[test]
fn a_collector_that_is_away_holds_nothing_up() {
    // Nobody listens there.
    let mut house = House::start(&[], &settings("http://127.0.0.1:9"));
    house.register(1000);
    let uuid = house.create(&json!({}));
    house.launch(&uuid);
    house.wait_sent(&uuid);
    let begun = std::time::Instant::now();
    house.server.take().expect("a running server").terminate().expect("ended");
    assert!(begun.elapsed() < std::time::Duration::from_secs(8), "it took {:?}", begun.elapsed());
    let log = house.log();
    assert!(log.contains("failed to send the last traces") || log.contains("Export"), "{log}");
}
