//! Spans of time on the command line: `100ms`, `10s`, `1m 30s`.

use std::time::Duration;

/// Parses a span of time.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("'{text}': {error}; give a time like 100ms, 10s or 5m"))
}

/// Parses a span that snapshots can be apart.
pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse(text)?;
    let (least, most) = (Duration::from_millis(10), Duration::from_hours(1));
    if (least..=most).contains(&interval) {
        Ok(interval)
    } else {
        Err(format!("'{text}' is not within 10ms to 1h"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse, parse_interval};

    #[test]
    fn a_span_has_a_unit() {
        assert_eq!(parse("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(parse("10").unwrap_err().contains("10s"));
    }

    #[test]
    fn snapshots_are_ten_milliseconds_to_an_hour_apart() {
        assert_eq!(parse_interval("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(parse_interval("1h"), Ok(Duration::from_hours(1)));
        assert!(parse_interval("9ms").is_err() && parse_interval("61m").is_err());
    }
}
