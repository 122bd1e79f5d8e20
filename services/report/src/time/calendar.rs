//! The Gregorian calendar, in days since 0001-01-01.

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

/// Days from 0000-03-01, where the arithmetic starts so that leap days come last, to 0001-01-01.
const SHIFT: i64 = 306;
const DAYS_IN_400_YEARS: i64 = 146_097;

/// The number of a day, if there is such a day.
pub(super) fn days_of_date(date: Date) -> Option<i64> {
    let Date { year, month, day } = date;
    if !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    // Years begin with March here.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * DAYS_IN_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - SHIFT;
    (date_of_days(days) == date).then_some(days)
}

/// The day with this number.
pub(super) fn date_of_days(days: i64) -> Date {
    let days = days + SHIFT;
    let era = days.div_euclid(DAYS_IN_400_YEARS);
    let day = days.rem_euclid(DAYS_IN_400_YEARS);
    let of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    Date {
        year: era * 400 + of_era + i64::from(month >= 10),
        month: if month < 10 { month + 3 } else { month - 9 },
        day: of_year - (153 * month + 2) / 5 + 1,
    }
}
