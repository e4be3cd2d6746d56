//! The two languages of the panel: how each writes numbers, sizes, times and dates.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::model::Timestamp;
use crate::model::calendar::{gregorian, jalali};

use super::text::{self, Texts};

/// A language that the panel speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    Persian,
}

const KI: f64 = 1_024.0;

impl Language {
    /// Reads a tag such as `fa` or `fa-IR`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        match tag.trim().split('-').next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "fa" => Some(Self::Persian),
            _ => None,
        }
    }

    /// The one that a browser likes best among ours; English when it likes neither.
    pub fn of_browser(headers: &HeaderMap) -> Self {
        let wishes =
            headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let weighed = wishes.split(',').filter_map(|wish| {
            let (tag, rest) = wish.split_once(';').unwrap_or((wish, ""));
            let weight =
                rest.trim().strip_prefix("q=").map_or(Some(1.0), |text| text.parse().ok())?;
            Some((Self::of_tag(tag)?, weight)).filter(|(_, weight): &(_, f32)| *weight > 0.0)
        });
        // The first of equals wins.
        let best = weighed.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or(Self::English, |(language, _)| language)
    }

    /// For `lang` attributes and the cookie.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Persian => "fa",
        }
    }

    /// For `dir` attributes.
    pub fn direction(self) -> &'static str {
        match self {
            Self::English => "ltr",
            Self::Persian => "rtl",
        }
    }

    /// Everything that the panel says.
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::English => &text::ENGLISH,
            Self::Persian => &text::PERSIAN,
        }
    }

    /// A text's digits, and the separators between them, as this language writes them.
    fn digits(self, text: &str) -> String {
        if self == Self::English {
            return text.to_owned();
        }
        let persian = |c: char| match c {
            '0'..='9' => {
                char::from_u32(u32::from('۰') + u32::from(c) - u32::from('0')).unwrap_or(c)
            }
            ',' => '٬',
            '.' => '٫',
            '%' => '٪',
            _ => c,
        };
        text.chars().map(persian).collect()
    }

    /// A whole number with its groups of three.
    pub fn number(self, number: u64) -> String {
        let plain = number.to_string();
        let mut grouped = String::with_capacity(plain.len() * 4 / 3);
        for (at, digit) in plain.chars().enumerate() {
            if at > 0 && (plain.len() - at).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        self.digits(&grouped)
    }

    /// A size with as many digits as a person wants: `1.6 MiB`.
    pub fn size(self, bytes: u64) -> String {
        let units = match self {
            Self::English => ["B", "KiB", "MiB", "GiB", "TiB"],
            Self::Persian => ["بایت", "کیلوبایت", "مگابایت", "گیگابایت", "ترابایت"],
        };
        let (mut value, mut unit) = (bytes as f64, 0);
        // From 1023.95 on, one decimal would show 1024.0.
        while value >= KI - 0.05 && unit + 1 < units.len() {
            (value, unit) = (value / KI, unit + 1);
        }
        let decimals = usize::from(unit > 0 && value < 99.95);
        let number = format!("{value:.decimals$}");
        let number = number.strip_suffix(".0").unwrap_or(&number);
        // A number and its unit stay on one line.
        format!("{}\u{a0}{}", self.digits(number), units[unit])
    }

    /// A share of a whole, in whole percents; what is not nothing is not shown as nothing, nor what is
    /// not all as all.
    pub fn percent(self, part: u64, whole: u64) -> String {
        let share = if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 };
        let shown = match share.round() as u64 {
            0 if part > 0 => "<1%".to_owned(),
            100.. if part < whole => "99%".to_owned(),
            share => format!("{share}%"),
        };
        self.digits(&shown)
    }

    /// A short time, such as that between closing a file and its commit.
    pub fn seconds(self, seconds: f64) -> String {
        let text = self.texts();
        let (number, unit) = match seconds {
            ..0.9995 => (format!("{:.0}", seconds * 1e3), text.millisecond),
            ..9.95 => (format!("{seconds:.1}"), text.second),
            _ => (format!("{seconds:.0}"), text.second),
        };
        let number = number.strip_suffix(".0").unwrap_or(&number);
        format!("{}\u{a0}{unit}", self.digits(number))
    }

    /// How long something has lasted, in its largest unit: `3 min`.
    pub fn duration(self, length: Duration) -> String {
        let text = self.texts();
        let seconds = length.as_secs();
        let (number, unit) = match seconds {
            0..60 => (seconds, text.second),
            60..3_600 => (seconds / 60, text.minute),
            3_600..86_400 => (seconds / 3_600, text.hour),
            _ => (seconds / 86_400, text.day),
        };
        format!("{}\u{a0}{unit}", self.number(number))
    }

    /// When it was, seen from `now`: how long ago within a week, the date before that.
    pub fn when(self, moment: Timestamp, now: Timestamp) -> String {
        self.near(moment, now).unwrap_or_else(|| self.date(moment))
    }

    /// How long ago it was, seen from `now`; `None` when it is not of the week before.
    pub fn near(self, moment: Timestamp, now: Timestamp) -> Option<String> {
        let passed = now.0.saturating_sub(moment.0);
        match u64::try_from(passed).map(Duration::from_micros) {
            Ok(passed) => (passed < Duration::from_secs(7 * 86_400)).then(|| self.ago(passed)),
            // The two clocks, the database's and this machine's, may differ a little.
            Err(_) => (passed > -60_000_000).then(|| self.ago(Duration::ZERO)),
        }
    }

    /// So long ago.
    pub fn ago(self, passed: Duration) -> String {
        if passed < Duration::from_secs(5) {
            return self.texts().just_now.to_owned();
        }
        (self.texts().ago)(&self.duration(passed))
    }

    /// The day of a moment, in UTC.
    pub fn date(self, moment: Timestamp) -> String {
        let day = moment.0.div_euclid(86_400_000_000);
        let (date, months) = match (self, jalali(day)) {
            (Self::Persian, Some(date)) => (date, self.texts().months),
            // Where there is no Jalali date: the number, which no calendar is needed for.
            (Self::Persian, None) => return moment.to_string(),
            (Self::English, _) => (gregorian(day), self.texts().months),
        };
        let month = months[usize::from(date.month - 1) % 12];
        self.digits(&format!("{} {month} {}", date.day, date.year))
    }

    /// The day and the month of a day counted from 1970-01-01, for the axis of a plot.
    pub fn short_day(self, day: i64) -> String {
        let date = match self {
            Self::English => gregorian(day),
            Self::Persian => jalali(day).unwrap_or_else(|| gregorian(day)),
        };
        let month = self.texts().months[usize::from(date.month - 1) % 12];
        self.digits(&format!("{} {month}", date.day))
    }

    /// The time of the day, in UTC: `15:04:05`.
    pub fn clock(self, moment: Timestamp) -> String {
        let of_day = moment.0.rem_euclid(86_400_000_000) / 1_000_000;
        let (hours, minutes, seconds) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        self.digits(&format!("{hours:02}:{minutes:02}:{seconds:02}"))
    }

    /// Day and time.
    pub fn date_time(self, moment: Timestamp) -> String {
        (self.texts().date_and_time)(&self.date(moment), &self.clock(moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{English, Persian};

    #[test]
    fn the_browsers_wish_is_heard() {
        for (wish, language) in [
            ("fa-IR,fa;q=0.9,en;q=0.8", Persian),
            ("en-GB,fa;q=0.9", English),
            ("de, fa;q=0.3, en;q=0.2", Persian),
            ("fa;q=0, en;q=0.1", English),
            ("de", English),
            ("", English),
            ("fa;q=x", English),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, wish.parse().unwrap())]);
            assert_eq!(Language::of_browser(&headers), language, "{wish}");
        }
        assert_eq!(Language::of_browser(&HeaderMap::new()), English);
    }

    #[test]
    fn numbers_as_each_language_writes_them() {
        assert_eq!(English.number(1_234_567), "1,234,567");
        assert_eq!(Persian.number(1_234_567), "۱٬۲۳۴٬۵۶۷");
        assert_eq!((English.number(0), Persian.number(123)), ("0".into(), "۱۲۳".into()));
        assert_eq!(English.percent(1, 3), "33%");
        assert_eq!(Persian.percent(1, 3), "۳۳٪");
        assert_eq!(English.percent(1, 1_000), "<1%");
        assert_eq!(English.percent(999, 1_000), "99%");
        assert_eq!(English.percent(0, 0), "0%");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, english, persian) in [
            (0, "0 B", "۰ بایت"),
            (1_023, "1023 B", "۱۰۲۳ بایت"),
            (1_600, "1.6 KiB", "۱٫۶ کیلوبایت"),
            (5 << 20, "5 MiB", "۵ مگابایت"),
            ((1 << 20) - 1, "1 MiB", "۱ مگابایت"),
            (300 << 20, "300 MiB", "۳۰۰ مگابایت"),
        ] {
            assert_eq!(English.size(bytes).replace('\u{a0}', " "), english);
            assert_eq!(Persian.size(bytes).replace('\u{a0}', " "), persian);
        }
    }

    #[test]
    fn times_are_told_from_now() {
        // 2026-11-22 15:04:05
        let now = Timestamp(1_795_359_845_000_000);
        let before = |seconds: i64| Timestamp(now.0 - seconds * 1_000_000);
        let both = |seconds| {
            [English, Persian].map(|it| it.when(before(seconds), now).replace('\u{a0}', " "))
        };
        assert_eq!(both(1), ["just now", "همین حالا"]);
        assert_eq!(both(200), ["3 min ago", "۳ دقیقه پیش"]);
        assert_eq!(both(-30), ["just now", "همین حالا"]);
        assert_eq!(both(30 * 86_400), ["23 Oct 2026", "۱ آبان ۱۴۰۵"]);
        assert_eq!(English.date_time(now), "22 Nov 2026, 15:04:05 UTC");
        assert_eq!(Persian.date_time(now), "۱ آذر ۱۴۰۵، ساعت ۱۵:۰۴:۰۵ به وقت UTC");
        assert_eq!(English.seconds(0.0123).replace('\u{a0}', " "), "12 ms");
        assert_eq!(Persian.seconds(2.34).replace('\u{a0}', " "), "۲٫۳ ثانیه");
    }
}
