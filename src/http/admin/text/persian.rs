//! The panel in Persian.

use super::Texts;
use crate::http::admin::language::Language::Persian;

fn number(number: u64) -> String {
    Persian.number(number)
}

/// A count of files. Persian nouns stay singular after a number.
fn files(count: u64) -> String {
    format!("{} فایل", number(count))
}

pub static PERSIAN: Texts = Texts {
    skip: "رفتن به محتوای صفحه",
    pages: "صفحه‌ها",
    overview: "نمای کلی",
    entries: "فایل‌ها",
    trash: "زباله‌دان",
    cleanup: "پاک‌سازی",
    doctor: "عیب‌یابی",
    language: "زبان",
    colours: "رنگ‌ها",
    colours_auto: "خودکار",
    colours_light: "روشن",
    colours_dark: "تیره",
    log_in: "ورود",
    log_out: "خروج",
    log_in_to_change: "برای تغییر دادن وارد شوید",
    only_looking: "شما مهمان هستید و فقط می‌بینید.",

    months: [
        "فروردین",
        "اردیبهشت",
        "خرداد",
        "تیر",
        "مرداد",
        "شهریور",
        "مهر",
        "آبان",
        "آذر",
        "دی",
        "بهمن",
        "اسفند",
    ],
    millisecond: "میلی‌ثانیه",
    second: "ثانیه",
    minute: "دقیقه",
    hour: "ساعت",
    day: "روز",
    just_now: "همین حالا",
    ago: |length| format!("{length} پیش"),
    date_and_time: |date, time| format!("{date}، ساعت {time} به وقت UTC"),
    entries_count: files,
    days_count: |days| format!("{} روز", number(days)),
    bytes_count: |bytes| format!("{} بایت", number(bytes)),
    and_more: |more| format!("… و {} فایل دیگر", number(more)),
    more_than: |least| format!("{} فایل یا بیشتر", number(least)),

    login_title: "ورود",
    login_explained: "توکن همان مقدار IMAGECACHED_TOKEN است. اگر آن را تعیین نکرده باشید، برنامه هنگام شروع \
                      توکنی می‌سازد و پیوند ورود را چاپ می‌کند.",
    token: "توکن",
    wrong_token: "این توکن درست نیست.",
    too_many_tokens: "از نشانی شما چند بار پشت سر هم توکن اشتباه رسیده است.",
    wait: |length| format!("{length} دیگر دوباره امتحان کنید."),
    logged_in: "وارد شدید.",
    logged_out: "خارج شدید.",
    go_on: "ادامه",

    all_safe: "همه چیز در امان است",
    all_safe_detail: "هر فایلی که آپلود شده، در پایگاه داده ذخیره شده است.",
    on_the_way: |unsaved| format!("{} در راه پایگاه داده است", files(unsaved)),
    late: |unsaved| format!("{} هنوز ذخیره نشده است", files(unsaved)),
    oldest_waits: |length| format!("قدیمی‌ترین آن‌ها {length} است که منتظر مانده."),
    not_mended: |entries| {
        format!("{} ذخیره‌شده آسیب دیده یا با فایل روی دیسک یکی نیست", files(entries))
    },
    not_mended_detail: "بررسی نتوانست آن را درست کند. دستور «imagecached verify» نام فایل‌ها و راه چاره را می‌گوید.",
    versions_damaged: |contents| format!("{} محتوای پیشین خراب است", number(contents)),
    versions_damaged_detail: "فایل‌های کنونی در امان‌اند؛ این یکی را دیگر نمی‌شود برگرداند. دستور «imagecached verify» نامش را می‌گوید.",
    database_away: "پایگاه داده در دسترس نیست",
    database_away_idle: "فعلاً چیزی منتظر آن نیست. فایل‌های تازه تا برگشتن پایگاه داده روی دیسک می‌مانند.",
    database_away_here: "تا پایگاه داده برنگردد، چیزی برای نمایش نیست.",
    not_safe_away: |unsaved| {
        format!("پایگاه داده در دسترس نیست و {} هنوز ذخیره نشده است", files(unsaved))
    },
    do_not_stop: "این فایل‌ها روی دیسک منتظرند. تا پایگاه داده برنگشته، این کانتینر را متوقف نکنید.",
    nobody_guards: "اینجا فقط پایگاه داده را می‌بینید",
    nobody_guards_detail: "این پردازه به پوشهٔ آپلود دسترسی ندارد. اینکه همهٔ آپلودها در امان‌اند یا نه را \
                           پردازه‌ای می‌داند که کنار برنامهٔ شما اجرا می‌شود.",

    unsaved: "هنوز ذخیره‌نشده",
    unsaved_explained: "دیده شده، ولی هنوز در پایگاه داده نیست",
    files_size: "حجم فایل‌ها",
    database_size: "حجم در پایگاه داده",
    without_data: "بدون محتوا",
    without_data_explained: "این فایل‌ها را نمی‌شود بازگرداند.",
    captured_explained: "فایل، به دست همین پردازه",
    watcher: "دیده‌بان",
    watcher_watching: "در حال دیده‌بانی",
    watcher_degraded: "فقط با پیمایش پوشه",
    watcher_off: "در حال شروع",
    watcher_none: "نه در این پردازه",
    restoring: "در حال بازگرداندن",
    restore_progress: |done, planned| format!("{} از {}", number(done), files(planned)),
    where_bytes_are: "محتوا کجاست",
    share: "سهم",
    counted_ago: |seconds| format!("شمارش {seconds} ثانیه پیش"),
    growth: "ذخیره‌شده در هر روز",
    growth_summary: |stored, size| format!("{} با حجم {size} در ۳۰ روز گذشته.", files(stored)),
    growth_bar: |day, stored, size| format!("{day}: {}، {size}", files(stored)),
    speed: "از بسته شدن فایل تا ذخیره شدن",
    speed_summary: |stored, worst| {
        format!("{} در یک ساعت گذشته؛ کندترین آن‌ها پس از {worst} در امان بود.", files(stored))
    },
    speed_none: "در یک ساعت گذشته فایلی ذخیره نشده است.",
    typical: "نیمی در کمتر از",
    slow: "۹۹٪ در کمتر از",
    slowest: "کندترین",
    files: "تعداد فایل",
    date: "روز",
    time: "ساعت (UTC)",
    today: "امروز",
    an_hour_ago: "یک ساعت پیش",
    now: "اکنون",
    as_table: "به شکل جدول",
    last_errors: "آخرین خطاها",
    no_errors: "از آغاز کار خطایی نبوده است.",
    events: "آخرین رویدادها",
    no_events: "هنوز اتفاقی نیفتاده است.",
    live: "زنده",
    cache_all: "ذخیرهٔ فایل‌های ذخیره‌نشده",
    restore_all: "بازگرداندن فایل‌های گم‌شده",
    look_at_doctor: "رفتن به عیب‌یابی",

    search: "جست‌وجو",
    search_hint: "بخشی از مسیر",
    kind: "نوع",
    place: "محل ذخیره",
    disk: "روی دیسک",
    any: "همه",
    pictures: "تصویر",
    videos: "ویدیو",
    sounds: "صدا",
    documents: "سند",
    plain_texts: "متن",
    is_on_disk: "روی دیسک هست",
    not_on_disk: "روی دیسک نیست",
    unused_for: "استفاده‌نشده از",
    days: "روز پیش",
    sort: "مرتب‌سازی بر پایهٔ",
    order: "ترتیب",
    ascending: "صعودی",
    descending: "نزولی",
    by_updated: "آخرین تغییر",
    by_accessed: "آخرین استفاده",
    by_created: "اولین ذخیره",
    by_size: "حجم",
    by_path: "مسیر",
    apply: "نمایش",
    clear: "حذف صافی‌ها",
    path: "مسیر",
    size: "حجم",
    updated: "تغییر",
    accessed: "استفاده",
    select: |path| format!("انتخاب {path}"),
    select_all: "انتخاب همهٔ فایل‌های این صفحه",
    selected: "انتخاب‌شده",
    with_selected: "با فایل‌های انتخاب‌شده",
    restore: "بازگرداندن",
    cache_again: "ذخیرهٔ دوباره",
    delete: "حذف",
    nothing_found: "فایلی با این مشخصات پیدا نشد.",
    nothing_stored: "هنوز چیزی ذخیره نشده است.",
    next_page: "صفحهٔ بعد",
    previous_page: "صفحهٔ قبل",
    first_page: "صفحهٔ اول",
    list_pages: "صفحه‌های فهرست",
    cut_short: "فایل‌ها زیادند و آنچه می‌خواهید کم است: جست‌وجو در صفحهٔ بعد ادامه پیدا می‌کند.",
    payload_inline: "در خود ردیف",
    payload_chunks: "تکه‌تکه",
    payload_url: "فضای ابری",
    payload_none: "بدون محتوا",

    nothing_selected: "فایلی انتخاب نشده بود.",
    restore_title: |selected| format!("{} بازگردانده شود؟", files(selected)),
    restore_explained: "فایل‌هایی که روی دیسک نیستند سر جایشان برمی‌گردند. به فایلی که هست هرگز دست زده \
                        نمی‌شود.",
    restore_button: |selected| format!("بازگرداندن {}", files(selected)),
    cache_title: |selected| format!("{} دوباره ذخیره شود؟", files(selected)),
    cache_explained: "فایل‌ها از روی دیسک خوانده و از نو ذخیره می‌شوند. وقتی به کار می‌آید که نسخهٔ \
                      ذخیره‌شده خراب شده باشد.",
    cache_button: |selected| format!("ذخیرهٔ دوبارهٔ {}", files(selected)),
    cache_absent: |absent| {
        format!("{} روی دیسک نیست و نسخهٔ ذخیره‌شدهٔ آن دست‌نخورده می‌ماند.", files(absent))
    },
    delete_title: |selected| format!("{} حذف شود؟", files(selected)),
    delete_explained: "این فایل‌ها از میان فایل‌های ذخیره‌شده برداشته می‌شوند. به فایل‌های روی دیسک دست زده نمی‌شود و تا \
                       یک ساعت بعد دوباره ذخیره می‌شوند.",
    delete_button: |selected| format!("حذف {}", files(selected)),
    delete_last_copies: |absent| {
        format!(
            "{} روی دیسک نیست. با این کار آخرین نسخهٔ آن از بین می‌رود و دیگر برنمی‌گردد.",
            files(absent)
        )
    },
    delete_unknown: "این پردازه دیسک را نمی‌بیند. شاید این‌ها آخرین نسخه‌ها باشند؛ این کار برگشت‌پذیر نیست.",
    only_beside_the_app: "این کار فقط از پردازه‌ای برمی‌آید که به پوشهٔ آپلود دسترسی دارد و کنار برنامهٔ شما \
                          اجرا می‌شود.",
    cancel: "انصراف",
    deleted: |removed| format!("{} حذف شد.", files(removed)),
    cached: |cached, unchanged, skipped, failed| {
        format!(
            "{} ذخیره شد، {} تغییری نکرده بود، {} کنار گذاشته شد و {} ناموفق بود.",
            files(cached),
            files(unchanged),
            files(skipped),
            files(failed)
        )
    },
    restored: |restored, present, damaged, left| {
        format!(
            "{} بازگردانده شد، {} از پیش سر جایش بود، {} خراب بود و {} بازگردانده نشد.",
            files(restored),
            files(present),
            files(damaged),
            files(left)
        )
    },
    goes_on: "این کار کمی طول می‌کشد و در پس‌زمینه ادامه دارد. پایانش را در میان رویدادها خواهید دید.",

    fields: "مشخصات",
    preview: "پیش‌نمایش",
    preview_of: |name| format!("پیش‌نمایش {name}"),
    no_preview: "این نوع فایل پیش‌نمایش ندارد",
    number: "شماره",
    owner: "صاحب",
    owner_unknown: "نامعلوم",
    on_disk: "روی دیسک",
    yes: "هست",
    no: "نیست",
    created: "اولین ذخیره",
    modified: "تغییر خود فایل",
    mode: "مجوزها",
    address: "نشانی",
    verify: "بررسی درستی",
    verify_explained: "محتوای ذخیره‌شده را می‌خواند و sha256 آن را مقایسه می‌کند.",
    sound: "محتوای ذخیره‌شده سالم است: sha256 آن با فایل یکی است.",
    damaged: "محتوای ذخیره‌شده خراب است",
    damaged_cure_disk: "خود فایل روی دیسک هست: آن را دوباره ذخیره کنید.",
    damaged_cure: "فایل روی دیسکی که این پردازه می‌بیند نیست. نسخهٔ پشتیبان را برگردانید یا این فایل را حذف کنید.",
    download: "دانلود",

    versions: "محتواهای پیشین",
    versions_explained: "آنچه این مسیر پیش‌تر داشته است، همراه با آنچه از آن در زباله‌دان است.",
    since: "از",
    ended: "تا",
    why: "سپس",
    why_replaced: "محتوای تازه‌ای آمد",
    why_deleted: "برنامهٔ شما آن را حذف کرد",
    why_removed: "از اینجا یا با پاک‌سازی حذف شد",
    download_version: |when| format!("دانلود محتوایی که تا {when} بود"),
    revert: "بازگشت به این",
    revert_to: |when| format!("بازگشت به محتوایی که تا {when} بود"),
    revert_title: "این محتوای پیشین جای محتوای کنونی را بگیرد؟",
    revert_explained: "یک‌جا و کامل به جای فایل روی دیسک می‌نشیند و ذخیره می‌شود. آنچه این مسیر اکنون دارد پیش از آن ذخیره \
                       می‌شود و خود یک محتوای پیشین می‌شود؛ تا وقتی نگه داشته می‌شود، به همین روش می‌شود به آن برگشت.",
    revert_button: "بازگشت به این محتوا",
    reverted: "محتوای پیشین، روی دیسک و در پایگاه داده، دوباره محتوای کنونی است.",
    trash_explained: "فایل‌های حذف‌شده مدتی اینجا می‌مانند و سپس برای همیشه حذف می‌شوند.",
    trash_when: "زمان حذف",
    trash_how: "چگونه",
    trash_empty: "زباله‌دان خالی است.",
    give_back: "برگرداندن",
    give_back_title: |selected| format!("{} برگردانده شود؟", files(selected)),
    give_back_explained: "این فایل‌ها با همهٔ مشخصاتشان دوباره ذخیره‌شده به حساب می‌آیند و اگر روی دیسک نباشند سر \
                          جایشان برمی‌گردند. آنچه مسیرش اکنون محتوای تازه‌ای دارد در زباله‌دان می‌ماند.",
    give_back_button: |selected| format!("برگرداندن {}", files(selected)),
    given_back: |given, left| match left {
        0 => format!("{} برگردانده شد.", files(given)),
        _ => format!(
            "{} برگردانده شد؛ {} در زباله‌دان ماند، چون مسیرش محتوای تازه‌تری دارد.",
            files(given),
            files(left)
        ),
    },
    forget: "حذف همیشگی",
    forget_title: |selected| format!("{} برای همیشه حذف شود؟", files(selected)),
    forget_explained: "این‌ها آخرین نسخه‌هایی است که نگه داشته شده است. این کار برگشت‌پذیر نیست.",
    forget_button: |selected| format!("حذف همیشگی {}", files(selected)),
    forgotten: |count| format!("{} برای همیشه حذف شد.", files(count)),

    cleanup_explained: "فایل‌هایی را که مدت‌هاست کسی سراغشان نرفته حذف می‌کند. فایلی که روی دیسک باشد در حال \
                        استفاده به حساب می‌آید و می‌ماند.",
    cleanup_days: "استفاده‌نشده، دست‌کم از",
    cleanup_show: "نمایش آنچه حذف می‌شود",
    cleanup_nothing: |days| {
        format!("چیزی برای حذف نیست: هر فایل یا در {days} گذشته استفاده شده یا روی دیسک است.")
    },
    cleanup_would_go: |count, size, days| {
        format!("{count} ({size}) حذف می‌شود: {days} است که استفاده نشده و روی دیسک هم نیست.")
    },
    cleanup_impossible: "بدون پوشهٔ آپلود معلوم نیست چه فایلی در حال استفاده است، پس از اینجا چیزی حذف \
                         نمی‌شود. این کار را به پردازهٔ کنار برنامهٔ خود بسپارید.",
    cleanup_do: |count| format!("حذف {}", files(count)),
    cleanup_for_ever: "این فایل‌ها روی دیسک هم نیستند: این کار برگشت‌پذیر نیست.",
    trash_keeps: |days| format!("هر چه برود تا {days} در سطل زباله می‌ماند و می‌توان آن را پس گرفت."),
    in_use: |count| match count {
        0 => String::new(),
        _ => format!("{} دیگر هم همین مدت استفاده نشده، ولی روی دیسک است و می‌ماند.", files(count)),
    },
    cleaned: |removed| format!("{} حذف شد.", files(removed)),

    doctor_explained: "دیسک، پایگاه داده، دیده‌بان و تنظیمات را وارسی می‌کند. یافته‌ها به انگلیسی‌اند، همان‌طور که در \
                       خط فرمان و گزارش‌ها می‌آیند.",
    doctor_sentence: |errors, warnings| match (errors, warnings) {
        (0, 0) => "همه چیز مرتب است".into(),
        (0, _) => format!("{} هشدار", number(warnings)),
        (_, 0) => format!("{} خطا", number(errors)),
        _ => format!("{} خطا و {} هشدار", number(errors), number(warnings)),
    },
    doctor_unfinished: "وارسی زیاد طول کشید و نیمه‌کاره ماند؛ بعضی از بررسی‌ها انجام نشده‌اند.",
    doctor_well_from_here: "تا جایی که از اینجا پیداست، همه چیز مرتب است",
    doctor_elsewhere: "این پردازه به پوشهٔ آپلود دسترسی ندارد و آنچه فقط آنجا دیده می‌شود وارسی نشده است. پنل پردازه‌ای \
                       که کنار برنامهٔ شما اجرا می‌شود، یا دستور imagecached doctor در همان‌جا، آن را نشان می‌دهد.",
    looked: |when| format!("آخرین وارسی: {when}."),
    look_again: "وارسی دوباره",
    examined: "وارسی دوباره انجام شد.",
    errors: "خطاها",
    warnings: "هشدارها",
    notes: "یادداشت‌ها",
    all_well: "بی‌اشکال",
    cure: "چاره",

    fault_login: "لطفاً وارد شوید",
    fault_forbidden: "این فرم دیگر معتبر نیست",
    fault_not_found: "پیدا نشد",
    fault_no_upload_dir: "نه در این پردازه",
    fault_too_many: "تلاش‌های پی‌درپی",
    fault_database: "این کار اکنون ممکن نشد",
    fault_request: "درخواست قابل فهم نیست",
    fault_ours: "مشکلی پیش آمد",
    to_overview: "رفتن به نمای کلی",
};
