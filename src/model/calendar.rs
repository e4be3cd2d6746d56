//! Days in the two calendars that people here read: the Gregorian, and the Jalali (Solar Hijri) one.

/// A day of some calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

/// Jalali years at which the pattern of leap years begins anew, by K. M. Borkowski, *The Persian calendar
/// for 3000 years* (1996). Between them every 33 years have 8 leap years.
const BREAKS: [i64; 20] = [
    -61, 9, 38, 199, 426, 686, 756, 818, 1111, 1181, 1210, 1635, 2060, 2097, 2192, 2262, 2324,
    2394, 2456, 3178,
];

/// The Gregorian date of a day, counted from 1970-01-01.
#[must_use]
pub fn gregorian(day: i64) -> Date {
    // Years that begin in March put the leap day at their end; 400 of them have 146,097 days.
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    Date { year, month: month as u8, day: day as u8 }
}

/// The number of a Gregorian day, counted from 1970-01-01; `None` when there is no such day.
#[must_use]
pub fn day_of(date: Date) -> Option<i64> {
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    // Years that begin in March put the leap day at their end.
    let year = date.year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let number = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (gregorian(number) == date).then_some(number)
}

/// The Jalali date of a day, counted from 1970-01-01; `None` where no rule for leap years is known, before
/// the year 1 and after 3177.
#[must_use]
pub fn jalali(day: i64) -> Option<Date> {
    let mut year = gregorian(day).year - 621;
    if day < new_year(year)? {
        year -= 1;
    }
    // Six months of 31 days, then months of 30; the last one has 29 unless the year is a leap year.
    let of_year = day - new_year(year)?;
    let (month, day) = match of_year {
        0..186 => (of_year / 31 + 1, of_year % 31 + 1),
        _ => ((of_year - 186) / 30 + 7, (of_year - 186) % 30 + 1),
    };
    Some(Date { year, month: month as u8, day: day as u8 })
}

/// The first day of a Jalali year, counted from 1970-01-01.
fn new_year(year: i64) -> Option<i64> {
    if !(1..3_178).contains(&year) {
        return None;
    }
    let leaps_of = |years: i64, rest: i64| years / 33 * 8 + (years % 33 + rest) / 4;
    let next = BREAKS.iter().position(|first| year < *first)?;
    let leaps_before: i64 =
        BREAKS[..next].windows(2).map(|pair| leaps_of(pair[1] - pair[0], 0)).sum();
    let (first, length) = (BREAKS[next - 1], BREAKS[next] - BREAKS[next - 1]);
    let within = year - first;
    let short_end = length % 33 == 4 && length - within == 4;
    let leaps = leaps_before - 14 + leaps_of(within, 3) + i64::from(short_end);
    let gregorian_year = year + 621;
    let gregorian_leaps = gregorian_year / 4 - (gregorian_year / 100 + 1) * 3 / 4 - 150;
    Some(first_of_march(gregorian_year) + 19 + leaps - gregorian_leaps)
}

fn first_of_march(year: i64) -> i64 {
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: i64, month: u8, day: u8) -> Date {
        Date { year, month, day }
    }

    #[test]
    fn gregorian_days_that_everybody_knows() {
        for (day, known) in [
            (0, date(1970, 1, 1)),
            (-1, date(1969, 12, 31)),
            (11_016, date(2000, 2, 29)),
            (19_723, date(2024, 1, 1)),
            (-719_162, date(1, 1, 1)),
        ] {
            assert_eq!(gregorian(day), known);
            assert_eq!(day_of(known), Some(day));
        }
    }

    #[test]
    fn no_other_day_has_a_number() {
        for odd in [date(2023, 2, 29), date(2024, 2, 30), date(2024, 4, 31), date(2024, 13, 1)] {
            assert_eq!(day_of(odd), None, "{odd:?}");
        }
        assert_eq!(day_of(date(2024, 0, 1)), None);
        assert_eq!(day_of(date(2024, 1, 0)), None);
        assert!((-800_000..800_000).all(|day| day_of(gregorian(day)) == Some(day)));
    }

    #[test]
    fn jalali_days_that_everybody_knows() {
        for (gregorian, known) in [
            (date(1970, 1, 1), date(1348, 10, 11)),
            (date(1979, 2, 11), date(1357, 11, 22)),
            (date(1925, 3, 31), date(1304, 1, 11)),
            (date(2000, 3, 20), date(1379, 1, 1)),
            (date(2017, 3, 20), date(1395, 12, 30)),
            (date(2017, 3, 21), date(1396, 1, 1)),
            (date(2021, 3, 20), date(1399, 12, 30)),
            (date(2021, 3, 21), date(1400, 1, 1)),
            (date(2024, 3, 19), date(1402, 12, 29)),
            (date(2024, 3, 20), date(1403, 1, 1)),
            (date(2025, 3, 20), date(1403, 12, 30)),
            (date(2025, 9, 22), date(1404, 6, 31)),
            (date(2025, 9, 23), date(1404, 7, 1)),
            (date(2026, 11, 22), date(1405, 9, 1)),
            (date(2029, 3, 20), date(1408, 1, 1)),
        ] {
            assert_eq!(jalali(day_of(gregorian).unwrap()), Some(known), "{gregorian:?}");
        }
    }

    #[test]
    fn no_day_is_left_out_or_comes_twice() {
        let mut before = jalali(-40_000).unwrap();
        for day in -39_999..60_000 {
            let date = jalali(day).unwrap();
            let follows = if date.day > 1 {
                (date.year, date.month, date.day) == (before.year, before.month, before.day + 1)
            } else if date.month > 1 {
                (date.year, date.month) == (before.year, before.month + 1) && before.day >= 30
            } else {
                date.year == before.year + 1 && before.month == 12 && before.day >= 29
            };
            assert!(follows, "{date:?} after {before:?}");
            before = date;
        }
    }

    #[test]
    fn days_that_no_calendar_has_a_rule_for() {
        assert_eq!(jalali(-700_000), None);
        assert_eq!(jalali(700_000), None);
    }
}
