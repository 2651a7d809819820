//! A preview for a person: the requests as they would leave, and what is different after a change.

use tidegate_plugin_sdk::testing::lines_between;

use super::super::super::destination::indented;
use super::super::super::output::{Paint, bytes, clean};
use super::super::test::{painted, time};
use crate::kit::preview::{Outcome, Preview, Request};

pub(super) fn render(preview: &Preview, paint: Paint) -> String {
    let Preview { plugin, event, outcome, used } = preview;
    let mut lines = vec![format!("{} makes of `{}`", paint.bold(plugin), clean(event))];
    match outcome {
        Outcome::Requests(requests) if requests.is_empty() => lines.push(paint.yellow("  no request")),
        Outcome::Requests(requests) => lines.extend(requests.iter().flat_map(|it| request(it, paint))),
        Outcome::Skip(reason) => lines.push(format!("  {} {}", paint.yellow("skipped:"), clean(reason))),
        Outcome::Invalid(reason) => lines.push(format!("  {} {}", paint.red("invalid:"), clean(reason))),
        Outcome::Failed(message) => lines.push(format!("  {} {}", paint.red("failed:"), clean(message))),
    }
    let cost = format!("{} fuel, {} of memory, {}", used.fuel, bytes(used.memory_bytes), time(used.time_us));
    lines.extend([String::new(), paint.dim(cost)]);
    lines.join("\n")
}

fn request(request: &Request, paint: Paint) -> Vec<String> {
    let Request { method, url, headers, body, problem, .. } = request;
    let mut lines = vec![String::new(), paint.bold(format!("{method} {url}"))];
    lines
        .extend(problem.iter().map(|problem| format!("  {} {}", paint.red("the gateway refuses it:"), clean(problem))));
    lines.extend(headers.iter().map(|(name, value)| clean(&format!("  {name}: {value}"))));
    if !body.is_empty() {
        lines.push(String::new());
        lines.extend(indented(body));
    }
    lines
}

/// What is different now, or that nothing is.
pub(super) fn changed(before: &str, after: &str, paint: Paint) -> String {
    let without_cost = |text: &str| text.rsplit_once('\n').map(|(most, _)| most.to_owned()).unwrap_or_default();
    let lines = lines_between(&without_cost(before), &without_cost(after));
    if lines.is_empty() {
        return "the same as before".to_owned();
    }
    painted(&lines, paint).join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::test::Used;

    fn preview(outcome: Outcome) -> Preview {
        Preview { plugin: "acme 0.1.0".into(), event: "purchase".into(), outcome, used: Used::default() }
    }

    #[test]
    fn a_request_is_shown_as_it_would_leave() {
        let request = Request {
            endpoint: "events".into(),
            method: "POST".into(),
            url: "https://acme.example/events?a=b".into(),
            problem: None,
            headers: vec![("content-type".into(), "application/json".into())],
            body: "{\"value\":1}".into(),
        };
        let text = render(&preview(Outcome::Requests(vec![request])), Paint::Plain);
        let expected = "acme 0.1.0 makes of `purchase`\n\nPOST https://acme.example/events?a=b\n  content-type: \
                        application/json\n\n  {\n    \"value\": 1\n  }\n";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn what_changed_is_shown_and_what_only_took_longer_is_not() {
        let before = render(&preview(Outcome::Skip("no".into())), Paint::Plain);
        let slower = Preview { used: Used { time_us: 9, ..Used::default() }, ..preview(Outcome::Skip("no".into())) };
        assert_eq!(changed(&before, &render(&slower, Paint::Plain), Paint::Plain), "the same as before");
        let after = render(&preview(Outcome::Failed("crashed: at line 3".into())), Paint::Plain);
        let shown = changed(&before, &after, Paint::Plain);
        assert!(shown.contains("-   skipped: no\n+   failed: crashed: at line 3"), "{shown}");
    }
}
