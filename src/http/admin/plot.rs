//! Plots, drawn here as SVG: shapes without a script, and the same figures as a table beside them.
//!
//! The shapes are stretched to the width there is; words stand outside of them, so they stay words.

/// The drawing's own measures; the stylesheet gives it its real ones.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// Bars or lines over time, and what a screen reader has of them.
pub struct Plot {
    /// Names the plot within its page.
    pub id: &'static str,
    pub title: &'static str,
    /// What it shows, in a sentence.
    pub summary: String,
    pub bars: Vec<Bar>,
    pub lines: Vec<Line>,
    /// What the top edge stands for.
    pub top: String,
    /// The two ends of the time axis.
    pub from: String,
    pub until: String,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// A bar; told when it is pointed at.
pub struct Bar {
    pub x: String,
    pub y: String,
    pub width: String,
    pub height: String,
    pub title: String,
}

/// A line through some points.
pub struct Line {
    /// `typical` or `slow`, for the stylesheet.
    pub kind: &'static str,
    pub name: &'static str,
    /// The attribute `d` of its path.
    pub path: String,
}

impl Plot {
    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A bar for each value; a value that is not nothing can be seen.
pub fn bars(values: &[(u64, String)], top: u64) -> Vec<Bar> {
    let step = WIDTH / values.len().max(1) as f64;
    let bar = |(at, (value, title)): (usize, &(u64, String))| {
        let height = (*value as f64 / top.max(1) as f64 * HEIGHT).max(1.5);
        Bar {
            x: format!("{:.1}", at as f64 * step + step * 0.12),
            y: format!("{:.1}", HEIGHT - height),
            width: format!("{:.1}", step * 0.76),
            height: format!("{height:.1}"),
            title: title.clone(),
        }
    };
    values.iter().enumerate().filter(|(_, (value, _))| *value > 0).map(bar).collect()
}

/// A path through the values, with gaps where there are none; a value alone is a short dash.
pub fn path(values: &[Option<f64>], top: f64) -> String {
    let step = WIDTH / values.len().max(1) as f64;
    let mut path = String::new();
    let mut pen_is_down = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            pen_is_down = false;
            continue;
        };
        let y = HEIGHT - (value / top.max(f64::MIN_POSITIVE)).min(1.0) * (HEIGHT - 3.0) - 1.5;
        let (left, right) = (at as f64 * step + step * 0.2, (at + 1) as f64 * step - step * 0.2);
        let command = if pen_is_down { 'L' } else { 'M' };
        path.push_str(&format!("{command}{left:.1} {y:.1}L{right:.1} {y:.1}"));
        pen_is_down = true;
    }
    path
}

/// The next round number: 1, 2 or 5 and zeros.
pub fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let digits = value / power;
    [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| digits <= step + 1e-9).unwrap_or(10.0) * power
}

/// The next size that people call round: 1, 2, 5, 10, … of a unit of 1,024.
pub fn round_up_bytes(bytes: u64) -> u64 {
    let mut unit = 1.0;
    while bytes as f64 / unit >= 1_024.0 {
        unit *= 1_024.0;
    }
    let rounded = round_up(bytes as f64 / unit);
    // 2,000 KiB are no rounder than 2 MiB.
    if rounded >= 1_000.0 { (unit * 1_024.0) as u64 } else { (rounded * unit) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_edge_is_a_round_number() {
        for (value, round) in [(0.0, 1.0), (0.013, 0.02), (1.0, 1.0), (3.0, 5.0), (70.0, 100.0)] {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
        for (bytes, round) in [(0, 1), (1_500, 2 << 10), (700 << 10, 1 << 20), (3 << 20, 5 << 20)] {
            assert_eq!(round_up_bytes(bytes), round, "{bytes}");
        }
    }

    #[test]
    fn small_values_are_seen_and_none_are_not() {
        let values = [(0, "a".to_owned()), (1, "b".to_owned()), (1_000_000, "c".to_owned())];
        let bars = bars(&values, 1_000_000);
        assert_eq!(bars.len(), 2);
        assert_eq!((bars[0].height.as_str(), bars[1].height.as_str()), ("1.5", "120.0"));
    }

    #[test]
    fn a_line_has_gaps() {
        let path = path(&[Some(1.0), Some(2.0), None, Some(1.0)], 2.0);
        assert_eq!(path.matches('M').count(), 2);
        assert_eq!(path.matches('L').count(), 4);
    }
}
