//! The panel in English.

use super::Texts;
use crate::http::admin::language::Language::English;

/// A number and its noun.
fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", English.number(number), if number == 1 { one } else { many })
}

fn entries(number: u64) -> String {
    count(number, "entry", "entries")
}

fn files(number: u64) -> String {
    count(number, "file", "files")
}

pub static ENGLISH: Texts = Texts {
    skip: "Skip to the content",
    pages: "Pages",
    overview: "Overview",
    entries: "Entries",
    trash: "Trash",
    cleanup: "Cleanup",
    doctor: "Doctor",
    language: "Language",
    colours: "Colours",
    colours_auto: "Auto",
    colours_light: "Light",
    colours_dark: "Dark",
    log_in: "Log in",
    log_out: "Log out",
    log_in_to_change: "Log in to change anything",
    only_looking: "You are looking as a guest.",

    months: ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    millisecond: "ms",
    second: "s",
    minute: "min",
    hour: "h",
    day: "d",
    just_now: "just now",
    ago: |length| format!("{length} ago"),
    date_and_time: |date, time| format!("{date}, {time} UTC"),
    entries_count: entries,
    days_count: |days| count(days, "day", "days"),
    bytes_count: |bytes| count(bytes, "byte", "bytes"),
    and_more: |more| format!("… and {} more", English.number(more)),
    more_than: |number| format!("{} entries or more", English.number(number)),

    login_title: "Log in",
    login_explained: "The token is the value of IMAGECACHED_TOKEN. Where none is set, the program makes one \
                      at start and prints a link with it.",
    token: "Token",
    wrong_token: "This is not the token.",
    too_many_tokens: "Too many wrong tokens from your address.",
    wait: |length| format!("Try again in {length}."),
    logged_in: "You are logged in.",
    logged_out: "You are logged out.",
    go_on: "Continue",

    all_safe: "Everything is safe",
    all_safe_detail: "Every upload that was seen is in the database.",
    on_the_way: |unsaved| match unsaved {
        1 => "1 file is on its way to the database".into(),
        _ => format!("{} are on their way to the database", files(unsaved)),
    },
    late: |unsaved| match unsaved {
        1 => "1 file is not safe yet".into(),
        _ => format!("{} are not safe yet", files(unsaved)),
    },
    oldest_waits: |length| format!("The oldest has been waiting for {length}."),
    not_mended: |entries| match entries {
        1 => "1 stored file is damaged, or is not the one on disk".into(),
        _ => format!(
            "{} are damaged, or are not those on disk",
            count(entries, "stored file", "stored files")
        ),
    },
    not_mended_detail: "Verifying could not mend it. The command \"imagecached verify\" names what is wrong, and what to do.",
    versions_damaged: |contents| match contents {
        1 => "1 earlier content is damaged".into(),
        _ => format!("{} are damaged", count(contents, "earlier content", "earlier contents")),
    },
    versions_damaged_detail: "The present files are safe; this one cannot be given back. The command \"imagecached verify\" names it.",
    database_away: "The database is away",
    database_away_idle: "Nothing waits for it now. New uploads stay on the disk until it is back.",
    database_away_here: "There is nothing to show before it is back.",
    not_safe_away: |unsaved| match unsaved {
        1 => "The database is away, and 1 file is not safe".into(),
        _ => format!("The database is away, and {} are not safe", files(unsaved)),
    },
    do_not_stop: "What waits is on the disk only. Do not stop this container before the database is back.",
    nobody_guards: "This is a look into the database",
    nobody_guards_detail: "This process has no upload directory. Whether every upload is safe is known to \
                           the one beside the app.",

    unsaved: "Not safe yet",
    unsaved_explained: "seen, and not in the database",
    files_size: "Size of the files",
    database_size: "Size in the database",
    without_data: "without data",
    without_data_explained: "These entries cannot be restored.",
    captured_explained: "files, by this process",
    watcher: "Watcher",
    watcher_watching: "Watching",
    watcher_degraded: "Scanning only",
    watcher_off: "Starting",
    watcher_none: "Not in this process",
    restoring: "Restoring",
    restore_progress: |done, planned| format!("{} of {}", English.number(done), files(planned)),
    where_bytes_are: "Where the bytes are",
    share: "Share",
    counted_ago: |seconds| format!("counted {seconds} s ago"),
    growth: "Stored per day",
    growth_summary: |stored, size| format!("{}, {size}, in the last 30 days.", files(stored)),
    growth_bar: |day, stored, size| format!("{day}: {}, {size}", files(stored)),
    speed: "From close to commit",
    speed_summary: |stored, worst| {
        format!("{} in the last hour; the slowest was safe after {worst}.", files(stored))
    },
    speed_none: "No file was stored in the last hour.",
    typical: "Half within",
    slow: "99 of 100 within",
    slowest: "Slowest",
    files: "Files",
    date: "Day",
    time: "Time (UTC)",
    today: "today",
    an_hour_ago: "an hour ago",
    now: "now",
    as_table: "As a table",
    last_errors: "Last errors",
    no_errors: "None since the start.",
    events: "Last events",
    no_events: "Nothing has happened yet.",
    live: "live",
    cache_all: "Store what is missing",
    restore_all: "Restore what is missing",
    look_at_doctor: "Ask the doctor",

    search: "Search",
    search_hint: "part of a path",
    kind: "Type",
    place: "Stored",
    disk: "On disk",
    any: "Any",
    pictures: "Images",
    videos: "Videos",
    sounds: "Sounds",
    documents: "Documents",
    plain_texts: "Texts",
    is_on_disk: "On disk",
    not_on_disk: "Not on disk",
    unused_for: "Not accessed for",
    days: "days",
    sort: "Sort by",
    order: "Order",
    ascending: "Ascending",
    descending: "Descending",
    by_updated: "Last change",
    by_accessed: "Last access",
    by_created: "First stored",
    by_size: "Size",
    by_path: "Path",
    apply: "Show",
    clear: "Clear",
    path: "Path",
    size: "Size",
    updated: "Changed",
    accessed: "Accessed",
    select: |path| format!("Select {path}"),
    select_all: "Select all on this page",
    selected: "selected",
    with_selected: "With selected entries",
    restore: "Restore",
    cache_again: "Store again",
    delete: "Delete",
    nothing_found: "No entry is like that.",
    nothing_stored: "Nothing is stored yet.",
    next_page: "Next page",
    previous_page: "Previous page",
    first_page: "First page",
    list_pages: "Pages of the list",
    cut_short: "There are many entries, and few like these: the next page goes on with the search.",
    payload_inline: "In the row",
    payload_chunks: "In chunks",
    payload_url: "Object store",
    payload_none: "No data",

    nothing_selected: "No entry was selected.",
    restore_title: |selected| format!("Restore {}?", entries(selected)),
    restore_explained: "Files that are missing are put back. A file that is there is never touched.",
    restore_button: |selected| format!("Restore {}", entries(selected)),
    cache_title: |selected| format!("Store {} again?", entries(selected)),
    cache_explained: "The files are read from the disk and stored anew. Use this when what is stored is \
                      damaged.",
    cache_button: |selected| format!("Store {} again", entries(selected)),
    cache_absent: |absent| match absent {
        1 => "1 of the files is not on the disk; its entry stays as it is.".into(),
        _ => format!(
            "{} of the files are not on the disk; their entries stay as they are.",
            English.number(absent)
        ),
    },
    delete_title: |selected| format!("Delete {}?", entries(selected)),
    delete_explained: "The entries leave the cache. Files on the disk are left alone, and are \
                       stored again within the hour.",
    delete_button: |selected| format!("Delete {}", entries(selected)),
    delete_last_copies: |absent| match absent {
        1 => "1 of the files is not on the disk. This removes its last copy, and cannot be undone."
            .into(),
        _ => format!(
            "{} of the files are not on the disk. This removes their last copies, and cannot be undone.",
            English.number(absent)
        ),
    },
    delete_unknown: "This process does not see the disk. These may be the last copies, and this cannot be \
                     undone.",
    only_beside_the_app: "This can only be done by the process that has the upload directory: the one beside \
                          the app.",
    cancel: "Cancel",
    deleted: |removed| format!("{} deleted.", entries(removed)),
    cached: |cached, unchanged, skipped, failed| {
        format!(
            "{} stored, {} unchanged, {} skipped, {} failed.",
            English.number(cached),
            English.number(unchanged),
            English.number(skipped),
            English.number(failed)
        )
    },
    restored: |restored, present, damaged, left| {
        format!(
            "{} restored, {} there already, {} damaged, {} not restored.",
            English.number(restored),
            English.number(present),
            English.number(damaged),
            English.number(left)
        )
    },
    goes_on: "This takes a while and goes on in the background. Its end will be told among the events.",

    fields: "Details",
    preview: "Preview",
    preview_of: |name| format!("Preview of {name}"),
    no_preview: "No preview for this type",
    number: "Number",
    owner: "Owner",
    owner_unknown: "unknown",
    on_disk: "On disk",
    yes: "Yes",
    no: "No",
    created: "First stored",
    modified: "File modified",
    mode: "Mode",
    address: "Address",
    verify: "Verify",
    verify_explained: "Reads the stored bytes and compares their sha256.",
    sound: "The stored bytes are sound: their sha256 is that of the file.",
    damaged: "The stored bytes are damaged",
    damaged_cure_disk: "Its file is on the disk: store it again.",
    damaged_cure: "Its file is not on a disk that this process sees. Bring a backup back, or delete the entry.",
    download: "Download",

    versions: "Earlier contents",
    versions_explained: "What this path had before, and what of it is in the trash.",
    since: "From",
    ended: "Until",
    why: "Then",
    why_replaced: "another content came",
    why_deleted: "the app deleted it",
    why_removed: "it was removed here, or by a cleanup",
    download_version: |when| format!("Download the content that ended {when}"),
    revert: "Make it present",
    revert_to: |when| format!("Make the content that ended {when} the present one"),
    revert_title: "Make this earlier content the present one?",
    revert_explained: "It takes the place of the file on the disk, whole and at once, and is stored. What the path \
                       has now is stored first and becomes an earlier content, which can be made present in \
                       the same way for as long as it is kept.",
    revert_button: "Make it the present content",
    reverted: "The earlier content is the present one, on the disk and in the database.",
    trash_explained: "What was deleted is kept here for a time; then it goes for good.",
    trash_when: "Deleted",
    trash_how: "How",
    trash_empty: "The trash is empty.",
    give_back: "Give back",
    give_back_title: |selected| format!("Give {} back?", entries(selected)),
    give_back_explained: "They are entries again, with everything that they had, and missing files are put \
                          back. What has a new entry by now stays in the trash.",
    give_back_button: |selected| format!("Give {} back", entries(selected)),
    given_back: |given, left| match left {
        0 => format!("{} given back.", entries(given)),
        _ => format!(
            "{} given back; {} stay in the trash, since their paths have a newer content.",
            entries(given),
            English.number(left)
        ),
    },
    forget: "Delete for good",
    forget_title: |selected| format!("Delete {} for good?", entries(selected)),
    forget_explained: "These are the last copies that are kept. This cannot be undone.",
    forget_button: |selected| format!("Delete {} for good", entries(selected)),
    forgotten: |count| format!("{} deleted for good.", entries(count)),

    cleanup_explained: "Removes entries that nobody has used for long. A file that is on the disk counts as in \
                        use, and its entry stays.",
    cleanup_days: "Not accessed for at least",
    cleanup_show: "Show what would go",
    cleanup_nothing: |days| {
        format!("Nothing would go: every entry was used within {days}, or is on the disk.")
    },
    cleanup_would_go: |count, size, days| {
        format!("{count} ({size}) would go: not accessed for {days}, and not on the disk.")
    },
    cleanup_impossible: "Without the upload directory nobody can tell what is in use, so nothing can be \
                         removed here. Ask the process beside the app.",
    cleanup_do: |count| format!("Remove {}", entries(count)),
    cleanup_for_ever: "Their files are on no disk here: this cannot be undone.",
    trash_keeps: |days| format!("What goes stays in the trash for {days}, and can be taken back."),
    in_use: |count| match count {
        0 => String::new(),
        1 => "1 more was not accessed for so long, but is on the disk and stays.".into(),
        _ => format!(
            "{} more were not accessed for so long, but are on the disk and stay.",
            English.number(count)
        ),
    },
    cleaned: |removed| format!("{} removed.", entries(removed)),

    doctor_explained: "Looks over storage, database, watcher and settings.",
    doctor_sentence: |errors, warnings| match (errors, warnings) {
        (0, 0) => "All is well".into(),
        (0, _) => count(warnings, "warning", "warnings"),
        (_, 0) => count(errors, "error", "errors"),
        _ => format!(
            "{} and {}",
            count(errors, "error", "errors"),
            count(warnings, "warning", "warnings")
        ),
    },
    doctor_unfinished: "This took too long and was given up; some checks are missing.",
    doctor_well_from_here: "All is well, as far as can be seen from here",
    doctor_elsewhere: "This process has no upload directory. What can only be seen there is left out: the panel of \
                       the process beside the app shows it, and so does the command imagecached doctor there.",
    looked: |when| format!("Looked {when}."),
    look_again: "Look again",
    examined: "The doctor has looked again.",
    errors: "Errors",
    warnings: "Warnings",
    notes: "Notes",
    all_well: "In order",
    cure: "Cure",

    fault_login: "Please log in",
    fault_forbidden: "This form is not valid any more",
    fault_not_found: "Not found",
    fault_no_upload_dir: "Not in this process",
    fault_too_many: "Too many attempts",
    fault_database: "This could not be done now",
    fault_request: "This cannot be understood",
    fault_ours: "Something went wrong",
    to_overview: "To the overview",
};
